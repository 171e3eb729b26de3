"""Standard output is the report: one JSON object a line. Everything else goes to standard error."""

import json
import os

from temporalio.service import RPCError


# The SDK's core writes its warnings to descriptor 1: that becomes standard error, and the report keeps a copy.
lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def report(**line: object) -> None:
    lines.write(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n")
    lines.flush()


def describe_error(error: BaseException | None) -> str:
    """One line for a whole chain of causes, with the gRPC status where one of them carries it."""
    parts: list[str] = []
    while error is not None and len(parts) < 6:
        code = f" (grpc {error.status.value})" if isinstance(error, RPCError) else ""
        parts.append(f"{type(error).__name__}: {error}{code}")
        error = error.__cause__
    return " <- ".join(parts)
