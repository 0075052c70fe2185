"""A home and its job store, opened when a verb needs it, and kept driven."""

import threading
from collections.abc import Sequence
from typing import Protocol

from podtune.app import wiring
from podtune.app.driver_keeper import DriverKeeper
from podtune.app.settings import Settings
from podtune.core.errors import NotFoundError
from podtune.core.job import Job
from podtune.workflow.folder import JobFolder
from podtune.workflow.store import JobStore


class Drivers(Protocol):
    """Who sees to it that a home is driven."""

    def ensure(self, store: JobStore) -> None:
        """Have a driver where one is needed."""
        ...


class Opened:
    """One home. A verb that only reads creates nothing in it."""

    def __init__(self, settings: Settings, drivers: Drivers | None = None) -> None:
        """Nothing is created or opened yet; `drivers` keeps the home driven, by default while a verb runs."""
        self.settings = settings
        self._store: JobStore | None = None
        self._opening = threading.Lock()
        self._drivers: Drivers = drivers or DriverKeeper(settings)

    @property
    def drivers(self) -> Drivers:
        """Who sees to it that the home is driven."""
        return self._drivers

    def close(self) -> None:
        """Release the job store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def jobs(self, limit: int = 50) -> Sequence[Job]:
        """The newest jobs first; none before the first."""
        if self._store is None and not wiring.has_job_store(self.settings):
            return []
        return self._opened().recent(limit)

    def job(self, job_id: str) -> Job:
        """One job by id, by an unambiguous beginning of it, or `last`."""
        return self._opened().get(job_id)

    def folder(self, job: Job) -> JobFolder:
        """Where the job's files are."""
        return JobFolder(self.settings.jobs / job.id)

    def store(self) -> JobStore:
        """The job store, made where there is none."""
        return self._open()

    def _open(self) -> JobStore:
        with self._opening:
            if self._store is None:
                self._store = wiring.job_store(self.settings)
            return self._store

    def _opened(self) -> JobStore:
        """The store of a home that exists; a verb that only reads creates none."""
        if self._store is None and not wiring.has_job_store(self.settings):
            raise NotFoundError(
                f"there are no jobs {wiring.job_store_place(self.settings)} yet",
                hint="podtune train examples/support.jsonl",
                code="no_jobs",
            )
        store = self._open()
        self._drivers.ensure(store)
        return store
