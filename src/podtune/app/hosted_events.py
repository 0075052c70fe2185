"""What an application of the hosted fine-tuning API is told of an outcome: the event its SDK unwraps.

Signed and sent as every callback is (`callbacks`, `workflow/courier.py`): the SDK's `webhooks.unwrap` asks for the same
three headers. Source: the SDK's `FineTuningJobSucceededWebhookEvent` and its two sisters (openai 3.54.0), read on
2026-11-23.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from podtune.core.job import Job
from podtune.core.states import Outcome
from podtune.workflow import holds
from podtune.workflow.holds import Hold
from podtune.workflow.store import JobStore

KIND: Final = "openai"
"""Of submissions that came by the hosted API."""

HoldOf = Callable[[str], Hold | None]
"""By which face a job came, and whether it is paused."""


class EventData(BaseModel):
    """Whose event it is."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The job's."""


class HostedEvent(BaseModel):
    """The body of a webhook."""

    model_config = ConfigDict(frozen=True)

    id: str
    """The same for every try, and for nothing else."""
    object: Literal["event"] = "event"
    type: Literal[
        "fine_tuning.job.succeeded", "fine_tuning.job.failed", "fine_tuning.job.cancelled"
    ]
    created_at: int
    """When the outcome was settled; seconds since 1970."""
    data: EventData


def holds_of(store: JobStore) -> HoldOf:
    """The question, asked of a job store."""

    def ask(job_id: str) -> Hold | None:
        with store.reading() as connection:
            return holds.find(connection, job_id)

    return ask


def is_silent(job: Job, hold: Hold | None) -> bool:
    """Whether nobody is told: a job that its owner paused has not ended for them."""
    return hold is not None and hold.paused and job.outcome is Outcome.CANCELLED


def event_of(job: Job, message_id: str, now: datetime) -> HostedEvent:
    """The event of a job whose outcome is settled.

    Args:
        job: With its outcome.
        message_id: Of the message that brings it.
        now: That moment.
    """
    return event_about(job.id, job.outcome or Outcome.FAILED, message_id, now)


def event_about(job_id: str, outcome: Outcome, message_id: str, now: datetime) -> HostedEvent:
    """The same of whatever has this id, a job or what never became one."""
    words = {Outcome.COMPLETED: "succeeded", Outcome.CANCELLED: "cancelled"}
    word = words.get(outcome, "failed")
    return HostedEvent.model_validate(
        {
            "id": f"evt_{message_id.replace(':', '_')}",
            "type": f"fine_tuning.job.{word}",
            "created_at": int(now.timestamp()),
            "data": {"id": job_id},
        }
    )
