package main

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

// The features that are a message to a mailbox.

func signalled(ctx context.Context, p place) error {
	run, err := p.start(ctx, "mailbox")
	if err != nil {
		return err
	}
	for _, text := range []string{"first", "second"} {
		if err := p.client.SignalWorkflow(ctx, p.id, "", "put", text); err != nil {
			return err
		}
	}
	return p.finish(ctx, run, "first", "second")
}

func queried(ctx context.Context, p place) error {
	run, err := p.start(ctx, "mailbox")
	if err != nil {
		return err
	}
	if err := p.client.SignalWorkflow(ctx, p.id, "", "put", "asked for"); err != nil {
		return err
	}
	value, err := p.client.QueryWorkflow(ctx, p.id, "", "texts")
	if err != nil {
		return err
	}
	var texts []string
	if err := value.Get(&texts); err != nil {
		return err
	}
	if err := equal(texts, []string{"asked for"}); err != nil {
		return err
	}
	return p.finish(ctx, run, "asked for")
}

func (p place) addOptions(text string) client.UpdateWorkflowOptions {
	return client.UpdateWorkflowOptions{
		WorkflowID: p.id, UpdateName: "add", Args: []any{text}, WaitForStage: client.WorkflowUpdateStageCompleted,
	}
}

func updated(ctx context.Context, p place) error {
	run, err := p.start(ctx, "mailbox")
	if err != nil {
		return err
	}
	update, err := p.client.UpdateWorkflow(ctx, p.addOptions("one"))
	if err != nil {
		return err
	}
	var count int
	if err := update.Get(ctx, &count); err != nil {
		return err
	}
	if err := equal(count, 1); err != nil {
		return err
	}
	return p.finish(ctx, run, "one")
}

func updateRejected(ctx context.Context, p place) error {
	run, err := p.start(ctx, "mailbox")
	if err != nil {
		return err
	}
	update, err := p.client.UpdateWorkflow(ctx, p.addOptions(""))
	if err == nil {
		err = update.Get(ctx, nil)
	}
	rejected, err := failure[*temporal.ApplicationError](err)
	if err != nil {
		return err
	}
	if err := equal(rejected.Message(), "an empty text is not kept"); err != nil {
		return err
	}
	return p.finish(ctx, run)
}

func updateWithStart(ctx context.Context, p place) error {
	options := p.options()
	options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
	start := p.client.NewWithStartWorkflowOperation(options, "mailbox")
	update, err := p.client.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: start, UpdateOptions: p.addOptions("at once"),
	})
	if err != nil {
		return err
	}
	var count int
	if err := update.Get(ctx, &count); err != nil {
		return err
	}
	if err := equal(count, 1); err != nil {
		return err
	}
	run, err := start.Get(ctx)
	if err != nil {
		return err
	}
	return p.finish(ctx, run, "at once")
}

func signalWithStart(ctx context.Context, p place) error {
	run, err := p.client.SignalWithStartWorkflow(ctx, p.id, "put", "at once", p.options(), "mailbox")
	if err != nil {
		return err
	}
	return p.finish(ctx, run, "at once")
}
