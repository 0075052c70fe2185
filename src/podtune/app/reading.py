"""Everything that can be seen of jobs: states, money, leaks, callbacks, events, logs. Changes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from podtune.app import callbacks, leaks, machine_view, targets, unanswered, wiring
from podtune.app.folds import Folds
from podtune.app.leaks import Leak
from podtune.app.opened import Drivers, Opened
from podtune.app.settings import Settings, runpod_access
from podtune.app.standing import Standing
from podtune.core import wire
from podtune.core.clock import sleep, utc_now
from podtune.core.errors import NotFoundError
from podtune.core.events import TrainingEvent
from podtune.core.job import Job
from podtune.core.progress import Folded, fold
from podtune.core.states import JobPhase
from podtune.core.wire import TrainingStatus
from podtune.workflow import intents
from podtune.workflow.folder import EventTail, newest_first
from podtune.workflow.intents import Intent
from podtune.workflow.outbox import Delivery
from podtune.workflow.reconciler import OCCUPYING
from podtune.workflow.store import LogEntry

POLL_S: Final = 0.25
"""How often a follower looks again."""


class Reading(Opened):
    """The verbs that look."""

    def __init__(self, settings: Settings, drivers: Drivers | None = None) -> None:
        """As `Opened`."""
        super().__init__(settings, drivers)
        self._folds = Folds()

    def before(self, job: Job) -> Sequence[Job]:
        """The jobs a queued job waits for: the ones that hold all places now."""
        running = [
            j
            for j in self._opened().unfinished()
            if j.phase in OCCUPYING and j.id != job.id and j.is_rented == job.is_rented
        ]
        places = self.settings.rented_places if job.is_rented else self.settings.places
        waits = job.phase is JobPhase.QUEUED and len(running) >= places
        return running if waits else []

    def status(self, job_id: str) -> TrainingStatus:
        """The application's status object of a job."""
        return self.status_of(self.job(job_id))

    def status_of(self, job: Job) -> TrainingStatus:
        """The same of a job as it was just read."""
        adapter = targets.adapter_path(job.plan.spec, job.id, self.folder(job).artifact)
        status = wire.status_of(job, self.brief(job).progress(), adapter_path=adapter)
        if job.is_rented:
            return self.standing(job).told(status)
        return status.model_copy(update={"warnings": (*self.amiss(), *status.warnings)})

    def money(self, jobs: Sequence[Job]) -> Mapping[str, Decimal]:
        """Dollars spent so far by our own meter, by job; rented ones only."""
        rented = [job.id for job in jobs if job.is_rented]
        return self._opened().spent(*rented) if rented else {}

    def standing(self, job: Job) -> Standing:
        """What a rented job costs, and what its machine was last seen doing."""
        return self.standings([job])[job.id]

    def standings(self, jobs: Sequence[Job]) -> Mapping[str, Standing]:
        """The same of several, by job; of jobs on this machine nothing."""
        rented = [job for job in jobs if job.is_rented]
        found = self._opened().orders(*(job.id for job in rented)) if rented else ()
        now, amiss = utc_now(), self.amiss() if rented else ()
        orders: dict[str, list[Intent]] = {job.id: [] for job in rented}
        for order in found:
            orders[order.job].append(order)
        return {
            job.id: Standing(
                job=job,
                spent=intents.total(orders[job.id], now),
                view=machine_view.read(self.folder(job).path),
                now=now,
                alarm_s=self.settings.terminate_alarm_s,
                orders=orders[job.id],
                checkpoint=self._checkpoint_here(job),
                max_recoveries=self.settings.max_recoveries,
                amiss=amiss,
            )
            for job in rented
        }

    def _checkpoint_here(self, job: Job) -> int | None:
        """From which step a job goes on that lost its machine."""
        if job.recovering is None and not job.recoveries:
            return None
        from podtune.app.checkpoint_pulls import newest_here

        return newest_here(self.folder(job).path / "checkpoints")

    def amiss(self) -> tuple[str, ...]:
        """What is amiss with the account, whatever the job.

        Machines that no job wants and that are not proved gone; a provider that does not answer.
        """
        if self._store is None and not wiring.has_job_store(self.settings):
            return ()
        now = utc_now()
        silence = unanswered.words(self.settings.home, now)
        account = wiring.account_of(runpod_access())
        astray = leaks.of_strays(leaks.strays_of(self._opened()), now, account)
        return (*(leak.words for leak in astray), *([silence] if silence else ()))

    def leak_risks(self) -> Sequence[Leak]:
        """Every machine that should be gone and is not proved to be; none where there is no job store."""
        if self._store is None and not wiring.has_job_store(self.settings):
            return []
        account, alarm_s = wiring.account_of(runpod_access()), self.settings.terminate_alarm_s
        return leaks.find(self._opened(), utc_now(), alarm_s, account)

    def callbacks(self, *job_ids: str) -> Sequence[Delivery]:
        """How callbacks stand, the newest first; of some jobs, or the last ones of all."""
        return self._opened().messages.of(*[self._told_of(one) for one in job_ids])

    def _told_of(self, job_id: str) -> str:
        """Whose messages are meant: a job's, or of what was refused before it was one, by its exact id.

        Raises:
            NotFoundError: neither.
        """
        try:
            return self.job(job_id).id
        except NotFoundError:
            if not self._opened().messages.of(job_id):
                raise
            return job_id

    def callback_words(self, *jobs: Job, amiss: bool = False) -> Mapping[str, str]:
        """How the callbacks of jobs stand, in words, by job; nothing of one where nobody asked for it.

        `amiss` leaves out all but those that were sent and not taken.
        """
        asked = [job for job in jobs if job.plan.spec.deliver.callback_url is not None]
        newest = callbacks.latest(
            self._opened().messages.of(*[j.id for j in asked]) if asked else ()
        )
        told = {job.id: callbacks.told(job, newest.get(job.id)) for job in asked}
        bad = {name for name, one in newest.items() if callbacks.is_amiss(one)}
        return {n: text for n, text in told.items() if text and (n in bad or not amiss)}

    def brief(self, job: Job) -> Folded:
        """What the worker's events add up to so far, without the loss curve: only what is new is read."""
        return self._folds.look(self.folder(job).events)

    def folded(self, job: Job) -> Folded:
        """The same with the loss curve: all events are read."""
        return fold(EventTail(self.folder(job).events).read())

    def log(self, job_id: str) -> Sequence[LogEntry]:
        """What the workflow did with a job."""
        return self._opened().log(self.job(job_id).id)

    def events(self, job_id: str, *, follow: bool = False) -> Iterator[TrainingEvent]:
        """The worker's events; with `follow`, until the job has ended."""
        job = self.job(job_id)
        tail = EventTail(self.folder(job).events)
        yield from tail.read()
        while follow and not self.job(job.id).is_finished:
            yield from tail.read()
            sleep(POLL_S)
        yield from tail.read()

    def newest_events(self, job: Job) -> Iterator[TrainingEvent]:
        """The worker's events that there are, the newest first: the file is read from its end."""
        return newest_first(self.folder(job).events)

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[str]:
        """The worker's own output as text; with `follow`, until the job has ended."""
        job = self.job(job_id)
        path, offset = self.folder(job).log, 0
        while True:
            finished = not follow or self.job(job.id).is_finished
            if path.is_file():
                with path.open("rb") as stream:
                    stream.seek(offset)
                    block = stream.read()
                offset += len(block)
                if block:
                    yield block.decode("utf-8", errors="replace")
            if finished:
                return
            sleep(POLL_S)

    def follow(self, job_id: str) -> Iterator[TrainingEvent | LogEntry | Standing]:
        """Everything there is to see of a job, until it has ended; of a local one, its events."""
        job = self.job(job_id)
        if not job.is_rented:
            yield from self.events(job.id, follow=True)
            return
        tail, told = EventTail(self.folder(job).events), 0
        while True:
            entries = self._opened().log(job.id)
            yield from entries[told:]
            told = len(entries)
            yield from tail.read()
            job = self.job(job.id)
            yield self.standing(job)
            if job.is_finished:
                break
            sleep(POLL_S)
        yield from tail.read()
        yield from self._opened().log(job.id)[told:]

    def wait(self, job_id: str) -> Job:
        """Block until a job has ended, however it ends."""
        job = self.job(job_id)
        while not job.is_finished:
            sleep(POLL_S)
            job = self.job(job.id)
        return job
