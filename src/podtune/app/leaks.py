"""LEAK RISK: what may cost money though nobody wants it, in the words that every face shows."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.core.job import Job
from podtune.core.states import JobPhase
from podtune.planning import price
from podtune.workflow import strays
from podtune.workflow.rental import offer_of
from podtune.workflow.store import JobStore
from podtune.workflow.strays import Stray

ELSEWHERE: Final = (
    "set RUNPOD_API_KEY and RUNPOD_REST_BASE_URL to what they were then, and run podtune reap"
)
"""What to do about a machine that the present key does not show."""


class Leak(NamedTuple):
    """A machine that should be gone and is not proved to be."""

    machine: str
    """Its id, or its name where the id is not known."""
    job: str | None
    usd_per_hour: Decimal | None
    """None where nobody says."""
    since: datetime
    """When it was not wanted any more, or first seen."""
    words: str
    """One line for people."""


def words(
    usd_per_hour: Decimal | None, since: datetime, now: datetime, machine: str = "", why: str = ""
) -> str:
    """One machine that may leak: `LEAK RISK $0.44/h: not proved gone since 12:04:10 UTC`.

    The day stands before the time once it is another one; `machine` and `why` where they are not clear
    from what stands around.
    """
    hourly = price.money(usd_per_hour) if usd_per_hour else "$?"
    day = "" if since.date() == now.date() else f"{since:%Y-%m-%d} "
    which = f"{machine} is " if machine else ""
    reason = f" ({why})" if why else ""
    return f"LEAK RISK {hourly}/h: {which}not proved gone since {day}{since:%H:%M:%S} UTC{reason}"


def summary(prices: Sequence[Decimal | None]) -> str:
    """Several together, by their prices an hour: `LEAK RISK $0.88/h: 2 machines are not proved gone`."""
    known = sum((usd for usd in prices if usd), Decimal(0))
    hourly = price.money(known) + (" and more" if None in prices else "")
    number = len(prices)
    which = f"{number} machines are" if number != 1 else "1 machine is"
    return f"LEAK RISK {hourly}/h: {which} not proved gone"


def of_strays(found: Sequence[Stray], now: datetime, account: str | None = None) -> list[Leak]:
    """Machines that the reaper shows or ends, the oldest first; `account` is what can be asked now."""
    return [
        Leak(
            machine=stray.id,
            job=stray.job,
            usd_per_hour=stray.usd_per_hour,
            since=stray.first_seen_at,
            words=words(
                stray.usd_per_hour,
                stray.first_seen_at,
                now,
                f"pod {stray.id} of {stray.name}",
                stray.reason if stray.account == account else f"{stray.reason}; {ELSEWHERE}",
            ),
        )
        for stray in found
    ]


def of_jobs(jobs: Sequence[Job], now: datetime, alarm_s: float) -> list[Leak]:
    """Machines of unfinished jobs whose end takes longer than `alarm_s` seconds."""
    leaks: list[Leak] = []
    for job in jobs:
        since = job.unproved_since(now, alarm_s)
        if since is not None:
            hourly, machine = offer_of(job).hourly, job.instance_id or job.instance_name or job.id
            told = words(hourly, since, now, f"the machine of {job.id}")
            leaks.append(Leak(machine, job.id, hourly, since, told))
    return leaks


def find(store: JobStore, now: datetime, alarm_s: float, account: str | None = None) -> list[Leak]:
    """Everything that may leak by what the store knows: of jobs, then of what no job wants."""
    ending = store.unfinished(JobPhase.TERMINATING)
    return [*of_jobs(ending, now, alarm_s), *of_strays(strays_of(store), now, account)]


def strays_of(store: JobStore) -> Sequence[Stray]:
    """Machines that no job wants and that are not proved gone, the oldest first."""
    with store.reading() as connection:
        return strays.unproved(connection)
