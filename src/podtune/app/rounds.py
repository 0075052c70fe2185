"""The reaper's rounds over the account of an installation: when they are due, and what makes them."""

from typing import TYPE_CHECKING

from podtune.app import driver
from podtune.app.cache_records import CacheRecords, SparingAccount
from podtune.app.settings import Settings
from podtune.app.unanswered import Notes
from podtune.core.clock import Clock, utc_now
from podtune.workflow import strays
from podtune.workflow.lease import Driver
from podtune.workflow.reaper import Reaper, lease_name
from podtune.workflow.store import JobStore

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from podtune.providers.runpod.client import RunPodClient


def has_rented(settings: Settings, store: JobStore) -> bool:
    """Whether this installation has ever ordered a machine, as its store or its jobs' folders say.

    The folders outlive a store that was lost.
    """
    with store.transaction() as connection:
        if strays.has_ordered(connection):
            return True
    left = bool(CacheRecords(settings.home).left())
    return left or any(settings.jobs.glob("*/machine.json"))


def is_round_due(settings: Settings, store: JobStore, me: Driver, clock: Clock = utc_now) -> bool:
    """Whether a round over the account should be made by now, and nobody alive makes it."""
    if me.account is None or any(
        (other.owner, other.account) == (me.owner, me.account) and not driver.is_dead(other.holder)
        for other in store.drivers()
    ):
        return False
    with store.transaction() as connection:
        due = strays.is_round_due(connection, lease_name(me.account, me.owner), clock())
    return due and has_rented(settings, store)


def round_of(
    settings: Settings,
    store: JobStore,
    me: Driver,
    client: "RunPodClient",
    *,
    executor: "Executor",
    clock: Clock = utc_now,
) -> Reaper:
    """The reaper of a driver; its provider is its own, so that it and a job's end never share one ending."""
    from podtune.providers.runpod.pods import RunPodProvider

    return Reaper(
        store,
        SparingAccount(RunPodProvider(client, settings, clock=clock), settings.home),
        me,
        executor=executor,
        clock=clock,
        limits=settings,
        is_wanted=lambda: has_rented(settings, store),
        on_answer=Notes(settings.home, clock),
    )
