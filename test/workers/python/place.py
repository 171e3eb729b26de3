"""What a feature gets to work with."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from workflows import Mailbox

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)


@dataclass(frozen=True)
class Place:
    client: Client
    prefix: str
    """The task queue, and the beginning of every workflow id."""
    feature: str
    start_versioned: Callable[[str, str], Worker]
    """A Worker of this version on the task queue of the same name, to be entered."""

    @property
    def id(self) -> str:
        return f"{self.prefix}-{self.feature}"

    @property
    def options(self) -> dict[str, Any]:
        return {"id": self.id, "task_queue": self.prefix}


async def until(ask: Callable[[], Awaitable[T | None]]) -> T:
    """Asks again until the answer is true: for what the server shows a moment later. The feature's own
    timeout ends a wait in vain."""
    while True:
        answer = await ask()
        if answer:
            return answer
        await asyncio.sleep(0.1)


async def failure(awaitable: Awaitable[object], kind: type[E]) -> E:
    """The error that it must end with."""
    try:
        await awaitable
    except kind as error:
        return error
    raise AssertionError(f"ended well, not with {kind.__name__}")


async def finish(handle: WorkflowHandle[Any, Any]) -> Any:
    await handle.signal(Mailbox.close)
    return await handle.result()


def equal(actual: object, expected: object) -> None:
    if actual != expected:
        raise AssertionError(f"got {actual!r}, expected {expected!r}")
