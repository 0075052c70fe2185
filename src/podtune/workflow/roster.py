"""The jobs a driver holds, in memory: only rows that changed are read again."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from podtune.core.clock import Clock
from podtune.core.job import Job
from podtune.workflow import intents
from podtune.workflow.intents import Intent
from podtune.workflow.lease import Driver
from podtune.workflow.store import JobStore

WHOLE_EVERY: Final = timedelta(seconds=5)
"""Between two looks at every row's version; in between their sum is compared, which could be the same by
chance when one job came and another went."""


class Roster:
    """Jobs by id, oldest first, and what each has ordered."""

    def __init__(self, store: JobStore, driver: Driver, clock: Clock) -> None:
        """Nothing is read yet."""
        self._store = store
        self._driver = driver
        self._clock = clock
        self._pulse: tuple[int, int] | None = None
        self._whole_at: datetime | None = None
        self._jobs: dict[str, Job] = {}
        self._versions: dict[str, int] = {}
        self._orders: dict[str, Sequence[Intent]] = {}

    def refresh(self) -> set[str]:
        """Claim what is free and read what changed; ids of jobs that are new, changed or lost.

        Raises:
            StateError: the job store cannot be used now; nothing is taken in, the next call reads it all.
        """
        pulse, now = self._store.beat(self._driver), self._clock()
        is_fresh = self._whole_at is not None and now - self._whole_at < WHOLE_EVERY
        if pulse == self._pulse and is_fresh:
            return set()
        changed = self._read()
        self._pulse, self._whole_at = pulse, now
        return changed

    def _read(self) -> set[str]:
        """Read the rows that changed, and then take them in together: a job without its orders has cost nothing."""
        held = self._store.held(self._driver.holder)
        gone = self._jobs.keys() - held.keys()
        changed = {name for name, version in held.items() if self._versions.get(name) != version}
        if changed:
            found = {
                job.id: job for job in self._store.some({n: self._jobs.get(n) for n in changed})
            }
            orders = self._orders_of([job.id for job in found.values() if job.is_rented])
            self._jobs = {
                name: found.get(name) or self._jobs[name]
                for name in held
                if name in found or name in self._jobs
            }
            self._orders |= orders
        elif gone:
            self._jobs = {name: self._jobs[name] for name in held}
        if gone:
            self._orders = {name: self._orders[name] for name in self._orders if name in self._jobs}
        self._versions = {name: job.version for name, job in self._jobs.items()}
        return changed | gone

    def get(self, job_id: str) -> Job | None:
        """A job as last read; None when this driver does not hold it."""
        return self._jobs.get(job_id)

    def spent(self, job_id: str, now: datetime) -> Decimal:
        """Dollars of all attempts so far, by our own meter."""
        return intents.total(self._orders.get(job_id, ()), now)

    def among(self, names: Set[str]) -> list[Job]:
        """Those of some names, oldest first."""
        return [job for name, job in self._jobs.items() if name in names]

    def __iter__(self) -> Iterator[Job]:
        return iter(self._jobs.values())

    def __len__(self) -> int:
        return len(self._jobs)

    def _orders_of(self, names: Sequence[str]) -> dict[str, list[Intent]]:
        by_job: dict[str, list[Intent]] = {name: [] for name in names}
        for order in self._store.orders(*names) if names else ():
            by_job[order.job].append(order)
        return by_job
