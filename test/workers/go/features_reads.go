package main

import (
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
)

// The features that read what the server knows about a workflow.

func memo(ctx context.Context, p place) error {
	type note struct {
		Text   string `json:"text"`
		Number int    `json:"number"`
	}
	kept := note{Text: "remember", Number: 7}
	options := p.options()
	options.Memo = map[string]any{"note": kept}
	run, err := p.client.ExecuteWorkflow(ctx, options, "echo", "")
	if err != nil {
		return err
	}
	seen, err := p.client.DescribeWorkflowExecution(ctx, p.id, "")
	if err != nil {
		return err
	}
	var read note
	payload := seen.WorkflowExecutionInfo.Memo.GetFields()["note"]
	if err := p.converter.FromPayload(payload, &read); err != nil {
		return err
	}
	if err := equal(read, kept); err != nil {
		return err
	}
	return run.Get(ctx, nil)
}

func described(ctx context.Context, p place) error {
	run, err := p.start(ctx, "mailbox")
	if err != nil {
		return err
	}
	seen, err := p.client.DescribeWorkflowExecution(ctx, p.id, "")
	if err != nil {
		return err
	}
	info := seen.WorkflowExecutionInfo
	err = equal(
		[]any{info.Type.Name, info.TaskQueue, info.Status},
		[]any{"mailbox", p.prefix, enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING})
	if err != nil {
		return err
	}
	if err := p.finish(ctx, run); err != nil {
		return err
	}
	seen, err = p.client.DescribeWorkflowExecution(ctx, p.id, "")
	if err != nil {
		return err
	}
	return equal(seen.WorkflowExecutionInfo.Status, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED)
}

func visible(ctx context.Context, p place) error {
	run, err := p.start(ctx, "mailbox")
	if err != nil {
		return err
	}
	query := fmt.Sprintf("WorkflowId = '%s'", p.id)
	err = until(ctx, func() (bool, error) {
		counted, err := p.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		return counted.GetCount() == 1, err
	})
	if err != nil {
		return err
	}
	var found *workflowpb.WorkflowExecutionInfo
	err = until(ctx, func() (bool, error) {
		listed, err := p.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		if err != nil || len(listed.Executions) == 0 {
			return false, err
		}
		found = listed.Executions[0]
		return true, nil
	})
	if err != nil {
		return err
	}
	err = equal(
		[]any{found.Execution.WorkflowId, found.Type.Name, found.Status},
		[]any{p.id, "mailbox", enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING})
	if err != nil {
		return err
	}
	return p.finish(ctx, run)
}

func history(ctx context.Context, p place) error {
	if err := answers(ctx, p, "Hello, past", "greeting", "past"); err != nil {
		return err
	}
	events, err := p.events(ctx)
	if err != nil {
		return err
	}
	read := func(payloads *commonpb.Payloads) (text string, err error) {
		err = p.converter.FromPayloads(payloads, &text)
		return
	}
	input, err := read(events[0].GetWorkflowExecutionStartedEventAttributes().GetInput())
	if err != nil {
		return err
	}
	output, err := read(events[len(events)-1].GetWorkflowExecutionCompletedEventAttributes().GetResult())
	if err != nil {
		return err
	}
	return equal([]string{input, output}, []string{"past", "Hello, past"})
}

func (p place) events(ctx context.Context) (events []*historypb.HistoryEvent, err error) {
	pages := p.client.GetWorkflowHistory(ctx, p.id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for pages.HasNext() {
		event, err := pages.Next()
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}
