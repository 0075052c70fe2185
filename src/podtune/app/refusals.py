"""What was refused before it became a job: its status, and what its application is told.

A refusal that the caller gets as the answer to its submit needs no callback. One that comes later is told like any
outcome: the same form, the same id, from the same outbox. Knows nothing of how something is prepared.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast

from podtune.app import hosted_events
from podtune.app.hosted_events import HostedEvent
from podtune.core.errors import PodtuneError
from podtune.core.events import WorkerResult
from podtune.core.redact import scrub
from podtune.core.spec import CALLBACK
from podtune.core.states import JobPhase, Outcome
from podtune.core.wire import Progress, Standing, TrainingStatus, callback_about, told
from podtune.workflow.outbox import Message
from podtune.workflow.submissions import Submission

CANCELLED: Final = "cancelled"
"""The code of what was cancelled before it began."""


def status(submission_id: str, error: PodtuneError, ceiling_usd: float | None) -> TrainingStatus:
    """The status object of something that was refused."""
    result = WorkerResult(
        ok=False, error_code=error.code, error_message=error.message, advice=error.hint
    )
    found = told(
        Standing(submission_id, JobPhase.DONE, outcome=outcome_of(error), error=result), Progress()
    )
    return found.model_copy(update={"ceiling_usd": ceiling_usd})


def outcome_of(error: PodtuneError) -> Outcome:
    """How it counts as ended."""
    return Outcome.CANCELLED if error.code == CANCELLED else Outcome.FAILED


def message(row: Submission, error: PodtuneError, now: datetime) -> Message | None:
    """The message about a refusal; None where nobody asked for one.

    Args:
        row: As it stood while it was prepared: its body says where the message goes.
        error: Why it was refused.
        now: That moment.
    """
    url = _url_of(row)
    if url is None:
        return None
    number, outcome = f"{row.id}:terminal", outcome_of(error)
    if row.kind == hosted_events.KIND:
        event: HostedEvent = hosted_events.event_about(row.id, outcome, number, now)
        return Message(number, url, event.model_dump_json())
    ceiling = None if row.ceiling_usd is None else float(row.ceiling_usd)
    found = status(row.id, error, ceiling)
    words = {name: getattr(found, name) for name in ("error_message", "advice")}
    found = found.model_copy(update={name: scrub(text) for name, text in words.items() if text})
    body = callback_about(row.id, outcome, found, now)
    return Message(number, url, body.model_dump_json())


def _url_of(row: Submission) -> str | None:
    """Where the application wants to be told; None where it did not say, or what it said cannot be read."""
    try:
        body: object = json.loads(row.body or "{}")
        request = cast("Mapping[str, Mapping[str, Mapping[str, object]]]", body)["request"]
        url = request["stated"].get(CALLBACK)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return url if isinstance(url, str) else None
