package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	batchpb "go.temporal.io/api/batch/v1"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// The features that need something of their namespace: search attributes, and the server's own workflows.
// FEATURES=all.
var moreFeatures = map[string]func(context.Context, place) error{
	"child-failure":     childFailure,
	"upsert-memo":       upsertMemo,
	"user-metadata":     userMetadata,
	"search-attributes": searchAttributes,
	"batch":             batch,
	"reset":             reset,
	"worker-versioning": workerVersioning,
}

func childFailure(ctx context.Context, p place) error {
	run, err := p.start(ctx, "brokenParent")
	if err != nil {
		return err
	}
	child, err := failure[*temporal.ChildWorkflowExecutionError](run.Get(ctx, nil))
	if err != nil {
		return err
	}
	failed, err := failure[*temporal.ActivityError](child.Unwrap())
	if err != nil {
		return err
	}
	broken, err := failure[*temporal.ApplicationError](failed.Unwrap())
	if err != nil {
		return err
	}
	root, err := failure[*temporal.ApplicationError](broken.Unwrap())
	if err != nil {
		return err
	}
	return equal([]string{broken.Message(), root.Message()}, []string{"broken at attempt 2", "the root of it"})
}

func upsertMemo(ctx context.Context, p place) error {
	options := p.options()
	options.Memo = map[string]any{"gone": "soon forgotten", "kept": "from the start"}
	run, err := p.client.ExecuteWorkflow(ctx, options, "remember", "from the workflow")
	if err != nil {
		return err
	}
	if err := run.Get(ctx, nil); err != nil {
		return err
	}
	seen, err := p.client.DescribeWorkflowExecution(ctx, p.id, "")
	if err != nil {
		return err
	}
	read := map[string]string{}
	for key, payload := range seen.WorkflowExecutionInfo.Memo.GetFields() {
		var text *string
		if err := p.converter.FromPayload(payload, &text); err != nil {
			return err
		}
		// Behind a codec the server cannot know that an entry is to be deleted: its value is nil then.
		if text != nil {
			read[key] = *text
		}
	}
	return equal(read, map[string]string{"kept": "from the start", "note": "from the workflow"})
}

func userMetadata(ctx context.Context, p place) error {
	options := p.options()
	options.StaticSummary, options.StaticDetails = "a summary", "all the details"
	run, err := p.client.ExecuteWorkflow(ctx, options, "explained", "you")
	if err != nil {
		return err
	}
	if err := result(ctx, run, "Hello, you"); err != nil {
		return err
	}
	seen, err := p.client.DescribeWorkflow(ctx, p.id, "")
	if err != nil {
		return err
	}
	summary, err := seen.GetStaticSummary()
	if err != nil {
		return err
	}
	details, err := seen.GetStaticDetails()
	if err != nil {
		return err
	}
	return equal([]string{summary, details}, []string{"a summary", "all the details"})
}

// They are found by equality, seen by the workflow, replaced by it, and found again by their new values.
func searchAttributes(ctx context.Context, p place) error {
	options := p.options()
	options.TypedSearchAttributes = temporal.NewSearchAttributes(
		customerKey.ValueSet("first customer"),
		labelsKey.ValueSet([]string{"red", "green label"}),
		amountKey.ValueSet(7))
	run, err := p.client.ExecuteWorkflow(ctx, options, "relabel", "second customer", []string{"blue"})
	if err != nil {
		return err
	}
	for _, filter := range []string{
		"Customer = 'second customer'",
		"Customer IN ('third customer', 'second customer')",
		"Customer != 'first customer'",
		"Labels = 'blue' AND Amount = 7",
		"Labels IN ('green label', 'blue')",
	} {
		err := until(ctx, func() (bool, error) {
			counted, err := p.count(ctx, filter)
			return counted == 1, err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", filter, err)
		}
	}
	for _, filter := range []string{"Customer = 'first customer'", "Labels = 'red'", "Customer IS NULL"} {
		counted, err := p.count(ctx, filter)
		if err != nil {
			return err
		}
		if err := equal(counted, int64(0)); err != nil {
			return fmt.Errorf("%s: %w", filter, err)
		}
	}
	seen, err := p.client.DescribeWorkflow(ctx, p.id, "")
	if err != nil {
		return err
	}
	customer, _ := seen.TypedSearchAttributes.GetKeyword(customerKey)
	labels, _ := seen.TypedSearchAttributes.GetKeywordList(labelsKey)
	amount, _ := seen.TypedSearchAttributes.GetInt64(amountKey)
	if err := equal([]any{customer, labels, amount}, []any{"second customer", []string{"blue"}, int64(7)}); err != nil {
		return err
	}
	if err := p.client.SignalWorkflow(ctx, p.id, "", "close", nil); err != nil {
		return err
	}
	return result(ctx, run, "first customer")
}

func (p place) count(ctx context.Context, filter string) (int64, error) {
	query := fmt.Sprintf("WorkflowId = '%s' AND %s", p.id, filter)
	counted, err := p.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	return counted.GetCount(), err
}

// batch sends a signal, with something in it, to whatever a filter finds.
func batch(ctx context.Context, p place) error {
	var runs []client.WorkflowRun
	var quoted []string
	for _, which := range []string{"-one", "-two"} {
		one := p
		one.id += which
		run, err := one.start(ctx, "mailbox")
		if err != nil {
			return err
		}
		runs = append(runs, run)
		quoted = append(quoted, "'"+one.id+"'")
	}
	query := fmt.Sprintf("WorkflowType = 'mailbox' AND WorkflowId IN (%s)", strings.Join(quoted, ", "))
	err := until(ctx, func() (bool, error) {
		counted, err := p.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
		return counted.GetCount() == 2, err
	})
	if err != nil {
		return err
	}
	input, err := p.converter.ToPayloads("to everybody")
	if err != nil {
		return err
	}
	service := p.client.WorkflowService()
	_, err = service.StartBatchOperation(ctx, &workflowservice.StartBatchOperationRequest{
		Namespace: p.namespace, JobId: p.id, Reason: "all of them", VisibilityQuery: query,
		Operation: &workflowservice.StartBatchOperationRequest_SignalOperation{
			SignalOperation: &batchpb.BatchOperationSignal{Signal: "put", Input: input, Identity: "features"},
		},
	})
	if err != nil {
		return err
	}
	err = until(ctx, func() (bool, error) {
		seen, err := service.DescribeBatchOperation(ctx, &workflowservice.DescribeBatchOperationRequest{
			Namespace: p.namespace, JobId: p.id,
		})
		return seen.GetCompleteOperationCount() == 2, err
	})
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := p.finish(ctx, run, "to everybody"); err != nil {
			return err
		}
	}
	return nil
}

