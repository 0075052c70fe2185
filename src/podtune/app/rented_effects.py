"""What the phases of every job on rented hardware do alike: stage, measure, fetch from a store, sign, tidy up."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from podtune.app import incoming, receipts, staged_bundle
from podtune.app.effects import JobEffects
from podtune.app.requote import Requotes
from podtune.app.settings import Settings
from podtune.core.clock import Clock
from podtune.core.errors import PodtuneError
from podtune.core.job import Job, Requote
from podtune.providers.runpod import images
from podtune.providers.runpod.orders import OrderBook
from podtune.storage import places
from podtune.storage.places import BundleStore, DirectStore, StoreKey
from podtune.workflow import intents
from podtune.workflow.intents import Intent
from podtune.workflow.rental import offer_of

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RentedTools:
    """What the effects work with besides the provider; tests give others."""

    clock: Clock
    orders: Callable[[str], Sequence[Intent]]
    """Everything ordered for a job (`JobStore.orders`)."""
    store: Callable[[Job], BundleStore] = lambda job: DirectStore()
    """How bundle and artifact of a job travel."""
    confirm: Callable[[Job], None] = lambda job: None
    """Raises where another driver has taken the job over (`JobStore.confirm`): the last look before an order."""


class RentedJobEffects(JobEffects):
    """The part that does not ask what kind of machine it is."""

    def __init__(self, settings: Settings, tools: RentedTools) -> None:
        """Nothing is asked yet."""
        super().__init__(settings)
        self._rented = tools
        self._requotes = Requotes(tools.clock)
        self._stores: dict[str, BundleStore] = {}

    def stage(self, job: Job) -> None:
        """Write the order and the bundle."""
        self._write_order(job)
        staged_bundle.stage(job, self._folder(job).path)

    def receipt(self, job: Job) -> None:
        """Sign and deliver as everywhere; then leave the adapter in the job's store, if it has one."""
        super().receipt(job)
        store, key = self._store(job), StoreKey(job.id, job.attempt)
        store.keep(key, self._folder(job).artifact)
        if job.plan.spec.deliver.delete_after:
            store.remove(key, staged_bundle.staged(job, self._folder(job).path).sha256)
            for attempt in range(1, job.attempt):  # what they left: results, checkpoints
                store.remove(StoreKey(job.id, attempt))

    def _rental(self, job: Job) -> receipts.Rental | None:
        now = self._rented.clock()
        orders = self._rented.orders(job.id)
        made = [order for order in orders if order.instance_id]
        last = made[-1] if made else None
        return receipts.Rental(
            usd=intents.metered(orders, now),
            usd_per_hour=last.usd_per_hour if last else offer_of(job).hourly,
            machines=len(made),
            gpu=last.gpu if last else None,
            region=last.region if last else None,
            image=self._image(job),
            billed_usd=intents.billed(orders),
        )

    def _image(self, job: Job) -> str:
        """The container image that trained it."""
        return images.resolve(job.plan.spec.where.image)

    def _requote(self, job: Job) -> Requote | None:
        events = self._folder(job).events
        return self._requotes.now_and_then(job, events, lambda: self._rented.orders(job.id))

    def _is_here(self, job: Job) -> bool:
        """Whether the whole artifact was brought here before, by a driver that died then."""
        try:
            self.verify(job)
        except PodtuneError:
            return False
        return True

    def _fetch_from_store(self, job: Job) -> bool:
        folder = self._folder(job).path
        arriving = incoming.of(folder, job)
        came = self._store(job).fetch(StoreKey(job.id, job.attempt), arriving)
        if came is None:
            return False
        self._rented.confirm(job)
        places.put_in_place(came, folder)
        incoming.clear(arriving)
        return True

    def _forget_bundle(self, job: Job) -> None:
        """Take the bundle out of the job's store, if it has one: it holds the rows."""
        folder = self._folder(job).path
        if not (folder / staged_bundle.FACTS).is_file():
            return
        try:
            key = StoreKey(job.id, job.attempt)
            self._store(job).forget(key, staged_bundle.staged(job, folder).sha256)
        except (PodtuneError, OSError) as error:
            log.warning("job %s: its bundle may still be in its store: %s", job.id, error)

    def _tidy(self, job: Job) -> None:
        """The machine is gone: its order is settled, and its bundle is not needed any more."""
        try:
            OrderBook(self._folder(job).path).settle(job.instance_name or "")
            staged_bundle.remove(self._folder(job).path)
        except OSError as error:  # what cannot be tidied up keeps no job from its end
            log.warning("job %s: left in its folder: %s", job.id, error)
        self._requotes.forget(job)

    def _in_doubt_since(self, job: Job) -> datetime | None:
        """Since when the answer to the job's order is missing; None where it is not, or cannot be told."""
        try:
            return OrderBook(self._folder(job).path).open_since(job.instance_name or "")
        except OSError:
            return None

    def _store(self, job: Job) -> BundleStore:
        if job.id not in self._stores:
            self._stores[job.id] = self._rented.store(job)
        return self._stores[job.id]
