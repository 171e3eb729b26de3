"""The activities, and what they noted in this process for the features to look at."""

import asyncio
from collections.abc import Callable
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

tidied: set[str] = set()
"""Workflow ids whose cleanup ran."""
stopped: set[str] = set()
"""Workflow ids whose heartbeating activity saw its cancellation."""


@activity.defn
async def greet(name: str) -> str:
    return f"Hello, {name}"


@activity.defn
async def tidy(workflow_id: str) -> None:
    tidied.add(workflow_id)


@activity.defn(name="breakTwice")
async def break_twice() -> str:
    """Fails in a way that is retried, then in a way that is not; both with a cause."""
    attempt = activity.info().attempt
    raise ApplicationError(
        f"broken at attempt {attempt}",
        {"attempt": attempt},
        type="Broken",
        non_retryable=attempt > 1,
    ) from RuntimeError("the root of it")


@activity.defn
async def beat(workflow_id: str) -> None:
    """Beats until it is cancelled."""
    count = 0
    try:
        while True:
            count += 1
            activity.heartbeat({"count": count})
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        stopped.add(workflow_id)
        raise


all_activities: list[Callable[..., Any]] = [greet, tidy, break_twice, beat]
