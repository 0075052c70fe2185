"""A serverless worker: takes one job after the other, remembers how each stands.

`Worker.run` is what the handler awaits: it never blocks the event loop and never raises but for a
cancel, or where the platform is to give the job out again (then nothing is posted).
"""

import asyncio
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import serverless_advice
import serverless_claim
import serverless_cleaning
import serverless_request
from podtune.app import settings
from podtune.app.settings import Settings
from podtune.core.errors import PodtuneError
from podtune.core.events import WorkerResult
from serverless_closing import Closing
from serverless_endings import failed
from serverless_farewell import Farewell
from serverless_order import Outcome
from serverless_places import Places
from serverless_run import GivenUpError, JobRun
from serverless_sender import Update
from status_manager import EVERY_S, StatusManager, wire

REMEMBERED: Final = 64
"""Statuses kept, the newest: a worker may live for days."""

PROGRAM: Final = Path(__file__).resolve().with_name("serverless_job.py")

log = logging.getLogger("podtune.worker")


@dataclass
class Worker:
    """A serverless worker.

    Args:
        places: Its folders.
        environment: Its whole environment; a job's program gets what of it it needs.
        worker_id: The platform's id of it.
        process: A word by chance, for this start of it.
        update: The SDK's progress_update; None where nobody is told.
        look_s: Seconds between two looks at a job's events.
        beat_s: Seconds between two signs of life.
        every_s: Seconds between two updates outward, while nothing turns.
        program: What carries out a job.
        keep_days: For how long folders of jobs stay that nobody touches; 0 for ever.
    """

    places: Places
    environment: Mapping[str, str] = field(repr=False)
    worker_id: str
    process: str
    update: Update | None = None
    look_s: float = 0.25
    beat_s: float = serverless_claim.BEAT_S
    every_s: float = EVERY_S
    program: Path = PROGRAM
    keep_days: float = 0.0
    statuses: dict[str, StatusManager] = field(default_factory=dict)
    """Of every job this worker had, by both ids; for whoever can reach it."""
    cleaning: threading.Thread | None = field(default=None, init=False)
    """Removes old jobs' folders, once in a worker's life; ends with the process."""

    async def run(self, job: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a job as the platform hands it over.

        Args:
            job: `id` and `input`.

        Returns:
            The documented status object; a failed one with the SDK's `error` beside it.

        Raises:
            asyncio.CancelledError: it was cancelled, or goes on on another worker.
        """
        external = str(job.get("id", ""))[:200]
        try:
            request = serverless_request.read(job.get("input"), self._settings())
        except PodtuneError as error:
            log.info("job %s refused: %s", external, error.code)
            return await self._refused(job, external, error)
        asked = request.asked
        manager = StatusManager(asked.job_id, external_job_id=external)
        self._remember(manager, asked.job_id, external)
        self._clean_once()
        log.info("job %s (%s) taken", asked.job_id, external)
        one = JobRun(self, job, request, external, manager)
        try:
            with Farewell() as farewell:
                outcome = await one.settled(farewell)
                return await one.answer(outcome)
        except GivenUpError as error:
            log.info("job %s let go: %s", asked.job_id, error)
            raise asyncio.CancelledError from None

    def _clean_once(self) -> None:
        """Begin to remove old folders beside the first job, which needs no wait for that."""
        if self.cleaning is not None or self.keep_days <= 0:
            return
        self.cleaning = threading.Thread(
            target=serverless_cleaning.clean,
            args=(self.places.home, self.keep_days, self.statuses),
            name="cleaning",
            daemon=True,
        )
        self.cleaning.start()

    def _settings(self) -> Settings:
        """What the endpoint's environment says.

        Raises:
            SpecError: a setting cannot be used.
        """
        return settings.load(self.environment, read_file=False).settings

    async def _refused(
        self, job: Mapping[str, Any], external: str, error: PodtuneError
    ) -> dict[str, Any]:
        """The documented object about a request that cannot be read; its store is told, where it names one."""
        given = job.get("input")
        name = given.get("job_id") if isinstance(given, dict) else None
        job_id = name if isinstance(name, str) and 0 < len(name) <= 128 else external
        manager = StatusManager(job_id, external_job_id=external)
        words = serverless_advice.failure(error, None)
        for note in await asyncio.to_thread(self._close_refused, job_id, given, words):
            log.warning("job %s: %s", external, note)
            manager.warn(note)
        manager.fail(words)
        self._remember(manager, job_id, external)
        return failed(wire(manager.snapshot()))

    def _close_refused(self, job_id: str, given: object, words: WorkerResult) -> tuple[str, ...]:
        try:
            loaded = self._settings()
            found = serverless_request.answerable(given, loaded)
            if found is None:
                return ()
            terms, upload = found
            closing = Closing(job_id, terms, upload, loaded.egress_policy)
        except PodtuneError:  # of the endpoint's own settings, which is what is refused
            return ()
        outcome = Outcome(attempt=1, result=words)
        return closing.close(None, outcome, threading.Event(), brief=True)

    def _remember(self, manager: StatusManager, *ids: str) -> None:
        for name in ids:
            self.statuses.pop(name, None)
            self.statuses[name] = manager
        for name in list(self.statuses)[:-REMEMBERED]:
            del self.statuses[name]
