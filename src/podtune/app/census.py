"""The figures of a whole installation at one moment: jobs, money, leaks, drivers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from podtune.app import leaks, wiring
from podtune.app.installation import owner
from podtune.app.settings import Settings, runpod_access
from podtune.core.clock import Clock, utc_now
from podtune.core.states import JobPhase
from podtune.workflow import counts, intents
from podtune.workflow.store import JobStore


class Census(NamedTuple):
    """What is counted; money in dollars."""

    jobs: Mapping[tuple[str, str], int]
    """(phase, outcome or "") -> how many."""
    submissions: Mapping[str, int]
    """State -> how many were asked of the gateway."""
    queued: int
    spent: Decimal
    """By all jobs ever, by our meter or the bill, whichever is higher."""
    reserved: Decimal
    """Set aside for unfinished jobs' machines, over what they have spent."""
    leaks: int
    """Machines that nobody wants and that are not proved gone."""
    leak_usd_per_hour: Decimal
    callbacks_waiting: int
    drivers: int


def strangers(settings: Settings, store: JobStore) -> str | None:
    """Words about jobs of other homes in this job store, whose files are not here; None where there are none.

    Raises:
        StateError: the job store cannot be used.
    """
    with store.reading() as connection:
        others = counts.other_owners(connection, owner(settings.home))
    if not others:
        return None
    return (
        f"the job store holds jobs of another home ({', '.join(others[:5])}): their events, logs and artifacts are "
        "not here. Gateways that stand in for each other share one PODTUNE_HOME"
    )


def take(settings: Settings, store: JobStore, *, clock: Clock = utc_now) -> Census:
    """Count everything now.

    Raises:
        StateError: the job store cannot be used.
    """
    now = clock()
    with store.reading() as connection:
        jobs = counts.jobs_by_state(connection)
        asked = counts.submissions_by_state(connection)
        waiting = counts.callbacks_waiting(connection)
        orders = counts.orders_of_all(connection)
        unfinished = counts.unfinished(connection)
    spent = intents.total(orders, now)
    alive = [order for order in orders if order.job in unfinished]
    account = wiring.account_of(runpod_access())
    found = leaks.find(store, now, settings.terminate_alarm_s, account)
    return Census(
        jobs=jobs,
        submissions=asked,
        queued=sum(count for (phase, _), count in jobs.items() if phase == JobPhase.QUEUED),
        spent=spent,
        reserved=intents.held(alive, now) - intents.total(alive, now),
        leaks=len(found),
        leak_usd_per_hour=sum((leak.usd_per_hour or Decimal(0) for leak in found), Decimal(0)),
        callbacks_waiting=waiting,
        drivers=len(store.drivers()),
    )
