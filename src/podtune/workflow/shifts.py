"""Who drives: the store's verbs for drivers, each a transaction around `workflow.lease`."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine, and_, exists, select
from sqlalchemy.exc import IntegrityError

from podtune.core.clock import Clock
from podtune.core.states import JobPhase
from podtune.workflow import lease, outbox
from podtune.workflow.columns import micros
from podtune.workflow.lease import UNFINISHED, Driver
from podtune.workflow.tables import drivers, jobs


class Orphan(NamedTuple):
    """A job that nobody alive drives, and that the asking driver cannot."""

    id: str
    account: str | None
    host: str | None
    hindrance: str | None


class Shifts:
    """What a driver asks of a job store besides its jobs."""

    _engine: Engine
    _clock: Clock

    def hold(self, driver: Driver, seconds: float) -> None:
        """Give a sign of life that counts for so long."""
        with self._engine.begin() as connection:
            lease.hold(connection, driver, seconds, self._now())

    def drivers(self) -> Sequence[Driver]:
        """Drivers that count as alive."""
        with self._engine.connect() as connection:
            return lease.alive(connection, self._now())

    def claim(self, driver: Driver) -> int:
        """Take every job that nobody alive holds and that this driver can drive; how many."""
        with self._engine.begin() as connection:
            return lease.claim(connection, driver, self._now())

    def leave(self, holder: str) -> None:
        """A driver goes, or is known to be dead: what it held is free at once."""
        with self._engine.begin() as connection:
            lease.leave(connection, holder)

    def leave_if_idle(self, holder: str) -> bool:
        """Go, unless there is work left: the check and the farewell are one transaction."""
        with self._engine.begin() as connection:
            held = exists().where(and_(UNFINISHED, jobs.c.holder == holder))
            owner = select(drivers.c.owner).where(drivers.c.holder == holder).scalar_subquery()
            if connection.execute(select(held)).scalar() or outbox.is_waiting(connection, owner):
                return False
            lease.leave(connection, holder)
            return True

    def is_needed(self, driver: Driver) -> bool:
        """Whether there is work that such a driver could take, and nobody alive who would."""
        with self._engine.connect() as connection:
            if lease.is_needed(connection, driver, self._now()):
                return True
            alive = {other.owner for other in lease.alive(connection, self._now())}
            return driver.owner not in alive and outbox.is_waiting(connection, driver.owner)

    def orphaned(self, driver: Driver) -> Sequence[Orphan]:
        """Unfinished jobs that nobody alive drives and that this driver cannot."""
        with self._engine.connect() as connection:
            return [Orphan(*row) for row in lease.orphaned(connection, driver, self._now())]

    def hinder(self, driver: Driver, orphan: Orphan, words: str) -> None:
        """Say why nobody drives a job; nothing happens once somebody does."""
        with self._engine.begin() as connection:
            lease.hinder(connection, driver, orphan.id, words, self._now())

    def take_lease(self, name: str, holder: str, seconds: float) -> int | None:
        """Take or renew what one process at a time does for all; None while another does it."""
        try:
            with self._engine.begin() as connection:
                return lease.take(connection, name, holder, seconds, self._now())
        except IntegrityError:  # another was quicker by a moment
            return None

    def pulse(self, holder: str) -> tuple[int, int]:
        """How many unfinished jobs a driver holds and the sum of their versions: differs when one changed."""
        with self._engine.connect() as connection:
            return lease.pulse(connection, holder)

    def beat(self, driver: Driver) -> tuple[int, int]:
        """Claim, then tell the pulse: what a driver asks at every round."""
        with self._engine.begin() as connection:
            lease.claim(connection, driver, self._now())
            return lease.pulse(connection, driver.holder)

    def others(self, holder: str) -> Sequence[tuple[str, str | None]]:
        """Phase and host of every unfinished job that another driver has begun."""
        begun = and_(UNFINISHED, jobs.c.phase != JobPhase.QUEUED, jobs.c.holder != holder)
        with self._engine.connect() as connection:
            rows = connection.execute(select(jobs.c.phase, jobs.c.host).where(begun))
            return [(row.phase, row.host) for row in rows]

    def _now(self) -> int:
        return micros(self._clock())
