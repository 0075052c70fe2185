"""How a job ends that its own program does not end: words for the application, and the failed object."""

from collections.abc import Mapping
from typing import Any

import serverless_advice
from podtune.core.errors import ConflictError
from podtune.core.events import WorkerResult


def superseded() -> ConflictError:
    """The error for an attempt that a later one has replaced."""
    return ConflictError(
        "a later attempt of this job was submitted, and only that one goes on",
        code="superseded",
        hint="ask for the status of the later attempt",
    )


def still_running() -> WorkerResult:
    """Another worker holds the job for longer than was waited."""
    return WorkerResult(
        ok=False,
        error_code="still_running",
        error_message="another worker holds this job and has not finished it in its time",
        advice="wait for it, or raise max_hours",
    )


def interrupted() -> WorkerResult:
    """The worker has to go, and nothing of the job is kept."""
    return WorkerResult(
        ok=False,
        error_code="interrupted",
        error_message="the worker was asked to end before the training did",
    )


def without_a_word(code: int) -> WorkerResult:
    """The job's program left no outcome.

    Args:
        code: Its exit code; negative: the signal.
    """
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return WorkerResult(
        ok=False,
        error_code="worker_lost",
        error_message=f"the job's program ended without a word ({how})",
    )


def failed(body: Mapping[str, Any]) -> dict[str, Any]:
    """A failed status object with the SDK's `error`: the platform then shows the job as FAILED."""
    words = WorkerResult(
        ok=False,
        error_code=str(body["error_code"]),
        error_message=str(body["error_message"]),
        advice=body["advice"],
    )
    return {**body, "error": serverless_advice.line(words)}
