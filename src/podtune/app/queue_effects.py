"""What the phases of a job on a serverless endpoint do to the world: send, follow, bring home, end.

The work travels by the job's store, and so does what comes of it: nobody can speak to a worker. An order whose
answer was lost is neither sent again nor looked for at RunPod, which knows no names: its bundle is removed from
the store, and a worker that begins has left its mark there first (`storage.places.MarkedStore`).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

from podtune.app import checkpoint_pulls, machine_view, queue_order, staged_bundle
from podtune.app.machine_view import MachineView
from podtune.app.queue_news import QueueNews
from podtune.app.rented_effects import RentedJobEffects, RentedTools
from podtune.app.settings import Settings
from podtune.core.errors import DoubtfulError, ProviderError
from podtune.core.handover import BundleByHttps
from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.states import Desired
from podtune.providers.base import LaunchRequest
from podtune.providers.runpod.endpoints import Diagnosis
from podtune.providers.runpod.orders import OrderBook
from podtune.providers.runpod.queue import QueueJob
from podtune.providers.runpod.queue_provider import Placed, QueueProvider, instance_id, note, placed
from podtune.storage.places import MarkedStore, StoreKey
from podtune.workflow.rental import offer_of
from podtune.workflow.steps import Heard

log = logging.getLogger(__name__)

DIAGNOSE_EVERY: Final = timedelta(seconds=15)
"""Between two looks at an endpoint's workers for one waiting job. RunPod allows 60 calls a minute."""

HOPELESS_AFTER: Final = timedelta(minutes=2)
"""How long an endpoint has to be one on which waiting never helps before a job gives up. Chosen: a worker may
fail once and the next one start."""

ADDRESS_LIVES: Final = timedelta(hours=1)
"""Of an address that is not used: the bundle is only put into the store then."""


@dataclass(frozen=True)
class QueueTools(RentedTools):
    """What the effects work with besides the provider; tests give others."""

    begun: Callable[[Job, str, datetime], None] = lambda job, name, at: None
    """Notes when a worker took an order (`JobStore.record_begin`)."""
    diagnose: Callable[[str], Diagnosis | None] = lambda endpoint: None
    """Why jobs of an endpoint wait; None where nobody can say."""
    image: Callable[[str], str | None] = lambda endpoint: None
    """The image of an endpoint's workers."""


