package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// Each feature gives an error when something is not as the SDK promises.
var features = map[string]func(context.Context, place) error{
	"workflow": func(ctx context.Context, p place) error {
		return answers(ctx, p, "héllo", "echo", "héllo")
	},
	"activity": func(ctx context.Context, p place) error {
		return answers(ctx, p, "Hello, gate", "greeting", "gate")
	},
	"local-activity": func(ctx context.Context, p place) error {
		return answers(ctx, p, "Hello, gate", "localGreeting", "gate")
	},
	"child-workflow": func(ctx context.Context, p place) error {
		return answers(ctx, p, "to the child", "parent", "to the child")
	},
	"timer":             timer,
	"signal":            signalled,
	"query":             queried,
	"update":            updated,
	"update-rejected":   updateRejected,
	"update-with-start": updateWithStart,
	"signal-with-start": signalWithStart,
	"schedule":          scheduled,
	"cancellation":      cancelled,
	"terminate":         terminated,
	"activity-failure":  activityFailure,
	"heartbeat":         heartbeat,
	"continue-as-new":   continuedAsNew,
	"memo":              memo,
	"describe":          described,
	"visibility":        visible,
	"history":           history,
}

func timer(ctx context.Context, p place) error {
	run, err := p.start(ctx, "nap")
	if err != nil {
		return err
	}
	var millis int64
	if err := run.Get(ctx, &millis); err != nil {
		return err
	}
	if millis < 1000 {
		return fmt.Errorf("a timer of 1 s took %d ms", millis)
	}
	return nil
}

func scheduled(ctx context.Context, p place) error {
	schedule, err := p.client.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID:   p.id,
		Spec: client.ScheduleSpec{Intervals: []client.ScheduleIntervalSpec{{Every: time.Hour}}},
		Action: &client.ScheduleWorkflowAction{
			ID: p.id + "-run", Workflow: "echo", Args: []any{"on time"}, TaskQueue: p.prefix,
		},
	})
	if err != nil {
		return err
	}
	if err := schedule.Trigger(ctx, client.ScheduleTriggerOptions{}); err != nil {
		return err
	}
	var id string
	err = until(ctx, func() (bool, error) {
		seen, err := schedule.Describe(ctx)
		if err != nil || len(seen.Info.RecentActions) == 0 {
			return false, err
		}
		id = seen.Info.RecentActions[0].StartWorkflowResult.WorkflowID
		return true, nil
	})
	if err != nil {
		return err
	}
	if err := result(ctx, p.client.GetWorkflow(ctx, id, ""), "on time"); err != nil {
		return err
	}
	if err := schedule.Delete(ctx); err != nil {
		return err
	}
	_, err = schedule.Describe(ctx)
	_, err = failure[*serviceerror.NotFound](err)
	return err
}

func cancelled(ctx context.Context, p place) error {
	run, err := p.start(ctx, "cleanup")
	if err != nil {
		return err
	}
	err = until(ctx, func() (bool, error) {
		events, err := p.events(ctx)
		for _, event := range events {
			if event.GetTimerStartedEventAttributes() != nil {
				return true, nil
			}
		}
		return false, err
	})
	if err != nil {
		return err
	}
	if err := p.client.CancelWorkflow(ctx, p.id, ""); err != nil {
		return err
	}
	if _, err := failure[*temporal.CanceledError](run.Get(ctx, nil)); err != nil {
		return err
	}
	if _, ok := p.noted.tidied.Load(p.id); !ok {
		return errors.New("the cleanup did not run")
	}
	return nil
}

func terminated(ctx context.Context, p place) error {
	run, err := p.start(ctx, "mailbox")
	if err != nil {
		return err
	}
	// Once it has begun.
	if _, err := p.client.QueryWorkflow(ctx, p.id, "", "texts"); err != nil {
		return err
	}
	if err := p.client.TerminateWorkflow(ctx, p.id, "", "enough"); err != nil {
		return err
	}
	_, err = failure[*temporal.TerminatedError](run.Get(ctx, nil))
	return err
}

// The activity is tried again once, then fails for good; the caller sees the whole chain, details included.
func activityFailure(ctx context.Context, p place) error {
	run, err := p.start(ctx, "stubborn")
	if err != nil {
		return err
	}
	failed, err := failure[*temporal.ActivityError](run.Get(ctx, nil))
	if err != nil {
		return err
	}
	broken, err := failure[*temporal.ApplicationError](failed.Unwrap())
	if err != nil {
		return err
	}
	var details attemptDetails
	if err := broken.Details(&details); err != nil {
		return err
	}
	root, err := failure[*temporal.ApplicationError](broken.Unwrap())
	if err != nil {
		return err
	}
	return equal(
		[]any{broken.Message(), broken.Type(), broken.NonRetryable(), details.Attempt, root.Message()},
		[]any{"broken at attempt 2", "Broken", true, int32(2), "the root of it"})
}

func heartbeat(ctx context.Context, p place) error {
	run, err := p.start(ctx, "heart")
	if err != nil {
		return err
	}
	var details beatDetails
	err = until(ctx, func() (bool, error) {
		seen, err := p.client.DescribeWorkflowExecution(ctx, p.id, "")
		if err != nil || len(seen.PendingActivities) == 0 || seen.PendingActivities[0].HeartbeatDetails == nil {
			return false, err
		}
		return true, p.converter.FromPayloads(seen.PendingActivities[0].HeartbeatDetails, &details)
	})
	if err != nil {
		return err
	}
	if details.Count < 1 {
		return fmt.Errorf("the details of the heartbeat are %v", details)
	}
	if err := p.client.CancelWorkflow(ctx, p.id, ""); err != nil {
		return err
	}
	if _, err := failure[*temporal.CanceledError](run.Get(ctx, nil)); err != nil {
		return err
	}
	if _, ok := p.noted.stopped.Load(p.id); !ok {
		return errors.New("the activity was not told")
	}
	return nil
}

func continuedAsNew(ctx context.Context, p place) error {
	run, err := p.start(ctx, "countdown", 3, 0)
	if err != nil {
		return err
	}
	first := run.GetRunID()
	if err := result(ctx, run, 4); err != nil {
		return err
	}
	last, err := p.client.DescribeWorkflowExecution(ctx, p.id, "")
	if err != nil {
		return err
	}
	if last.WorkflowExecutionInfo.Execution.RunId == first {
		return errors.New("the last run is the first")
	}
	return equal(last.WorkflowExecutionInfo.Status, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
}
