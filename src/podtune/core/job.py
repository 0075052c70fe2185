"""A job: a promise being kept. Rows of the job store and orders to a worker."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

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
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None

    @property
    def is_finished(self) -> bool:
        """Whether the workflow has nothing left to do for it."""
        return self.phase.is_terminal

    @property
    def is_leaving(self) -> bool:
        """Whether its outcome is settled and only the end is left."""
        return self.phase in (JobPhase.TERMINATING, JobPhase.NOTIFYING, JobPhase.DONE)

    @property
    def is_rented(self) -> bool:
        """Whether it runs on a machine that costs money."""
        return self.plan.price is not None

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
