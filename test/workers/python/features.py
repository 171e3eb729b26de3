"""The features, each a function that raises when something is not as the SDK promises."""

from datetime import timedelta

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowUpdateFailedError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    TerminatedError,
)
from temporalio.service import RPCError, RPCStatusCode

import activities
from place import Place, equal, failure, finish, until
from workflows import (
    Cleanup,
    Countdown,
    Echo,
    Greeting,
    Heart,
    LocalGreeting,
    Mailbox,
    Nap,
    Parent,
    Stubborn,
)


async def workflow(p: Place) -> None:
    equal(await p.client.execute_workflow(Echo.run, "héllo", **p.options), "héllo")


async def activity(p: Place) -> None:
    answer = await p.client.execute_workflow(Greeting.run, "gate", **p.options)
    equal(answer, "Hello, gate")


async def local_activity(p: Place) -> None:
    answer = await p.client.execute_workflow(LocalGreeting.run, "gate", **p.options)
    equal(answer, "Hello, gate")


async def timer(p: Place) -> None:
    assert await p.client.execute_workflow(Nap.run, **p.options) >= 1000


async def signal(p: Place) -> None:
    handle = await p.client.start_workflow(Mailbox.run, **p.options)
    await handle.signal(Mailbox.put, "first")
    await handle.signal(Mailbox.put, "second")
    equal(await finish(handle), ["first", "second"])


async def query(p: Place) -> None:
    handle = await p.client.start_workflow(Mailbox.run, **p.options)
    await handle.signal(Mailbox.put, "asked for")
    equal(await handle.query(Mailbox.texts), ["asked for"])
    await finish(handle)


async def update(p: Place) -> None:
    handle = await p.client.start_workflow(Mailbox.run, **p.options)
    equal(await handle.execute_update(Mailbox.add, "one"), 1)
    equal(await finish(handle), ["one"])


async def update_rejected(p: Place) -> None:
    handle = await p.client.start_workflow(Mailbox.run, **p.options)
    attempt = handle.execute_update(Mailbox.add, "")
    error = await failure(attempt, WorkflowUpdateFailedError)
    assert isinstance(error.cause, ApplicationError)
    equal(error.cause.message, "an empty text is not kept")
    equal(await finish(handle), [])


async def update_with_start(p: Place) -> None:
    start = WithStartWorkflowOperation(
        Mailbox.run,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        **p.options,
    )
    kept = await p.client.execute_update_with_start_workflow(
        Mailbox.add, "at once", start_workflow_operation=start
    )
    equal(kept, 1)
    equal(await finish(await start.workflow_handle()), ["at once"])


async def child_workflow(p: Place) -> None:
    answer = await p.client.execute_workflow(Parent.run, "to the child", **p.options)
    equal(answer, "to the child")


async def schedule(p: Place) -> None:
    handle = await p.client.create_schedule(
        p.id,
        Schedule(
            action=ScheduleActionStartWorkflow(
                Echo.run, "on time", id=f"{p.id}-run", task_queue=p.prefix
            ),
            spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(timedelta(hours=1))]),
        ),
    )
    await handle.trigger()

    async def first_run():
        return next(iter((await handle.describe()).info.recent_actions), None)

    run = (await until(first_run)).action.workflow_id
    equal(await p.client.get_workflow_handle(run).result(), "on time")
    await handle.delete()
    equal((await failure(handle.describe(), RPCError)).status, RPCStatusCode.NOT_FOUND)


async def cancellation(p: Place) -> None:
    handle = await p.client.start_workflow(Cleanup.run, **p.options)

    async def asleep() -> bool:
        events = (await handle.fetch_history()).events
        return any(it.HasField("timer_started_event_attributes") for it in events)

    await until(asleep)
    await handle.cancel()
    error = await failure(handle.result(), WorkflowFailureError)
    assert isinstance(error.cause, CancelledError)
    assert p.id in activities.tidied, "the cleanup did not run"


