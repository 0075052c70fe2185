"""The words of the workflow: what is seen of a job, what is to be done, what is written."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

from podtune.core.artifact import Artifact
from podtune.core.errors import PodtuneError
from podtune.core.events import WorkerResult
from podtune.core.job import Instance, Requote, TerminationProof
from podtune.core.states import JobPhase, Outcome
from podtune.providers.base import InstanceState


class Effect(StrEnum):
    """Something to be done outside the database; each can be repeated without harm."""

    CHECK_DATA = "check_data"
    STAGE = "stage"
    LAUNCH = "launch"
    HAND_OVER = "hand_over"
    PULL = "pull"
    SALVAGE = "salvage"
    FETCH = "fetch"
    VERIFY = "verify"
    RELEASE = "release"
    TERMINATE = "terminate"
    RECEIPT = "receipt"


class Heard(NamedTuple):
    """What a look at a rented machine brought."""

    accepted: bool = False
    """Whether the machine has all it needs to work on this attempt."""
    at: datetime | None = None
    """When a machine last answered or its worker last spoke; None when neither was heard."""
    saved: bool = False
    """Whether what can be saved of a job that leaves has been brought here."""
    searched: bool = False
    """Whether the machine itself gave no answer, and its store was asked and has no outcome either."""
    log_read: bool = False
    """Whether the machine itself gave no answer, and the provider's log of it was read."""
    said: str = ""
    """The newest line of that log, of a machine that said nothing itself yet."""
    starts: int = 0
    """How often its container was started, or failed to, by that log."""
    began: datetime | None = None
    """When a machine took the work out of its queue."""
    requote: Requote | None = None
    """What the job will cost by what was measured on the machine so far."""


class Seen(NamedTuple):
    """What is known of the world at one moment. Results of effects are None until they are in."""

    now: datetime
    since: datetime | None = None
    """Since when this driver watches the attempt."""
    slot_free: bool = True
    """Whether another worker may run now."""
    running: bool | None = None
    """Whether the recorded process runs; None when there is none, or on a rented machine."""
    state: InstanceState | None = None
    """The recorded machine, as its provider's lists say; None when it was not looked for yet."""
    result: WorkerResult | None = None
    """The worker's last word for this attempt."""
    data_checked: bool = False
    staged: bool = False
    launched: Instance | None = None
    heard: Heard = Heard()
    searched: bool = False
    """Whether the store was asked after the machine had ended, and has nothing of this attempt."""
    log_read: bool = False
    """Whether the provider's log was read after the machine had ended."""
    fetched: bool = False
    artifact: Artifact | None = None
    released: bool = False
    proof: TerminationProof | None = None
    receipt_written: bool = False
    spent: Decimal = Decimal(0)
    """Dollars of all attempts so far, by our own meter."""
    hindrance: str | None = None
    """Why the job's place cannot be worked with now (no key, another account); None when it can."""
    error: PodtuneError | None = None
    """How the effect asked for last failed."""


class Patch(NamedTuple):
    """Changes to the row, what to do after they are committed, and a line for the log."""

    changes: Mapping[str, Any] = {}
    effect: Effect | None = None
    note: str | None = None
    void: bool = False
    """The intent that stood until now came to nothing, for certain: it costs nothing."""
    reserve: Decimal | None = None
    """Dollars of the ceiling that the order which is made, or stands, keeps for itself: all it can come to."""


def leave(outcome: Outcome, code: str, message: str, advice: str | None) -> Patch:
    """The one exit: whatever happened, what runs is ended first."""
    return Patch(
        {
            "phase": JobPhase.TERMINATING,
            "outcome": outcome,
            "error_code": code,
            "error_message": message,
            "advice": advice,
        },
        note=f"{outcome}: {message}",
    )


def failed(error: PodtuneError) -> Patch:
    """Leave with an error of an effect."""
    return leave(Outcome.FAILED, error.code, error.message, error.hint)


def cancelled() -> Patch:
    """Leave because the user wishes so."""
    return leave(Outcome.CANCELLED, "cancelled", "cancelled by the user", "podtune resume JOB")
