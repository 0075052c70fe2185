"""Rows of the job store as `Job`s, and the only writes there are.

A user's wish (`cancel`) may come from any process; every other change of a job is written by the driver
that holds it, with the token it read, and is refused once another driver has taken it.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Row, and_, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from podtune.core.clock import Clock, utc_now
from podtune.core.errors import ConflictError, NotFoundError, PodtuneError
from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.states import Desired, JobPhase
from podtune.workflow import intents, journal, lease, outbox, rows
from podtune.workflow.columns import micros, time_of, time_or_none
from podtune.workflow.database import open_database, reading, synced
from podtune.workflow.intents import Intent
from podtune.workflow.journal import NEXT_VERSION
from podtune.workflow.lease import UNFINISHED
from podtune.workflow.outbox import Message, Outbox
from podtune.workflow.rows import WHOLE, is_held, job_of, readable
from podtune.workflow.shifts import Shifts
from podtune.workflow.tables import events, instances, jobs, plans

Within = Callable[[Any], None]
"""What is done in a transaction of the store, on its connection."""


class LeaseLostError(PodtuneError):
    """Another driver has taken the job over; this one must not touch it any more."""

    code = "lease_lost"


class LogEntry(NamedTuple):
    """One line of what the workflow did."""

    time: datetime
    attempt: int
    phase: str
    message: str


class JobStore(Shifts):
    """The job store of one `PODTUNE_HOME`, or of several on one PostgreSQL."""

    def __init__(self, path: Path, *, url: str | None = None, clock: Clock = utc_now) -> None:
        """Open (and migrate) the SQLite file at `path`, or the PostgreSQL database at `url`."""
        self._engine = open_database(path, url)
        self._reads = reading(self._engine)
        self._clock = clock

    @property
    def messages(self) -> Outbox:
        """Messages to applications."""
        return Outbox(self._engine, self._clock)

    @property
    def clock(self) -> Clock:
        """What tells the time of everything that is written here."""
        return self._clock

    def keep_time(self, clock: Clock) -> None:
        """From now on the time is told by another clock."""
        self._clock = clock

    def newest(self, owner: str | None = None) -> datetime | None:
        """The newest moment written down of any unfinished job: surely past, where no clock was ahead.

        A clock that was ahead once must not stay in force: deadlines of machines would all come late. So jobs
        that are over say nothing, nor do those of another `owner` than the one that is given.
        """
        mine = UNFINISHED if owner is None else and_(UNFINISHED, jobs.c.owner == owner)
        with self._reads.connect() as connection:
            found = connection.execute(select(func.max(jobs.c.updated_at)).where(mine)).scalar()
        return time_or_none(found)

    def close(self) -> None:
        """Release the file."""
        self._engine.dispose()

    @contextmanager
    def transaction(self, *, on_disk: bool = False) -> Generator[Any]:
        """A connection in a transaction, for what keeps rows of its own beside the jobs (`strays`, `keys`).

        With `on_disk` it has reached the disk when this ends.
        """
        with (
            self._engine.connect() as connection,
            synced(connection) if on_disk else nullcontext(),
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def reading(self) -> Generator[Any]:
        """A connection for what only looks: it waits for no writer. A write on it is an error."""
        with self._reads.connect() as connection:
            yield connection

    def add(self, job: Job, within: Within | None = None) -> None:
        """Insert a new job, on disk before this returns.

        Args:
            job: As it begins.
            within: Called last in the same transaction; what it raises undoes all.

        Raises:
            ConflictError: the id is taken.
        """
        with self._engine.connect() as connection, synced(connection), connection.begin():
            try:
                connection.execute(insert(jobs).values(**rows.values_of(job)))
                connection.execute(insert(plans).values(job=job.id, plan=rows.in_column(job.plan)))
            except IntegrityError as error:
                raise ConflictError(f"job {job.id!r} exists already") from error
            journal.write(connection, job.id, job.attempt, job.phase, "submitted", self._now())
            if within is not None:
                within(connection)

    def get(self, job_id: str) -> Job:
        """A job by id, or by an unambiguous beginning of it; `last` is the newest.

        Raises:
            NotFoundError: none, or several begin so.
        """
        if not job_id:
            raise NotFoundError("no job is named", hint="`podtune jobs` lists them")
        with self._reads.connect() as connection:
            if job_id == "last":
                found = connection.execute(WHOLE.order_by(jobs.c.created_at.desc()).limit(1)).all()
            else:
                found = connection.execute(
                    WHOLE.where(jobs.c.id.startswith(job_id, autoescape=True))
                    .order_by(func.length(jobs.c.id))  # a whole id comes before longer ones
                    .limit(3)
                ).all()
        exact = [row for row in found if row.id == job_id]
        if exact or len(found) == 1:
            return job_of((exact or found)[0])
        if found:
            raise NotFoundError(
                f"several jobs begin with {job_id!r}: {', '.join(row.id for row in found)} ...",
                hint="give more of the id",
            )
        raise NotFoundError(f"no job {job_id!r}", hint="`podtune jobs` lists them")

    def recent(self, limit: int = 50) -> Sequence[Job]:
        """The newest jobs first."""
        with self._reads.connect() as connection:
            rows = connection.execute(WHOLE.order_by(jobs.c.created_at.desc()).limit(limit)).all()
        return [job_of(row) for row in rows]

    def unfinished(self, phase: JobPhase | None = None) -> Sequence[Job]:
        """Jobs the workflow still has to bring to their end, oldest first; of one phase where it is given."""
        there = UNFINISHED if phase is None else jobs.c.phase == phase
        with self._reads.connect() as connection:
            rows = connection.execute(WHOLE.where(there).order_by(jobs.c.created_at)).all()
        return [job_of(row) for row in rows]

    def has_unfinished(self) -> bool:
        """Whether there is anything to drive."""
        with self._reads.connect() as connection:
            return bool(
                connection.execute(select(exists().where(jobs.c.phase != JobPhase.DONE))).scalar()
            )

    def log(self, job_id: str) -> Sequence[LogEntry]:
        """What the workflow did with a job, in order."""
        with self._reads.connect() as connection:
            rows = connection.execute(
                select(events).where(events.c.job == job_id).order_by(events.c.id)
            ).all()
        return [LogEntry(time_of(r.time), r.attempt, r.phase, r.message) for r in rows]

    def cancel(self, job_id: str) -> None:
        """Wish a job cancelled; the workflow does the rest. Finished jobs stay as they are."""
        with self._engine.begin() as connection:
            changed = connection.execute(
                update(jobs)
                .where(and_(jobs.c.id == job_id, jobs.c.phase != JobPhase.DONE))
                .where(jobs.c.desired != Desired.CANCELLED)
                .values(
                    desired=Desired.CANCELLED,
                    updated_at=self._now(),
                    version=NEXT_VERSION,
                )
            )
            if changed.rowcount:
                row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one()
                journal.write(
                    connection, job_id, row.attempt, row.phase, "cancel requested", self._now()
                )

    def reopen(self, job: Job, account: str | None = None, within: Within | None = None) -> Job:
        """Begin another attempt of a finished job that did not complete.

        Args:
            job: As it ended.
            account: Who pays for it where it is rented.
            within: Called first in the same transaction; what it raises undoes all.

        Raises:
            ConflictError: somebody else reopened it first.
        """
        now = self._now()
        with self._engine.begin() as connection:
            if within is not None:
                within(connection)
            changed = connection.execute(
                update(jobs)
                .where(and_(jobs.c.id == job.id, jobs.c.phase == JobPhase.DONE))
                .where(jobs.c.attempt == job.attempt)
                .values(
                    attempt=job.attempt + 1,
                    run=job.run + 1,
                    recoveries=0,
                    recovering=None,
                    warned_at=None,
                    requote=None,
                    holder=None,
                    token=jobs.c.token + 1,
                    version=NEXT_VERSION,
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
            journal.write(connection, job.id, job.attempt + 1, JobPhase.QUEUED, "resumed", now)
        return self.get(job.id)

    def apply(
        self,
        job: Job,
        changes: Mapping[str, Any],
        note: str | None,
        *,
        void: bool = False,
        message: Message | None = None,
        reserve: Decimal | None = None,
    ) -> Job:
        """Write a patch of the workflow, if the job's holder still holds it.

        A patch that holds an intent is on disk before this returns, its order with its price and
        the dollars set aside for it (`reserve`; without an intent: for the order that stands) in the
        same transaction. `void` closes the order that stood until now as one that made nothing;
        `message` goes to the outbox in the same transaction.

        Raises:
            LeaseLostError: another driver took over; nothing was written.
        """
        values = {
            name: rows.fitting(name, rows.in_column(value)) for name, value in changes.items()
        }
        intends = changes.get("intent_at") is not None
        with (
            self._engine.connect() as connection,
            synced(connection) if intends else nullcontext(),
            connection.begin(),
        ):
            row = self._write(connection, job, values)
            if note:
                journal.write(connection, job.id, job.attempt, row.phase, note, self._now())
            if void:
                intents.close_void(connection, job)
            if intends:
                intents.open_(connection, job, changes, reserve)
            elif reserve is not None:
                intents.set_aside(connection, job, reserve)
            if message is not None:
                outbox.queue(connection, job.id, message, self._now())
        return job_of(row, job.plan)

    def confirm(self, job: Job) -> None:
        """Look whether the job's holder still holds it, and counts as alive: the last look before an order.

        Raises:
            LeaseLostError: it does not.
        """
        with self._engine.connect() as connection:
            alive = [d.holder for d in lease.alive(connection, self._now())]
            held = connection.execute(select(jobs.c.id).where(is_held(job))).first()
        if held is None or job.holder not in alive:
            raise LeaseLostError(f"job {job.id!r}: another driver has taken over")

    def orders(self, *job_ids: str) -> Sequence[Intent]:
        """Every machine ordered for some jobs, oldest first."""
        with self._reads.connect() as connection:
            return intents.of(connection, job_ids)

    def spent(self, *job_ids: str) -> Mapping[str, Decimal]:
        """Dollars spent so far by our own meter, all attempts, by job; none for what rented nothing."""
        return intents.spent(self.orders(*job_ids), self._clock())

    def unsettled(self, account: str, since: datetime, until: datetime) -> Sequence[Intent]:
        """Machines of an account that were proved gone between two moments, and whose bill is not final."""
        with self._reads.connect() as connection:
            return intents.unsettled(connection, account, since, until)

    def note_bill(self, order: Intent, billed: Decimal, settled_at: datetime | None) -> None:
        """Remember what the provider billed for a machine; final from `settled_at` on."""
        with self._engine.begin() as connection:
            intents.note_bill(connection, order, billed, settled_at)
            journal.touch(connection, order.job)

    def record_instance(self, job: Job, instance: Instance) -> None:
        """Remember an instance for ever."""
        with self._engine.begin() as connection:
            with suppress(IntegrityError), connection.begin_nested():  # it may be known already
                connection.execute(
                    insert(instances).values(
                        id=instance.id,
                        job=job.id,
                        attempt=job.attempt,
                        name=instance.name,
                        started_at=micros(instance.started_at),
                    )
                )
            intents.note_instance(connection, instance)
            journal.touch(connection, job.id)

    def record_begin(self, job: Job, name: str, began_at: datetime) -> None:
        """Note when a worker took a job that waited in a queue."""
        with self._engine.begin() as connection:
            intents.note_begin(connection, name, began_at)
            journal.touch(connection, job.id)

    def record_absence(self, job: Job, proof: TerminationProof) -> None:
        """Note that every instance of the job's attempt is proved gone."""
        with self._engine.begin() as connection:
            connection.execute(
                update(instances)
                .where(and_(instances.c.job == job.id, instances.c.attempt == job.attempt))
                .values(absent_at=micros(proof.absent_at))
            )
            intents.note_absence(connection, job, proof)
            journal.touch(connection, job.id)

    def held(self, holder: str) -> Mapping[str, int]:
        """Unfinished jobs of a driver, oldest first, with the version of each row."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(jobs.c.id, jobs.c.version)
                .where(and_(UNFINISHED, jobs.c.holder == holder))
                .order_by(jobs.c.created_at)
            )
            return {row.id: row.version for row in rows}

    def some(self, known: Mapping[str, Job | None]) -> Sequence[Job]:
        """Some jobs as they are now; the plan of one that is known is not read again: it never changes.

        One that this version cannot read is left out: it must not keep a driver from all others.
        """
        new = [name for name, job in known.items() if job is None]
        old = {name: job for name, job in known.items() if job is not None}
        read: list[Job | None] = []
        with self._reads.connect() as connection:
            if new:
                read += map(readable, connection.execute(WHOLE.where(jobs.c.id.in_(new))))
            if old:
                found = connection.execute(select(jobs).where(jobs.c.id.in_(old)))
                read += (readable(row, old[row.id].plan) for row in found)
        return [job for job in read if job is not None]

    def _write(self, connection: Any, job: Job, values: dict[str, Any]) -> Row[Any]:
        written = connection.execute(
            update(jobs)
            .where(is_held(job), jobs.c.attempt == job.attempt)
            .values(**values, updated_at=self._now(), version=NEXT_VERSION)
            .returning(*jobs.columns)
        ).first()
        if written is None:
            raise LeaseLostError(f"job {job.id!r}: another driver has taken over")
        return written


def count_jobs(store: JobStore) -> int:
    """How many jobs there are."""
    with store._engine.connect() as connection:  # pyright: ignore[reportPrivateUsage]
        return int(connection.execute(select(func.count()).select_from(jobs)).scalar_one())