// reset lets a workflow that has ended go on from its first task, with the signals that it got after it.
func reset(ctx context.Context, p place) error {
	run, err := p.start(ctx, "mailbox")
	if err != nil {
		return err
	}
	if _, err := p.client.QueryWorkflow(ctx, p.id, "", "texts"); err != nil {
		return err
	}
	if err := p.client.SignalWorkflow(ctx, p.id, "", "put", "kept through a reset"); err != nil {
		return err
	}
	if err := p.finish(ctx, run, "kept through a reset"); err != nil {
		return err
	}
	events, err := p.events(ctx)
	if err != nil {
		return err
	}
	for _, event := range events {
		if event.GetWorkflowTaskCompletedEventAttributes() == nil {
			continue
		}
		answer, err := p.client.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
			Namespace:                 p.namespace,
			WorkflowExecution:         &commonpb.WorkflowExecution{WorkflowId: p.id, RunId: run.GetRunID()},
			Reason:                    "once more",
			RequestId:                 p.id,
			WorkflowTaskFinishEventId: event.EventId,
		})
		if err != nil {
			return err
		}
		again := p.client.GetWorkflow(ctx, p.id, answer.RunId)
		return result(ctx, again, []string{"kept through a reset"})
	}
	return errors.New("no workflow task was completed")
}

// workerVersioning has a pinned workflow run on the version that was made current, whose metadata can be read back.
func workerVersioning(ctx context.Context, p place) error {
	version := worker.WorkerDeploymentVersion{DeploymentName: p.id, BuildID: "build-1"}
	versioned, _, _ := newWorker(p.client, p.id, worker.DeploymentOptions{
		UseVersioning: true, Version: version, DefaultVersioningBehavior: workflow.VersioningBehaviorPinned,
	})
	if err := versioned.Start(); err != nil {
		return err
	}
	defer versioned.Stop()
	deployment := p.client.WorkerDeploymentClient().GetHandle(p.id)
	// The server knows a version when its Worker has polled, and says no until then.
	var last error
	err := until(ctx, func() (bool, error) {
		current := client.WorkerDeploymentSetCurrentVersionOptions{BuildID: version.BuildID, Identity: "features"}
		_, last = deployment.SetCurrentVersion(ctx, current)
		return last == nil, nil
	})
	if err != nil {
		return errors.Join(err, last)
	}
	options := p.options()
	options.TaskQueue = p.id
	run, err := p.client.ExecuteWorkflow(ctx, options, "greeting", "version")
	if err != nil {
		return err
	}
	if err := result(ctx, run, "Hello, version"); err != nil {
		return err
	}
	seen, err := p.client.DescribeWorkflowExecution(ctx, p.id, "")
	if err != nil {
		return err
	}
	ran := seen.WorkflowExecutionInfo.VersioningInfo.GetDeploymentVersion().GetBuildId()
	if err := equal(ran, version.BuildID); err != nil {
		return err
	}
	_, err = deployment.UpdateVersionMetadata(ctx, client.WorkerDeploymentUpdateVersionMetadataOptions{
		Version:        version,
		MetadataUpdate: client.WorkerDeploymentMetadataUpdate{UpsertEntries: map[string]any{"note": "about this build"}},
	})
	if err != nil {
		return err
	}
	described, err := deployment.DescribeVersion(ctx, client.WorkerDeploymentDescribeVersionOptions{BuildID: version.BuildID})
	if err != nil {
		return err
	}
	var note string
	if err := p.converter.FromPayload(described.Info.Metadata["note"], &note); err != nil {
		return err
	}
	return equal(note, "about this build")
}

// chosenFeatures gives names in an order that is the same each time.
func chosenFeatures(all bool) []string {
	names := []string{}
	for name := range features {
		names = append(names, name)
	}
	for name := range moreFeatures {
		if all {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
