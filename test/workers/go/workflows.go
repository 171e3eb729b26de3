package main

import (
	"errors"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// The workflows every program of this folder has, by the same names: a starter of one language may use
// another language's Worker.
var workflows = map[string]any{
	"echo":          echo,
	"greeting":      greeting,
	"localGreeting": localGreeting,
	"nap":           nap,
	"mailbox":       mailbox,
	"parent":        parent,
	"cleanup":       cleanup,
	"stubborn":      stubborn,
	"heart":         heart,
	"countdown":     countdown,
	"brokenParent":  brokenParent,
	"remember":      remember,
	"relabel":       relabel,
	"explained":     explained,
}

// The search attributes that the further features need in their namespace.
var (
	customerKey = temporal.NewSearchAttributeKeyKeyword("Customer")
	labelsKey   = temporal.NewSearchAttributeKeyKeywordList("Labels")
	amountKey   = temporal.NewSearchAttributeKeyInt64("Amount")
)

// Only its method names are used here: the Worker runs the registered instance.
var a *activities

func withActivity(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    100 * time.Millisecond,
			BackoffCoefficient: 1,
			MaximumAttempts:    3,
		},
	})
}

func echo(_ workflow.Context, text string) (string, error) {
	return text, nil
}

func greeting(ctx workflow.Context, name string) (answer string, err error) {
	err = workflow.ExecuteActivity(withActivity(ctx), a.Greet, name).Get(ctx, &answer)
	return
}

func localGreeting(ctx workflow.Context, name string) (answer string, err error) {
	local := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{StartToCloseTimeout: 5 * time.Second})
	err = workflow.ExecuteLocalActivity(local, a.Greet, name).Get(ctx, &answer)
	return
}

// nap answers with the milliseconds that the timer took by the workflow's own clock.
func nap(ctx workflow.Context) (int64, error) {
	before := workflow.Now(ctx)
	err := workflow.Sleep(ctx, time.Second)
	return workflow.Now(ctx).Sub(before).Milliseconds(), err
}

// mailbox collects texts by signal and by update until it is closed.
func mailbox(ctx workflow.Context) ([]string, error) {
	kept := []string{}
	open := true
	err := workflow.SetQueryHandler(ctx, "texts", func() ([]string, error) { return kept, nil })
	if err != nil {
		return nil, err
	}
	err = workflow.SetUpdateHandlerWithOptions(ctx, "add",
		func(_ workflow.Context, text string) (int, error) {
			kept = append(kept, text)
			return len(kept), nil
		},
		workflow.UpdateHandlerOptions{Validator: func(text string) error {
			if text == "" {
				return errors.New("an empty text is not kept")
			}
			return nil
		}})
	if err != nil {
		return nil, err
	}
	signals := workflow.NewSelector(ctx)
	puts := workflow.GetSignalChannel(ctx, "put")
	closes := workflow.GetSignalChannel(ctx, "close")
	signals.AddReceive(puts, func(channel workflow.ReceiveChannel, _ bool) {
		var text string
		channel.Receive(ctx, &text)
		kept = append(kept, text)
	})
	signals.AddReceive(closes, func(channel workflow.ReceiveChannel, _ bool) {
		channel.Receive(ctx, nil)
		open = false
	})
	// What was put before the close is kept even if both arrive in one task.
	for open || puts.Len() > 0 {
		signals.Select(ctx)
	}
	return kept, nil
}

func parent(ctx workflow.Context, text string) (answer string, err error) {
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child",
	})
	err = workflow.ExecuteChildWorkflow(child, "echo", text).Get(ctx, &answer)
	return
}

// cleanup waits for its cancellation and cleans up by an activity that the cancellation must not reach.
func cleanup(ctx workflow.Context) error {
	err := workflow.Sleep(ctx, time.Hour)
	if temporal.IsCanceledError(err) {
		disconnected, cancel := workflow.NewDisconnectedContext(ctx)
		defer cancel()
		id := workflow.GetInfo(ctx).WorkflowExecution.ID
		if failed := workflow.ExecuteActivity(withActivity(disconnected), a.Tidy, id).Get(disconnected, nil); failed != nil {
			return failed
		}
	}
	return err
}

func stubborn(ctx workflow.Context) (answer string, err error) {
	err = workflow.ExecuteActivity(withActivity(ctx), a.BreakTwice).Get(ctx, &answer)
	return
}

func heart(ctx workflow.Context) error {
	beating := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 30 * time.Second,
		HeartbeatTimeout:    5 * time.Second,
		WaitForCancellation: true,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	return workflow.ExecuteActivity(beating, a.Beat, workflow.GetInfo(ctx).WorkflowExecution.ID).Get(ctx, nil)
}

// countdown starts itself anew until nothing is left; it answers with the number of runs.
func countdown(ctx workflow.Context, left, runs int) (int, error) {
	if left > 0 {
		return 0, workflow.NewContinueAsNewError(ctx, "countdown", left-1, runs+1)
	}
	return runs + 1, nil
}

// brokenParent fails by its child's activity.
func brokenParent(ctx workflow.Context) (answer string, err error) {
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: workflow.GetInfo(ctx).WorkflowExecution.ID + "-child",
	})
	err = workflow.ExecuteChildWorkflow(child, "stubborn").Get(ctx, &answer)
	return
}

// remember deletes one entry of its memo and adds another.
func remember(ctx workflow.Context, text string) error {
	return workflow.UpsertMemo(ctx, map[string]any{"note": text, "gone": nil})
}

// relabel replaces its search attributes; it answers with the customer that it was started for, once it is closed.
func relabel(ctx workflow.Context, customer string, labels []string) (string, error) {
	before, _ := workflow.GetTypedSearchAttributes(ctx).GetKeyword(customerKey)
	err := workflow.UpsertTypedSearchAttributes(ctx, customerKey.ValueSet(customer), labelsKey.ValueSet(labels))
	if err != nil {
		return "", err
	}
	workflow.GetSignalChannel(ctx, "close").Receive(ctx, nil)
	return before, nil
}

// explained has a timer and an activity that say what they are for.
func explained(ctx workflow.Context, name string) (answer string, err error) {
	rest := workflow.NewTimerWithOptions(ctx, 10*time.Millisecond, workflow.TimerOptions{Summary: "a short rest"})
	if err := rest.Get(ctx, nil); err != nil {
		return "", err
	}
	said := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second, Summary: "a greeting",
	})
	err = workflow.ExecuteActivity(said, a.Greet, name).Get(ctx, &answer)
	return
}
