package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// activities also note what happened in this process, for the features to look at.
type activities struct {
	// Workflow ids whose cleanup ran, and whose heartbeating activity saw its cancellation.
	tidied, stopped sync.Map
}

type attemptDetails struct {
	Attempt int32 `json:"attempt"`
}

type beatDetails struct {
	Count int `json:"count"`
}

func (a *activities) Greet(_ context.Context, name string) (string, error) {
	return "Hello, " + name, nil
}

func (a *activities) Tidy(_ context.Context, workflowID string) error {
	a.tidied.Store(workflowID, true)
	return nil
}

// BreakTwice fails in a way that is retried, then in a way that is not; both with a cause.
func (a *activities) BreakTwice(ctx context.Context) (string, error) {
	attempt := activity.GetInfo(ctx).Attempt
	return "", temporal.NewApplicationErrorWithOptions(fmt.Sprintf("broken at attempt %d", attempt), "Broken",
		temporal.ApplicationErrorOptions{
			NonRetryable: attempt > 1,
			Cause:        errors.New("the root of it"),
			Details:      []any{attemptDetails{attempt}},
		})
}

// Beat beats until it is cancelled.
func (a *activities) Beat(ctx context.Context, workflowID string) error {
	for count := 1; ; count++ {
		activity.RecordHeartbeat(ctx, beatDetails{count})
		select {
		case <-ctx.Done():
			a.stopped.Store(workflowID, true)
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
