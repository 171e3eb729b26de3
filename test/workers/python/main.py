"""A Worker and its Client in one process. MODE says what it is for: features, worker or starter."""

import asyncio
import os
import signal
import sys
import time
import uuid
from datetime import timedelta
from functools import partial

from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import Worker, WorkerDeploymentConfig

from activities import all_activities
from features import all_features
from more_features import more_features
from place import Place
from report import describe_error, report
from settings import read_settings, required
from workflows import Echo, all_workflows

SDK = "python"
ALL_FEATURES = os.environ.get("FEATURES") == "all"
# A feature that hangs is a failed feature. The further ones wait for the server's own workflows.
FEATURE_TIMEOUT_S = 40 if ALL_FEATURES else 12
# Enough to keep a Worker busy, few enough that one start is not held up by another's deadline.
STARTS_AT_ONCE = 20


async def run() -> bool:
    client = await read_settings().connect()
    mode = os.environ.get("MODE") or "features"
    if mode == "features":
        return await features(client)
    if mode == "worker":
        return await stay(client, required("TASK_QUEUE"))
    if mode == "starter":
        count = int(os.environ.get("COUNT") or "1")
        return await start_many(client, required("TASK_QUEUE"), count)
    raise ValueError(f"MODE is features, worker or starter, not {mode}")


def create_worker(
    client: Client, task_queue: str, deployment: WorkerDeploymentConfig | None = None
) -> Worker:
    return Worker(
        client,
        task_queue=task_queue,
        workflows=all_workflows,
        activities=all_activities,
        max_heartbeat_throttle_interval=timedelta(milliseconds=200),
        graceful_shutdown_timeout=timedelta(seconds=1),
        **({"deployment_config": deployment} if deployment else {}),
    )


def create_versioned(client: Client, deployment_name: str, build_id: str) -> Worker:
    return create_worker(
        client,
        deployment_name,
        WorkerDeploymentConfig(
            version=WorkerDeploymentVersion(deployment_name, build_id),
            use_worker_versioning=True,
            default_versioning_behavior=VersioningBehavior.PINNED,
        ),
    )


async def features(client: Client) -> bool:
    """Runs them all at once, as an application would; one line each. True when all passed."""
    prefix = f"{SDK}-{uuid.uuid4().hex[:8]}"

    async def one(feature) -> bool:
        name = feature.__name__.replace("_", "-")
        started = time.monotonic()
        error = None
        try:
            place = Place(client, prefix, name, partial(create_versioned, client))
            await asyncio.wait_for(feature(place), FEATURE_TIMEOUT_S)
        except Exception as caught:  # whatever it is, the other features go on
            error = describe_error(caught)
        line = {"feature": name, "ok": error is None, "ms": round((time.monotonic() - started) * 1000)}
        report(**line, **({"error": error} if error else {}))
        return error is None

    chosen = all_features + more_features if ALL_FEATURES else all_features
    async with create_worker(client, prefix):
        return all(await asyncio.gather(*map(one, chosen)))


async def stay(client: Client, task_queue: str) -> bool:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # Leaving the block shuts the Worker down; if it dies first, the block ends with its error.
    async with create_worker(client, task_queue):
        report(ready=True)
        await stop.wait()
    return True


async def start_many(client: Client, task_queue: str, count: int) -> bool:
    """Starts `count` echo workflows on another process's task queue and awaits what they answer."""
    prefix = f"starter-{uuid.uuid4().hex[:8]}"
    numbers = iter(range(count))
    completed = 0

    async def lane() -> None:
        nonlocal completed
        for number in numbers:
            id = f"{prefix}-{number}"
            try:
                answer = await client.execute_workflow(Echo.run, id, id=id, task_queue=task_queue)
                if answer != id:
                    raise AssertionError(f"answered {answer}")
                completed += 1
            except Exception as error:  # whatever it is, the other workflows go on
                report(workflow=id, ok=False, error=describe_error(error))

    await asyncio.gather(*(lane() for _ in range(min(STARTS_AT_ONCE, count))))
    report(started=count, completed=completed)
    return completed == count


# The workflow sandbox imports this file again.
if __name__ == "__main__":
    try:
        ok = asyncio.run(run())
        report(done=True, sdk=SDK, ok=ok)
    except Exception as error:  # the last line must be written whatever happens
        ok = False
        report(done=True, sdk=SDK, ok=False, error=describe_error(error))
    # No teardown of the interpreter: the SDK's threads outlive it and crash the process now and then
    # (temporalio/sdk-python#300), after everything is done and reported.
    sys.stderr.flush()
    os._exit(0 if ok else 1)
