"""The rented account seen from this installation: what of ours exists there, and whether it should."""

from collections.abc import Mapping, Set
from contextlib import nullcontext
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from podtune.app import cache_volumes, wiring
from podtune.app.cache_records import CacheRecords
from podtune.app.cache_volumes import CacheVolume
from podtune.app.installation import owner as owner_of
from podtune.app.settings import Settings, runpod_access
from podtune.core.clock import Clock, utc_now
from podtune.core.errors import NotFoundError, PodtuneError
from podtune.core.job import Job
from podtune.providers.runpod.audit import Found, Kind, inventory
from podtune.workflow import fates
from podtune.workflow.strays import Claim

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
    """Whether an unfinished job has it recorded, a living command uses it, or somebody deployed it. What is
    not wanted should not exist."""
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
    caches: tuple[CacheVolume, ...] = ()
    """Network volumes with model caches, by the month; they stand in no sum above."""


def audit(
    settings: Settings,
    *,
    client: "RunPodClient | None" = None,
    clock: Clock = utc_now,
) -> AuditReport:
    """Compare the account with the job store.

    Raises:
        CredentialsError: the key is missing or rejected.
        UnavailableError: RunPod cannot be asked.
    """
    records = CacheRecords(settings.home)
    with _client() if client is None else nullcontext(client) as asked:
        found = inventory(asked)
        caches, problems = _caches(asked, records)
    mine = owner_of(settings.home)
    jobs = _jobs(settings, {f.job for f in found.found if f.owner == mine and f.job})
    now, held = clock(), records.held()
    rows = sorted(
        (_row(one, jobs.get(one.job or ""), now, held) for one in found.found if one.owner == mine),
        key=lambda row: (row.wanted, row.found.kind, row.found.name, row.found.id),
    )
    others = dict.fromkeys((kind.value for kind in Kind), 0)
    for one in found.found:
        others[one.kind.value] += one.owner != mine
    return AuditReport(
        owner=mine,
        rows=tuple(rows),
        others={kind: number for kind, number in others.items() if number},
        problems=(*found.problems, *problems),
        usd_per_hour=_sum(rows),
        unwanted_usd_per_hour=_sum([row for row in rows if not row.wanted]),
        caches=caches,
    )


def _caches(
    client: "RunPodClient", records: CacheRecords
) -> tuple[tuple[CacheVolume, ...], tuple[str, ...]]:
    """Model caches, and why they cannot be told; a key may be allowed to see pods only."""
    try:
        return cache_volumes.listed(client, records), ()
    except PodtuneError as error:
        return (), (f"model caches were not looked at: {error.message}",)


def _client() -> "RunPodClient":
    from podtune.providers.runpod.client import RunPodClient

    return RunPodClient(runpod_access())


def _jobs(settings: Settings, ids: set[str]) -> dict[str, Job]:
    """The jobs that names speak of, as far as the store knows them."""
    if not ids or not wiring.has_job_store(settings):
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


def _row(found: Found, job: Job | None, now: datetime, held: Set[str]) -> AuditRow:
    """`held` are names of machines that a living command fills a model cache with."""
    age = (now - found.created_at).total_seconds() if found.created_at else None
    has_job = job is not None and fates.is_wanted(found.id, found.name, _claim(job))
    return AuditRow(
        found=found,
        age_s=age,
        job_phase=str(job.phase) if job else None,
        wanted=has_job or found.name in held or _is_deployed(found),
        overdue=found.deadline is not None and found.deadline < now,
        last_proof=job.proof.absent_at if job and job.proof else None,
    )


def _is_deployed(found: Found) -> bool:
    """Whether somebody had it made on purpose, for as long as they like (`podtune runpod deploy`)."""
    return found.kind in (Kind.ENDPOINT, Kind.TEMPLATE) and found.job is None


def _claim(job: Job) -> Claim:
    is_over = job.is_finished or job.proof is not None
    return Claim(is_over, job.instance_name, job.instance_id, ordered={}, usd_per_hour={})


def _sum(rows: list[AuditRow]) -> Decimal:
    return sum((row.found.usd_per_hour or Decimal(0) for row in rows), Decimal(0))