class QueueEffects(RentedJobEffects):
    """The effects of jobs on serverless endpoints."""

    def __init__(self, settings: Settings, provider: QueueProvider, tools: QueueTools) -> None:
        """Nothing is asked yet."""
        super().__init__(settings, tools)
        self._provider, self._tools = provider, tools
        self._news = QueueNews(settings)
        self._looked: dict[str, tuple[datetime, Diagnosis | None]] = {}
        self._hopeless_since: dict[str, datetime] = {}
        self._revoked: dict[str, datetime] = {}

    def stage(self, job: Job) -> None:
        """Write the order and the bundle, and put it into the store: no time of the job's counts yet."""
        super().stage(job)
        self._bundle(job, self._tools.clock() + ADDRESS_LIVES)

    def launch(self, job: Job) -> Instance:
        """Send the job to the endpoint, or adopt the one that was sent under its name.

        Raises:
            DoubtfulError: it was sent, and neither RunPod nor the store says what became of it.
            PodtuneError: see `QueueProvider.launch`.
        """
        self._show(job, "starting", f"sending the job to endpoint {job.plan.spec.where.endpoint}")
        folder, name = self._folder(job).path, job.instance_name or ""
        is_new = placed(folder, name) is None and OrderBook(folder).open_since(name) is None
        work = None
        if is_new and job.deadline is not None:
            bundle = self._bundle(job, job.deadline)
            work = queue_order.work(job, bundle, self._marked(job), self._settings)
        request = LaunchRequest(
            name, folder, {}, queued=work, confirm=lambda: self._tools.confirm(job)
        )
        try:
            return self._provider.launch(request)
        except DoubtfulError:
            found = self._adopted(job)
            if found is None:
                raise
            return found

    def hand_over(self, job: Job) -> Heard:
        """Look whether a worker has taken the job; why not, where it waits.

        Raises:
            ProviderError: the endpoint is one on which waiting never helps.
        """
        seen = self._provider.look(job.instance_id or "")
        if seen is None or seen.is_over or seen.is_running:
            return self._heard(job, seen)
        found = self._diagnosis(job)
        if found is None:
            self._show(job, "starting", "waiting in the endpoint's queue")
            return Heard()
        self._show(job, "starting", f"waiting in the endpoint's queue: {found.words}")
        self._refuse_hopeless(job, found)
        return Heard(said=found.words)

    def pull(self, job: Job) -> Heard:
        """Bring here what the job tells of itself; of one that is over, what it left in its store."""
        return self._heard(job, self._provider.look(job.instance_id or ""))

    def salvage(self, job: Job) -> Heard:
        """Bring the last checkpoint here of a job whose time is up: its worker saves, puts it and ends.

        RunPod ends a cancelled job at once, so of one its user cancels only the endpoint's volume keeps any.
        """
        seen, now = self._provider.look(job.instance_id or ""), self._tools.clock()
        if seen is not None and not seen.is_over:
            return Heard(at=now, saved=job.desired is Desired.CANCELLED)
        self._heard(job, seen)
        return Heard(
            at=now,
            saved=checkpoint_pulls.left_in(
                self._store(job), self._folder(job).path, job, self._tools.confirm
            ),
        )

    def fetch(self, job: Job) -> bool | Heard:
        """Bring the artifact here from its store; False where it is not there.

        Raises:
            ArtifactError: what came is not what the worker made.
        """
        self._show(job, "finished", "fetching the adapter")
        return self._is_here(job) or self._fetch_from_store(job)

    def release(self, job: Job) -> None:
        """The worker has ended by itself: it waits for nobody."""

    def terminate(self, job: Job) -> TerminationProof | None:
        """End the job; proof once it is over for longer than its worker is billed, or None (call again)."""
        in_doubt = self._in_doubt_since(job)
        found = job.instance_id or self._known_id(job)
        if found is None and in_doubt is not None:
            proof = self._never(job)
        else:
            proof = self._provider.end(found, offer_of(job).idle_s)
        if proof is None:
            self._show(job, "ending", "waiting for the proof that it is over")
            return None
        self._forget_bundle(job)
        self._tidy(job)
        self._news.forget(job)
        for table in (self._looked, self._hopeless_since, self._revoked):
            cast("dict[str, object]", table).pop(job.id, None)
        self._show(job, "gone", proof.method)
        return proof

    def _heard(self, job: Job, seen: QueueJob | None) -> Heard:
        """What a look brought, with what it means written down."""
        now = self._tools.clock()
        if seen is not None and not seen.is_over:
            if not seen.is_running:  # given out anew: its worker was lost
                return Heard(at=now)
            began = self._began(job, seen, now)
            self._tools.begun(job, job.instance_name or "", began)
            if seen.has_output:
                self._news.take(job, seen.output, now)
            self._show(job, "training", "", heard=True)
            return Heard(accepted=True, at=now, began=began, requote=self._requote(job))
        if seen is not None and seen.has_output:
            self._news.take(job, seen.output, now)
        result = self._store(job).outcome(StoreKey(job.id, job.attempt))
        if result is not None:
            self._news.end(job, result, now)
            return Heard(accepted=True, at=now)
        if seen is not None and self._news.failure(job, seen, now):
            return Heard(accepted=True, at=now)
        return Heard(searched=True)

    def _began(self, job: Job, seen: QueueJob, now: datetime) -> datetime:
        """When a worker took the job: as RunPod counts its wait, and not later than now."""
        if seen.delay_time is None or job.intent_at is None:
            return now
        return min(now, job.intent_at + timedelta(milliseconds=max(0.0, seen.delay_time)))

    def _adopted(self, job: Job) -> Instance | None:
        """The job of an order whose answer was lost, if its worker has left its mark."""
        found = self._known_id(job)
        if found is None:
            return None
        name = job.instance_name or ""
        return Instance(id=found, name=name, started_at=job.intent_at or self._tools.clock())

    def _known_id(self, job: Job) -> str | None:
        """The id of what was sent under the job's name: as RunPod said, or as the worker has marked."""
        folder, name = self._folder(job).path, job.instance_name or ""
        known = placed(folder, name)
        if known is not None:
            return known.id
        if OrderBook(folder).open_since(name) is None:
            return None
        mark = queue_order.begun(self._marked(job).mark(StoreKey(job.id, job.attempt)))
        if mark is None:
            return None
        found = instance_id(job.plan.spec.where.endpoint or "", mark.external_job_id)
        note(folder, Placed(name=name, id=found, at=self._tools.clock()))
        return found

    def _never(self, job: Job) -> TerminationProof | None:
        """Proof that an order whose answer was lost has not begun and cannot: no bundle, and no mark.

        Called where no mark is there. The bundle is removed first; a worker that got it before, or from a
        cache for a minute after, has marked it by the end of the window.
        """
        now = self._tools.clock()
        if job.id not in self._revoked:
            self._forget_bundle(job)
            self._revoked[job.id] = now
        if now - self._revoked[job.id] < timedelta(seconds=self._settings.proof_window_s):
            return None
        since = (now - self._revoked[job.id]).total_seconds()
        method = f"no worker had begun it {since:.0f} s after its bundle was removed"
        return TerminationProof(instance_id=None, absent_at=now, method=method)

    def _bundle(self, job: Job, until: datetime) -> BundleByHttps:
        """The bundle in the store, at an address that lives until then."""
        folder = self._folder(job).path
        packed, facts = folder / staged_bundle.FILE, staged_bundle.staged(job, folder)
        ticket = self._store(job).send(packed, facts.sha256, StoreKey(job.id, job.attempt), until)
        if not isinstance(ticket, BundleByHttps):
            raise ProviderError("the job's store gives no address", code="launch_failed")
        return ticket

    def _marked(self, job: Job) -> MarkedStore:
        """The job's store; the plan allows no other kind."""
        return cast("MarkedStore", self._store(job))

    def _diagnosis(self, job: Job) -> Diagnosis | None:
        """Why the job waits, asked now and then."""
        now = self._tools.clock()
        known = self._looked.get(job.id)
        if known is not None and now - known[0] < DIAGNOSE_EVERY:
            return known[1]
        found = self._tools.diagnose(job.plan.spec.where.endpoint or "")
        self._looked[job.id] = (now, found)
        return found

    def _refuse_hopeless(self, job: Job, found: Diagnosis) -> None:
        if not found.is_hopeless:
            self._hopeless_since.pop(job.id, None)
            return
        now = self._tools.clock()
        if now - self._hopeless_since.setdefault(job.id, now) >= HOPELESS_AFTER:
            raise ProviderError(
                f"the endpoint's queue does not move: {found.words}",
                code=found.wait.value,
                hint=found.hint,
            )

    def _image(self, job: Job) -> str:
        return self._tools.image(job.plan.spec.where.endpoint or "") or "the endpoint's own"

    def _show(self, job: Job, step: str, detail: str, *, heard: bool = False) -> None:
        """A picture for people; nothing waits for it."""
        now = self._tools.clock()
        view = MachineView(
            attempt=job.attempt, step=step, detail=detail, at=now, heard_at=now if heard else None
        )
        try:
            machine_view.write(self._folder(job).path, view)
        except OSError as error:
            log.warning("job %s: no picture of its machine: %s", job.id, error)
