"""The rented account seen from this installation: what of ours exists there, and whether it should."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from podtune.app import wiring
from podtune.app.installation import owner as owner_of
from podtune.app.settings import Settings, runpod_access
from podtune.core.errors import NotFoundError
from podtune.core.job import Job
from podtune.providers.runpod.audit import Found, Kind, inventory

if TYPE_CHECKING:
    from podtune.providers.runpod.client import RunPodClient


class AuditRow(BaseModel):
    """One thing of this installation in the account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    found: Found
    age_s: float | None
    job_phase: str | None
    """Where its job stands; None when the job store does not know the job."""
    wanted: bool
    """Whether an unfinished job has it recorded. What is not wanted should not exist."""
    overdue: bool
    """Past the deadline in its name."""
    last_proof: datetime | None
    """When this job's newest proof of absence was given, whatever machine it was of."""


class AuditReport(BaseModel):
    """What of podtune exists in the account."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: str
    """This installation."""
    rows: tuple[AuditRow, ...]
    """Of this installation, the unwanted ones first."""
    others: Mapping[str, int]
    """Of other installations that use the same account, counted by kind; they are theirs to end."""
    problems: tuple[str, ...]
    usd_per_hour: Decimal
    """Of all rows."""
    unwanted_usd_per_hour: Decimal


def audit(
    settings: Settings,
    *,
    client: "RunPodClient | None" = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AuditReport:
    """Compare the account with the job store.

    Raises:
        CredentialsError: the key is missing or rejected.
        UnavailableError: RunPod cannot be asked.
    """
    with _client() if client is None else nullcontext(client) as asked:
        found = inventory(asked)
    mine = owner_of(settings.home)
    jobs = _jobs(settings, {f.job for f in found.found if f.owner == mine and f.job})
    now = clock()
    rows = sorted(
        (_row(one, jobs.get(one.job or ""), now) for one in found.found if one.owner == mine),
        key=lambda row: (row.wanted, row.found.kind, row.found.name, row.found.id),
    )
    others = dict.fromkeys((kind.value for kind in Kind), 0)
    for one in found.found:
        others[one.kind.value] += one.owner != mine
    return AuditReport(
        owner=mine,
        rows=tuple(rows),
        others={kind: number for kind, number in others.items() if number},
        problems=found.problems,
        usd_per_hour=_sum(rows),
        unwanted_usd_per_hour=_sum([row for row in rows if not row.wanted]),
    )


def _client() -> "RunPodClient":
    from podtune.providers.runpod.client import RunPodClient

    return RunPodClient(runpod_access())


def _jobs(settings: Settings, ids: set[str]) -> dict[str, Job]:
    """The jobs that names speak of, as far as the store knows them."""
    if not ids or not settings.database.exists():
        return {}
    store = wiring.job_store(settings)
    known: dict[str, Job] = {}
    try:
        for job_id in ids:
            try:
                job = store.get(job_id)
            except NotFoundError:
                continue
            if job.id == job_id:  # the store also takes the beginning of an id
                known[job_id] = job
    finally:
        store.close()
    return known


def _row(found: Found, job: Job | None, now: datetime) -> AuditRow:
    age = (now - found.created_at).total_seconds() if found.created_at else None
    recorded = job is not None and (job.instance_id == found.id or job.instance_name == found.name)
    return AuditRow(
        found=found,
        age_s=age,
        job_phase=str(job.phase) if job else None,
        wanted=recorded and job is not None and not job.is_finished,
        overdue=found.deadline is not None and found.deadline < now,
        last_proof=job.proof.absent_at if job and job.proof else None,
    )


def _sum(rows: list[AuditRow]) -> Decimal:
    return sum((row.found.usd_per_hour or Decimal(0) for row in rows), Decimal(0))
