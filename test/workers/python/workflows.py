"""The workflows every program of this folder has, by the same names: a starter of one language may use
another language's Worker."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    import activities
    from search_attributes import CUSTOMER, LABELS

ten_seconds = timedelta(seconds=10)
quick_retry = RetryPolicy(
    initial_interval=timedelta(milliseconds=100),
    backoff_coefficient=1,
    maximum_attempts=3,
)


@workflow.defn(name="echo")
class Echo:
    @workflow.run
    async def run(self, text: str) -> str:
        return text


@workflow.defn(name="greeting")
class Greeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(
            activities.greet, name, start_to_close_timeout=ten_seconds
        )


@workflow.defn(name="localGreeting")
class LocalGreeting:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_local_activity(
            activities.greet, name, start_to_close_timeout=ten_seconds
        )


@workflow.defn(name="nap")
class Nap:
    """Milliseconds that the timer took by the workflow's own clock."""

    @workflow.run
    async def run(self) -> int:
        before = workflow.now()
        await asyncio.sleep(1)
        return round((workflow.now() - before) / timedelta(milliseconds=1))


@workflow.defn(name="mailbox")
class Mailbox:
    """Collects texts by signal and by update until it is closed."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.open = True

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: not self.open)
        return self.kept

    @workflow.signal
    def put(self, text: str) -> None:
        self.kept.append(text)

    @workflow.signal
    def close(self) -> None:
        self.open = False

    @workflow.query
    def texts(self) -> list[str]:
        return self.kept

    @workflow.update
    def add(self, text: str) -> int:
        self.kept.append(text)
        return len(self.kept)

    @add.validator
    def refuse_empty(self, text: str) -> None:
        if text == "":
            raise ValueError("an empty text is not kept")


@workflow.defn(name="parent")
class Parent:
    @workflow.run
    async def run(self, text: str) -> str:
        child = f"{workflow.info().workflow_id}-child"
        return await workflow.execute_child_workflow(Echo.run, text, id=child)


@workflow.defn(name="cleanup")
class Cleanup:
    """Waits for its cancellation and cleans up by an activity that the cancellation must not reach."""

    @workflow.run
    async def run(self) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await workflow.execute_activity(
                activities.tidy,
                workflow.info().workflow_id,
                start_to_close_timeout=ten_seconds,
            )
            raise


@workflow.defn(name="stubborn")
class Stubborn:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(
            activities.break_twice,
            start_to_close_timeout=ten_seconds,
            retry_policy=quick_retry,
        )


@workflow.defn(name="heart")
class Heart:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            activities.beat,
            workflow.info().workflow_id,
            start_to_close_timeout=timedelta(seconds=30),
            heartbeat_timeout=timedelta(seconds=5),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


@workflow.defn(name="countdown")
class Countdown:
    """Starts itself anew until nothing is left; answers with the number of runs."""

    @workflow.run
    async def run(self, left: int, runs: int) -> int:
        if left > 0:
            workflow.continue_as_new(args=[left - 1, runs + 1])
        return runs + 1


@workflow.defn(name="brokenParent")
class BrokenParent:
    """Fails by its child's activity."""

    @workflow.run
    async def run(self) -> str:
        child = f"{workflow.info().workflow_id}-child"
        return await workflow.execute_child_workflow(Stubborn.run, id=child)


@workflow.defn(name="remember")
class Remember:
    """Deletes one entry of its memo and adds another."""

    @workflow.run
    async def run(self, text: str) -> None:
        workflow.upsert_memo({"note": text, "gone": None})


@workflow.defn(name="relabel")
class Relabel:
    """Replaces its search attributes; answers with the customer that it was started for, once it is closed."""

    def __init__(self) -> None:
        self.open = True

    @workflow.run
    async def run(self, customer: str, labels: list[str]) -> str | None:
        before = workflow.info().typed_search_attributes.get(CUSTOMER)
        workflow.upsert_search_attributes(
            [CUSTOMER.value_set(customer), LABELS.value_set(labels)]
        )
        await workflow.wait_condition(lambda: not self.open)
        return before

    @workflow.signal
    def close(self) -> None:
        self.open = False


@workflow.defn(name="explained")
class Explained:
    """A timer and an activity that say what they are for."""

    @workflow.run
    async def run(self, name: str) -> str:
        await workflow.sleep(0.01, summary="a short rest")
        return await workflow.execute_activity(
            activities.greet,
            name,
            start_to_close_timeout=ten_seconds,
            summary="a greeting",
        )


all_workflows = [
    Echo,
    Greeting,
    LocalGreeting,
    Nap,
    Mailbox,
    Parent,
    Cleanup,
    Stubborn,
    Heart,
    Countdown,
    BrokenParent,
    Remember,
    Relabel,
    Explained,
]
