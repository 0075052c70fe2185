"""A job: a promise being kept. Rows of the job store and orders to a worker."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from podtune.core.plan import Plan
from podtune.core.states import Desired, JobPhase, Outcome


class Instance(BaseModel):
    """Something that runs (and, when rented, costs money) for one attempt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """The provider's own name for it; locally `<pid>:<start time>`, so a reused pid is never hit."""
    name: str
    """Unique per attempt: `pt-<owner>-<job>-<attempt>`, of a rented one `-x<deadline>` behind it."""
    started_at: datetime
    usd_per_hour: Decimal = Decimal(0)
    """What the provider bills while it exists, disks included as far as it says; 0 on this machine."""
    gpu: str | None = None
    """The provider's id of its card."""
    region: str | None = None


class TerminationProof(BaseModel):
    """That nothing of an attempt runs any more, and when that was seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    instance_id: str | None
    """Null when nothing was ever started."""
    ended: int = Field(default=0, ge=0)
    """Processes that had to be ended (0: it had ended by itself)."""
    absent_at: datetime
    method: str
    unsought: bool = False
    """Whether an order's answer was lost and nobody looked while its machine may have come and gone."""


class Requote(BaseModel):
    """What a job will cost by what was measured on its machine, beside what the plan said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    steps: int = Field(ge=1)
    """Measured optimizer steps it follows from."""
    seconds_per_step: float = Field(gt=0)
    usd: Decimal
    """Of the whole job, what was spent before included."""
    ends_at: datetime
    """When it will be done."""


class Job(BaseModel):
    """One row of the job store. Immutable here; changes go through the store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    title: str
    owner: str
    desired: Desired
    phase: JobPhase
    attempt: int
    plan: Plan
    plan_digest: str
    instance_name: str | None = None
    instance_id: str | None = None
    intent_at: datetime | None = None
    started_at: datetime | None = None
    """When this attempt began; locally `where.max_hours` counts from here."""
    rung: int = Field(default=0, ge=0)
    """Which offer of the plan's ladder is tried or rented."""
    first_intent_at: datetime | None = None
    """When this run first ordered a machine; `where.max_hours` of a rented job counts from here."""
    deadline: datetime | None = None
    """When the rented machine ends itself, whatever happens."""
    salvage_at: datetime | None = None
    """Since when a job that leaves brings away what was trained."""
    left_at: datetime | None = None
    """Since when a rented machine is not wanted any more."""
    kept_until: datetime | None = None
    """Until when the machine of a failed job is kept to be looked into."""
    account: str | None = None
    """Which account pays: a fingerprint of its key and its address, never the key."""
    hindrance: str | None = None
    """Why the workflow waits."""
    outcome: Outcome | None = None
    error_code: str | None = None
    error_message: str | None = None
    advice: str | None = None
    proof: TerminationProof | None = None
    run: int = Field(default=1, ge=1)
    """How often it was begun by a person: submitted, then resumed. Each run has one outcome."""
    recoveries: int = Field(default=0, ge=0)
    """How often this run has gone on by itself on another machine."""
    recovering: str | None = None
    """Why its machine is ended to go on with another (an error code); the job has no outcome then."""
    warned_at: datetime | None = None
    """When most of the ceiling was spent."""
    requote: Requote | None = None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    host: str | None = None
    """The machine whose processes run it; None for a rented job."""
    tenant: str | None = None
    """Whose it is among the gateway's callers; None for this machine's own user."""
    holder: str | None = None
    """Which driver drives it."""
    token: int = Field(default=0, ge=0)
    """Grows with every change of holder; a write with an older one is refused."""
    version: int = Field(default=1, ge=1)
    """Grows with every write."""

    @property
    def is_finished(self) -> bool:
        """Whether the workflow has nothing left to do for it."""
        return self.phase.is_terminal

    @property
    def is_leaving(self) -> bool:
        """Whether its machine, if it has one, is not wanted any more."""
        return self.phase in (JobPhase.TERMINATING, JobPhase.NOTIFYING, JobPhase.DONE)

    @property
    def is_rented(self) -> bool:
        """Whether it runs on a machine that costs money."""
        return self.plan.price is not None

    @property
    def has_queue(self) -> bool:
        """Whether its order waits in a queue, free of charge, until a machine takes it."""
        return self.plan.spec.where.on.has_queue

    def unproved_since(self, now: datetime, alarm_s: float) -> datetime | None:
        """Since when a machine nobody wants has not been proved gone; None before the alarm."""
        wanted_until = max(filter(None, (self.left_at, self.kept_until)), default=None)
        if self.phase is not JobPhase.TERMINATING or wanted_until is None:
            return None
        return wanted_until if (now - wanted_until).total_seconds() > alarm_s else None


class WorkerOrder(BaseModel):
    """`order.json`: all a worker process is told. Paths are relative to the job's folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job: str
    attempt: int = Field(ge=1)
    plan: Plan
    train_file: str
    validation_file: str | None
    models_dir: str
    """Where converted base models are kept."""

    @field_validator("plan")
    @classmethod
    def _untold(cls, plan: Plan) -> Plan:
        """A worker calls nobody: an address that may hold a secret does not travel."""
        return plan.with_callback(None)
