"""Rows of the job store as `Job`s, and the only writes there are.

A user's wish (`request`) may come from any process; every other change carries the driver's lease
token and is refused once another driver has taken over.
"""

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import Row, and_, exists, func, insert, select, update

from podtune.core.errors import ConflictError, NotFoundError, PodtuneError
from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.plan import Plan
from podtune.core.states import Desired, JobPhase
from podtune.workflow import intents, lease
from podtune.workflow.database import open_database, synced
from podtune.workflow.intents import Intent
from podtune.workflow.tables import events, instances, jobs


class LeaseLostError(PodtuneError):
    """Another driver has taken over; this one must stop at once."""

    code = "lease_lost"


class LogEntry(NamedTuple):
    """One line of what the workflow did."""

    time: datetime
    attempt: int
    phase: str
    message: str


class JobStore:
    """The job store of one `PODTUNE_HOME`."""

    def __init__(self, path: Path, *, clock: Callable[[], datetime] | None = None) -> None:
        """Open (and migrate) the database at `path`."""
        self._engine = open_database(path)
        self._clock = clock or (lambda: datetime.now(UTC))

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

    def add(self, job: Job) -> None:
        """Insert a new job, on disk before this returns.

        Raises:
            ConflictError: the id is taken.
        """
        with self._engine.connect() as connection, synced(connection), connection.begin():
            taken = connection.execute(select(jobs.c.id).where(jobs.c.id == job.id)).first()
            if taken:
                raise ConflictError(f"job {job.id!r} exists already")
            connection.execute(insert(jobs).values(**_columns(job)))
            _log(connection, job.id, job.attempt, job.phase, "submitted", self._now())

    def get(self, job_id: str) -> Job:
        """A job by id, or by an unambiguous beginning of it; `last` is the newest.

        Raises:
            NotFoundError: none, or several begin so.
        """
        if not job_id:
            raise NotFoundError("no job is named", hint="`podtune jobs` lists them")
        with self._engine.connect() as connection:
            if job_id == "last":
                found = connection.execute(
                    select(jobs).order_by(jobs.c.created_at.desc()).limit(1)
                ).all()
            else:
                found = connection.execute(
                    select(jobs)
                    .where(jobs.c.id.startswith(job_id, autoescape=True))
                    .order_by(func.length(jobs.c.id))  # a whole id comes before longer ones
                    .limit(3)
                ).all()
        exact = [row for row in found if row.id == job_id]
        if exact or len(found) == 1:
            return _job((exact or found)[0])
        if found:
            raise NotFoundError(
                f"several jobs begin with {job_id!r}: {', '.join(row.id for row in found)} ...",
                hint="give more of the id",
            )
        raise NotFoundError(f"no job {job_id!r}", hint="`podtune jobs` lists them")

    def recent(self, limit: int = 50) -> Sequence[Job]:
        """The newest jobs first."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(jobs).order_by(jobs.c.created_at.desc()).limit(limit)
            ).all()
        return [_job(row) for row in rows]

    def unfinished(self) -> Sequence[Job]:
        """Jobs the workflow still has to bring to their end, oldest first."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(jobs).where(jobs.c.phase != JobPhase.DONE).order_by(jobs.c.created_at)
            ).all()
        return [_job(row) for row in rows]

    def has_unfinished(self) -> bool:
        """Whether there is anything to drive."""
        with self._engine.connect() as connection:
            return bool(
                connection.execute(select(exists().where(jobs.c.phase != JobPhase.DONE))).scalar()
            )

    def log(self, job_id: str) -> Sequence[LogEntry]:
        """What the workflow did with a job, in order."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(events).where(events.c.job == job_id).order_by(events.c.id)
            ).all()
        return [LogEntry(_time(r.time), r.attempt, r.phase, r.message) for r in rows]

    def cancel(self, job_id: str) -> None:
        """Wish a job cancelled; the workflow does the rest. Finished jobs stay as they are."""
        with self._engine.begin() as connection:
            changed = connection.execute(
                update(jobs)
                .where(and_(jobs.c.id == job_id, jobs.c.phase != JobPhase.DONE))
                .where(jobs.c.desired != Desired.CANCELLED)
                .values(desired=Desired.CANCELLED, updated_at=self._now())
            )
            if changed.rowcount:
                row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
                _log(connection, job_id, row.attempt, row.phase, "cancel requested", self._now())

    def reopen(self, job: Job, account: str | None = None) -> Job:
        """Begin another attempt of a finished job that did not complete.

        `account` is who pays for it where it is rented.

        Raises:
            ConflictError: somebody else reopened it first.
        """
        now = self._now()
        with self._engine.begin() as connection:
            changed = connection.execute(
                update(jobs)
                .where(and_(jobs.c.id == job.id, jobs.c.phase == JobPhase.DONE))
                .where(jobs.c.attempt == job.attempt)
                .values(
                    attempt=job.attempt + 1,
                    desired=Desired.RUN,
                    phase=JobPhase.QUEUED,
                    instance_name=None,
                    instance_id=None,
                    intent_at=None,
                    started_at=None,
                    rung=0,
                    first_intent_at=None,
                    deadline=None,
                    salvage_at=None,
                    left_at=None,
                    kept_until=None,
                    hindrance=None,
                    account=account,
                    outcome=None,
                    error_code=None,
                    error_message=None,
                    advice=None,
                    proof=None,
                    finished_at=None,
                    updated_at=now,
                )
            )
            if not changed.rowcount:
                raise ConflictError(f"job {job.id!r} is running again already")
            _log(connection, job.id, job.attempt + 1, JobPhase.QUEUED, "resumed", now)
        return self.get(job.id)

    def apply(
        self,
        job: Job,
        changes: Mapping[str, Any],
        note: str | None,
        token: int,
        *,
        void: bool = False,
    ) -> Job:
        """Write a patch of the workflow, if this driver still holds the lease.

        A patch that holds an intent is on disk before this returns, its order with its price in the
        same transaction. `void` closes the order that stood until now as one that made nothing.

        Raises:
            LeaseLostError: another driver took over; nothing was written.
        """
        values = {name: _column(value) for name, value in changes.items()}
        intends = changes.get("intent_at") is not None
        with (
            self._engine.connect() as connection,
            synced(connection) if intends else nullcontext(),
            connection.begin(),
        ):
            self._write(connection, job, values, note, token)
            if void:
                intents.close_void(connection, job)
            if intends:
                intents.open_(connection, job, changes)
        return self.get(job.id)

    def orders(self, *job_ids: str) -> Sequence[Intent]:
        """Every machine ordered for some jobs, oldest first."""
        with self._engine.connect() as connection:
            return intents.of(connection, job_ids)

    def spent(self, *job_ids: str) -> Mapping[str, Decimal]:
        """Dollars spent so far by our own meter, all attempts, by job; none for what rented nothing."""
        return intents.spent(self.orders(*job_ids), self._clock())

    def record_instance(self, job: Job, instance: Instance) -> None:
        """Remember an instance for ever."""
        with self._engine.begin() as connection:
            known = connection.execute(select(instances.c.id).where(instances.c.id == instance.id))
            if known.first() is None:
                connection.execute(
                    insert(instances).values(
                        id=instance.id,
                        job=job.id,
                        attempt=job.attempt,
                        name=instance.name,
                        started_at=_micros(instance.started_at),
                    )
                )
            intents.note_instance(connection, instance)

    def record_absence(self, job: Job, proof: TerminationProof) -> None:
        """Note that every instance of the job's attempt is proved gone."""
        with self._engine.begin() as connection:
            connection.execute(
                update(instances)
                .where(and_(instances.c.job == job.id, instances.c.attempt == job.attempt))
                .values(absent_at=_micros(proof.absent_at))
            )
            intents.note_absence(connection, job, proof)

    def take_lease(
        self, holder: str, seconds: float, *, dead: str | None = None, account: str | None = None
    ) -> int | None:
        """Take or renew the driver's lease; None when another holder has a live one.

        The token grows with every change of holder. `dead` is a holder whose process is known to
        be gone: its lease need not be sat out. `account` is whose machines the holder can see.
        """
        wanted = lease.Wanted(holder, self._now() + int(seconds * 1e6), account, dead)
        with self._engine.begin() as connection:
            return lease.take(connection, wanted, self._now())

    def lease_holder(self) -> str | None:
        """Who drives now; None when nobody does."""
        with self._engine.connect() as connection:
            return lease.holder(connection, self._now())

    def lease_account(self) -> str | None:
        """The account of who drives now; None when nobody does, or it has none."""
        with self._engine.connect() as connection:
            return lease.account(connection, self._now())

    def release(self, holder: str) -> None:
        """End a lease whose holder was asked to leave: its writes are refused from now on."""
        with self._engine.begin() as connection:
            lease.revoke(connection, holder)

    def release_if_idle(self, holder: str) -> bool:
        """Give the lease back, unless there is work: the check and the release are one transaction."""
        with self._engine.begin() as connection:
            if connection.execute(select(exists().where(jobs.c.phase != JobPhase.DONE))).scalar():
                return False
            lease.give_back(connection, holder)
            return True

    def _write(
        self, connection: Any, job: Job, values: dict[str, Any], note: str | None, token: int
    ) -> None:
        held = lease.is_held(token)
        changed = connection.execute(
            update(jobs)
            .where(and_(jobs.c.id == job.id, jobs.c.attempt == job.attempt, held))
            .values(**values, updated_at=self._now())
        )
        if not changed.rowcount:
            raise LeaseLostError(f"job {job.id!r}: another driver has taken over")
        if note:
            phase = values.get("phase", job.phase)
            _log(connection, job.id, job.attempt, phase, note, self._now())

    def _now(self) -> int:
        return _micros(self._clock())


