"""Features that need something of their namespace: search attributes, and the server's own workflows.
FEATURES=all."""

import uuid

from temporalio.api.batch.v1 import BatchOperationSignal
from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.workflowservice.v1 import (
    DescribeBatchOperationRequest,
    DescribeWorkerDeploymentVersionRequest,
    ResetWorkflowExecutionRequest,
    SetWorkerDeploymentCurrentVersionRequest,
    StartBatchOperationRequest,
    UpdateWorkerDeploymentVersionMetadataRequest,
)
from temporalio.client import WorkflowFailureError
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ActivityError, ApplicationError, ChildWorkflowError
from temporalio.service import RPCError

from place import Place, equal, failure, finish, until
from search_attributes import AMOUNT, CUSTOMER, LABELS
from workflows import BrokenParent, Explained, Greeting, Mailbox, Relabel, Remember


async def child_failure(p: Place) -> None:
    attempt = p.client.execute_workflow(BrokenParent.run, **p.options)
    error = await failure(attempt, WorkflowFailureError)
    assert isinstance(error.cause, ChildWorkflowError)
    assert isinstance(error.cause.cause, ActivityError)
    broken = error.cause.cause.cause
    assert isinstance(broken, ApplicationError)
    equal(
        (broken.message, list(broken.details)),
        ("broken at attempt 2", [{"attempt": 2}]),
    )
    assert isinstance(broken.cause, ApplicationError)
    equal(broken.cause.message, "the root of it")


async def upsert_memo(p: Place) -> None:
    memo = {"gone": "soon forgotten", "kept": "from the start"}
    handle = await p.client.start_workflow(
        Remember.run, "from the workflow", memo=memo, **p.options
    )
    await handle.result()
    seen = await (await handle.describe()).memo()
    # Behind a codec the server cannot know that an entry is to be deleted: its value is null then.
    equal(
        {key: value for key, value in seen.items() if value is not None},
        {"kept": "from the start", "note": "from the workflow"},
    )


async def user_metadata(p: Place) -> None:
    handle = await p.client.start_workflow(
        Explained.run,
        "you",
        static_summary="a summary",
        static_details="all the details",
        **p.options,
    )
    equal(await handle.result(), "Hello, you")
    seen = await handle.describe()
    equal(await seen.static_summary(), "a summary")
    equal(await seen.static_details(), "all the details")


async def search_attributes(p: Place) -> None:
    """They are found by equality, seen by the Workflow, replaced by it, and found again by their new values."""
    given = TypedSearchAttributes(
        [
            SearchAttributePair(CUSTOMER, "first customer"),
            SearchAttributePair(LABELS, ["red", "green label"]),
            SearchAttributePair(AMOUNT, 7),
        ]
    )
    handle = await p.client.start_workflow(
        Relabel.run,
        args=["second customer", ["blue"]],
        search_attributes=given,
        **p.options,
    )

    async def count(filter: str) -> int:
        return (
            await p.client.count_workflows(f"WorkflowId = '{p.id}' AND {filter}")
        ).count

    for filter in (
        "Customer = 'second customer'",
        "Customer IN ('third customer', 'second customer')",
        "Customer != 'first customer'",
        "Labels = 'blue' AND Amount = 7",
        "Labels IN ('green label', 'blue')",
    ):

        async def found() -> bool:
            return await count(filter) == 1

        await until(found)
    for filter in (
        "Customer = 'first customer'",
        "Labels = 'red'",
        "Customer IS NULL",
    ):
        equal(await count(filter), 0)
    query = f"Labels = 'blue' AND WorkflowId = '{p.id}'"
    listed = [it async for it in p.client.list_workflows(query)]
    for seen in (listed[0], await handle.describe()):
        values = seen.typed_search_attributes
        equal(
            (values.get(CUSTOMER), values.get(LABELS), values.get(AMOUNT)),
            ("second customer", ["blue"], 7),
        )
    await handle.signal(Relabel.close)
    equal(await handle.result(), "first customer")


