package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
)

// place is what a feature gets to work with.
type place struct {
	client    client.Client
	namespace string
	converter converter.DataConverter
	noted     *activities
	// prefix is the task queue, and the beginning of every workflow id.
	prefix string
	// id is the feature's own workflow id.
	id string
}

func (p place) start(ctx context.Context, workflow string, args ...any) (client.WorkflowRun, error) {
	return p.client.ExecuteWorkflow(ctx, p.options(), workflow, args...)
}

func (p place) options() client.StartWorkflowOptions {
	return client.StartWorkflowOptions{ID: p.id, TaskQueue: p.prefix}
}

// answers runs a workflow and compares its result.
func answers[T any](ctx context.Context, p place, expected T, workflow string, args ...any) error {
	run, err := p.start(ctx, workflow, args...)
	if err != nil {
		return err
	}
	return result(ctx, run, expected)
}

func result[T any](ctx context.Context, run client.WorkflowRun, expected T) error {
	var actual T
	if err := run.Get(ctx, &actual); err != nil {
		return err
	}
	return equal(actual, expected)
}

// finish closes a mailbox and compares what it kept.
func (p place) finish(ctx context.Context, run client.WorkflowRun, kept ...string) error {
	if err := p.client.SignalWorkflow(ctx, run.GetID(), "", "close", nil); err != nil {
		return err
	}
	if kept == nil {
		kept = []string{}
	}
	return result(ctx, run, kept)
}

// until asks again until the answer is true: for what the server shows a moment later.
func until(ctx context.Context, ask func() (bool, error)) error {
	for {
		if done, err := ask(); err != nil || done {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// failure finds the error of this kind in the chain that something must end with.
func failure[E error](err error) (found E, wrong error) {
	if !errors.As(err, &found) {
		return found, fmt.Errorf("ended with %v (%T), not with %T", err, err, found)
	}
	return found, nil
}

func equal(actual, expected any) error {
	if !reflect.DeepEqual(actual, expected) {
		return fmt.Errorf("got %#v, expected %#v", actual, expected)
	}
	return nil
}