def count_jobs(store: JobStore) -> int:
    """How many jobs there are."""
    with store._engine.connect() as connection:  # pyright: ignore[reportPrivateUsage]
        return int(connection.execute(select(func.count()).select_from(jobs)).scalar_one())


def _log(connection: Any, job: str, attempt: int, phase: str, message: str, now: int) -> None:
    connection.execute(
        insert(events).values(job=job, attempt=attempt, time=now, phase=phase, message=message)
    )


def _columns(job: Job) -> dict[str, Any]:
    return {name: _column(getattr(job, name)) for name in jobs.columns.keys()}  # noqa: SIM118 - a column collection


def _column(value: Any) -> Any:
    if isinstance(value, datetime):
        return _micros(value)
    if hasattr(value, "model_dump_json"):
        return value.model_dump_json()
    return value


def _job(row: Row[Any]) -> Job:
    values: dict[str, Any] = {name: getattr(row, name) for name in jobs.columns.keys()}  # noqa: SIM118 - a column collection
    for name in _TIMES:
        values[name] = None if values[name] is None else _time(values[name])
    values["plan"] = _plan(values["plan"])
    values["proof"] = json.loads(values["proof"]) if values["proof"] else None
    return Job.model_validate(values)


@functools.lru_cache(maxsize=256)
def _plan(text: str) -> Plan:
    """A stored plan; it never changes, and is read several times a second (some 80 kB each)."""
    return Plan.model_validate_json(text)


_TIMES: Final = (
    "intent_at", "started_at", "first_intent_at", "deadline", "salvage_at", "left_at", "kept_until",
    "created_at", "updated_at", "finished_at",
)  # fmt: skip


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(micros / 1e6, UTC)
