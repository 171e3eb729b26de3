// A Worker and its Client in one process. MODE says what it is for: features, worker or starter.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const (
	sdk = "go"
	// A feature that hangs is a failed feature. The further ones wait for the server's own workflows.
	featureTimeout     = 12 * time.Second
	moreFeatureTimeout = 40 * time.Second
	// Enough to keep a Worker busy, few enough that one start is not held up by another's deadline.
	startsAtOnce = 20
)

type done struct {
	Done  bool   `json:"done"`
	SDK   string `json:"sdk"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"`
}

type outcome struct {
	Feature string `json:"feature"`
	OK      bool   `json:"ok"`
	Millis  int64  `json:"ms"`
	Error   string `json:"error,omitempty"`
}

func main() {
	ok, err := run()
	last := done{Done: true, SDK: sdk, OK: ok && err == nil}
	if err != nil {
		last.Error = describeError(err)
	}
	report(last)
	if !last.OK {
		os.Exit(1)
	}
}

func run() (bool, error) {
	c, err := connect()
	if err != nil {
		return false, err
	}
	defer c.Close()
	switch mode := os.Getenv("MODE"); mode {
	case "", "features":
		return runFeatures(c)
	case "worker":
		return true, stay(c)
	case "starter":
		return startMany(c)
	default:
		return false, fmt.Errorf("MODE is features, worker or starter, not %s", mode)
	}
}

// newWorker gives a Worker, what its activities note, and what it dies of.
func newWorker(c client.Client, taskQueue string, deployment worker.DeploymentOptions) (worker.Worker, *activities, <-chan error) {
	died := make(chan error, 1)
	w := worker.New(c, taskQueue, worker.Options{
		MaxHeartbeatThrottleInterval: 200 * time.Millisecond,
		WorkerStopTimeout:            time.Second,
		// On a busy machine a goroutine that waits for its turn is no deadlock.
		DeadlockDetectionTimeout: 10 * time.Second,
		DeploymentOptions:        deployment,
		OnFatalError:             func(err error) { died <- err },
	})
	for name, definition := range workflows {
		w.RegisterWorkflowWithOptions(definition, workflow.RegisterOptions{Name: name})
	}
	noted := &activities{}
	w.RegisterActivity(noted)
	return w, noted, died
}

// runFeatures runs them all at once, as an application would; one line each. True when all passed.
func runFeatures(c client.Client) (bool, error) {
	prefix := sdk + "-" + rand.Text()[:8]
	w, noted, died := newWorker(c, prefix, worker.DeploymentOptions{})
	if err := w.Start(); err != nil {
		return false, err
	}
	defer w.Stop()
	var failures atomic.Int32
	var all sync.WaitGroup
	isAll := os.Getenv("FEATURES") == "all"
	timeout := featureTimeout
	if isAll {
		timeout = moreFeatureTimeout
	}
	for _, name := range chosenFeatures(isAll) {
		feature, isPlain := features[name]
		if !isPlain {
			feature = moreFeatures[name]
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), timeout)
			defer cancel()
			started := time.Now()
			err := feature(ctx, place{
				client: c, namespace: os.Getenv("TEMPORAL_NAMESPACE"), converter: dataConverter(),
				noted: noted, prefix: prefix, id: prefix + "-" + name,
			})
			line := outcome{Feature: name, OK: err == nil, Millis: time.Since(started).Milliseconds()}
			if err != nil {
				line.Error = describeError(err)
				failures.Add(1)
			}
			report(line)
		})
	}
	all.Wait()
	select {
	case err := <-died:
		return false, err
	default:
		return failures.Load() == 0, nil
	}
}

func stay(c client.Client) error {
	taskQueue, err := required("TASK_QUEUE")
	if err != nil {
		return err
	}
	w, _, died := newWorker(c, taskQueue, worker.DeploymentOptions{})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()
	report(map[string]bool{"ready": true})
	select {
	case err := <-died:
		return err
	case <-worker.InterruptCh():
		return nil
	}
}

// startMany starts COUNT echo workflows on another process's task queue and awaits what they answer.
func startMany(c client.Client) (bool, error) {
	taskQueue, err := required("TASK_QUEUE")
	if err != nil {
		return false, err
	}
	count, err := strconv.Atoi(cmp.Or(os.Getenv("COUNT"), "1"))
	if err != nil {
		return false, fmt.Errorf("COUNT: %w", err)
	}
	prefix := "starter-" + rand.Text()[:8]
	var next, completed atomic.Int64
	var lanes sync.WaitGroup
	for range min(startsAtOnce, count) {
		lanes.Go(func() {
			for number := next.Add(1); number <= int64(count); number = next.Add(1) {
				id := fmt.Sprintf("%s-%d", prefix, number)
				p := place{client: c, prefix: taskQueue, id: id}
				if err := answers(context.Background(), p, id, "echo", id); err != nil {
					report(map[string]any{"workflow": id, "ok": false, "error": describeError(err)})
					continue
				}
				completed.Add(1)
			}
		})
	}
	lanes.Wait()
	report(map[string]int64{"started": int64(count), "completed": completed.Load()})
	return completed.Load() == int64(count), nil
}
