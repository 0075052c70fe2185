"""What a caller of a shared face asks for, and what stands of it: the types between a face and the desk."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from pydantic import JsonValue

from podtune.core.errors import PodtuneError
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest


class SubmissionState(StrEnum):
    """How far a submission is."""

    PREPARING = "preparing"
    """Its data is fetched, and it is planned; nothing is rented."""
    ACCEPTED = "accepted"
    """It is a job."""
    REFUSED = "refused"
    """It never became one."""


class Asked(NamedTuple):
    """One request to train, as a face understood it."""

    request: TrainingRequest
    """Its source is an https address, which is fetched now, or a file in the home's `files`. Callers that are
    tenants can name nothing else of this machine."""
    kind: str
    """Which face: `training` (the application's contract), `openai`, `dashboard`, `plan`."""
    name: str | None
    """The caller's own id, or an Idempotency-Key: unique per tenant and kind. At most 200 characters."""
    digest: str
    """sha256 of the canonical body, 64 hex signs: the same name with the same digest is the same job."""
    note: Mapping[str, JsonValue]
    """What the face wants to remember (metadata, suffix, training_file, ...); at most 64 kB of JSON."""
    plan_digest: str | None = None
    """Of the plan that was approved, where one was shown first."""
    plan: Plan | None = None
    """That plan, where it is to run as it is: the data is compared with it, and the market when it is ordered."""


class Submitted(NamedTuple):
    """How a submission stands."""

    id: str
    """The job's id: reserved when it was submitted, and the same ever after."""
    state: SubmissionState
    job: Job | None
    """Where it was accepted."""
    error: PodtuneError | None
    """Where it was refused."""
    kind: str
    """As asked; `cli` of a job that came by the command line."""
    name: str | None
    tenant: str | None
    note: Mapping[str, JsonValue]
    created_at: datetime
    duplicate: bool = False
    """Whether what was asked was there before."""
    ceiling_usd: Decimal | None = None
    """What it may cost; None where nothing is rented."""
    begun_at: datetime | None = None
    """When its preparation began; None while it waits for its turn."""