async def activity_failure(p: Place) -> None:
    """The activity is tried again once, then fails for good; the caller sees the whole chain."""
    attempt = p.client.execute_workflow(Stubborn.run, **p.options)
    error = await failure(attempt, WorkflowFailureError)
    assert isinstance(error.cause, ActivityError)
    cause = error.cause.cause
    assert isinstance(cause, ApplicationError)
    equal(
        (cause.message, cause.type, cause.non_retryable, list(cause.details)),
        ("broken at attempt 2", "Broken", True, [{"attempt": 2}]),
    )
    assert isinstance(cause.cause, ApplicationError)
    equal(cause.cause.message, "the root of it")


async def heartbeat(p: Place) -> None:
    handle = await p.client.start_workflow(Heart.run, **p.options)

    async def beaten():
        pending = (await handle.describe()).raw_description.pending_activities
        return pending and pending[0].heartbeat_details.payloads

    [details] = await p.client.data_converter.decode(await until(beaten))
    assert details["count"] > 0
    await handle.cancel()
    error = await failure(handle.result(), WorkflowFailureError)
    assert isinstance(error.cause, (ActivityError, CancelledError))
    assert p.id in activities.stopped, "the activity was not told"


async def memo(p: Place) -> None:
    note = {"note": {"text": "remember", "number": 7}}
    handle = await p.client.start_workflow(Echo.run, "", memo=note, **p.options)
    equal(dict(await (await handle.describe()).memo()), note)
    await handle.result()


async def continue_as_new(p: Place) -> None:
    handle = await p.client.start_workflow(Countdown.run, args=[3, 0], **p.options)
    equal(await handle.result(), 4)
    last = await p.client.get_workflow_handle(p.id).describe()
    assert last.run_id != handle.first_execution_run_id


async def visibility(p: Place) -> None:
    handle = await p.client.start_workflow(Mailbox.run, **p.options)
    filter = f"WorkflowId = '{p.id}'"

    async def counted() -> bool:
        return (await p.client.count_workflows(filter)).count == 1

    async def listed():
        return [it async for it in p.client.list_workflows(filter)]

    await until(counted)
    [found] = await until(listed)
    equal(
        (found.id, found.workflow_type, found.status),
        (p.id, "mailbox", WorkflowExecutionStatus.RUNNING),
    )
    await finish(handle)


async def terminate(p: Place) -> None:
    handle = await p.client.start_workflow(Mailbox.run, **p.options)
    # Once it has begun.
    equal(await handle.query(Mailbox.texts), [])
    await handle.terminate(reason="enough")
    error = await failure(handle.result(), WorkflowFailureError)
    assert isinstance(error.cause, TerminatedError)


async def signal_with_start(p: Place) -> None:
    handle = await p.client.start_workflow(
        Mailbox.run, start_signal="put", start_signal_args=["at once"], **p.options
    )
    equal(await finish(handle), ["at once"])


async def describe(p: Place) -> None:
    handle = await p.client.start_workflow(Mailbox.run, **p.options)
    seen = await handle.describe()
    equal(
        (seen.workflow_type, seen.task_queue, seen.status),
        ("mailbox", p.prefix, WorkflowExecutionStatus.RUNNING),
    )
    await finish(handle)
    equal((await handle.describe()).status, WorkflowExecutionStatus.COMPLETED)


async def history(p: Place) -> None:
    handle = await p.client.start_workflow(Greeting.run, "past", **p.options)
    await handle.result()
    events = (await handle.fetch_history()).events
    started = events[0].workflow_execution_started_event_attributes.input
    completed = events[-1].workflow_execution_completed_event_attributes.result
    decode = p.client.data_converter.decode
    equal(await decode(started.payloads), ["past"])
    equal(await decode(completed.payloads), ["Hello, past"])


all_features = [
    workflow,
    activity,
    local_activity,
    timer,
    signal,
    query,
    update,
    update_rejected,
    update_with_start,
    child_workflow,
    schedule,
    cancellation,
    activity_failure,
    heartbeat,
    memo,
    continue_as_new,
    visibility,
    terminate,
    signal_with_start,
    describe,
    history,
]