async def batch(p: Place) -> None:
    """Sends a signal, with something in it, to whatever a filter finds."""
    ids = [f"{p.id}-one", f"{p.id}-two"]
    handles = [
        await p.client.start_workflow(Mailbox.run, id=id, task_queue=p.prefix)
        for id in ids
    ]
    quoted = ", ".join(f"'{id}'" for id in ids)
    query = f"WorkflowType = 'mailbox' AND WorkflowId IN ({quoted})"

    async def listed() -> bool:
        return (await p.client.count_workflows(query)).count == 2

    await until(listed)
    service, namespace = p.client.workflow_service, p.client.namespace
    payloads = await p.client.data_converter.encode(["to everybody"])
    await service.start_batch_operation(
        StartBatchOperationRequest(
            namespace=namespace,
            job_id=p.id,
            reason="all of them",
            visibility_query=query,
            signal_operation=BatchOperationSignal(
                signal="put", input=Payloads(payloads=payloads), identity="features"
            ),
        )
    )

    async def done() -> bool:
        asked = DescribeBatchOperationRequest(namespace=namespace, job_id=p.id)
        return (
            await service.describe_batch_operation(asked)
        ).complete_operation_count == 2

    await until(done)
    for handle in handles:
        equal(await finish(handle), ["to everybody"])


async def reset(p: Place) -> None:
    """A Workflow that has ended goes on from its first task, with the signals that it got after it."""
    handle = await p.client.start_workflow(Mailbox.run, **p.options)
    equal(await handle.query(Mailbox.texts), [])
    await handle.signal(Mailbox.put, "kept through a reset")
    await finish(handle)
    events = (await handle.fetch_history()).events
    first = next(
        it for it in events if it.HasField("workflow_task_completed_event_attributes")
    )
    answer = await p.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=p.client.namespace,
            workflow_execution=WorkflowExecution(
                workflow_id=p.id, run_id=handle.first_execution_run_id or ""
            ),
            reason="once more",
            request_id=str(uuid.uuid4()),
            workflow_task_finish_event_id=first.event_id,
        )
    )
    again = p.client.get_workflow_handle(p.id, run_id=answer.run_id)
    equal(await again.result(), ["kept through a reset"])


async def worker_versioning(p: Place) -> None:
    """A pinned Workflow runs on the version that was made current, whose metadata can be read back."""
    version = WorkerDeploymentVersion(deployment_name=p.id, build_id="build-1")
    service, namespace = p.client.workflow_service, p.client.namespace

    async def make_current() -> bool:
        """The server knows a version when its Worker has polled, and says no until then."""
        try:
            await service.set_worker_deployment_current_version(
                SetWorkerDeploymentCurrentVersionRequest(
                    namespace=namespace,
                    deployment_name=version.deployment_name,
                    build_id=version.build_id,
                    identity="features",
                )
            )
            return True
        except RPCError:
            return False

    async with p.start_versioned(version.deployment_name, version.build_id):
        await until(make_current)
        handle = await p.client.start_workflow(
            Greeting.run, "version", id=p.id, task_queue=version.deployment_name
        )
        equal(await handle.result(), "Hello, version")
        info = (await handle.describe()).raw_info
        equal(info.versioning_info.deployment_version.build_id, version.build_id)
        [note] = await p.client.data_converter.encode(["about this build"])
        await service.update_worker_deployment_version_metadata(
            UpdateWorkerDeploymentVersionMetadataRequest(
                namespace=namespace,
                deployment_version=version,
                identity="features",
                upsert_entries={"note": note},
            )
        )
        seen = await service.describe_worker_deployment_version(
            DescribeWorkerDeploymentVersionRequest(
                namespace=namespace, deployment_version=version
            )
        )
        read = seen.worker_deployment_version_info.metadata.entries["note"]
        equal(await p.client.data_converter.decode([read]), ["about this build"])


more_features = [
    child_failure,
    upsert_memo,
    user_metadata,
    search_attributes,
    batch,
    reset,
    worker_versioning,
]
