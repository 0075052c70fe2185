"""The list of jobs, as rows of words and figures."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from podtune.app.asked import Submitted
from podtune.app.desk import Desk
from podtune.app.standing import Standing
from podtune.core.states import Outcome
from podtune.core.units import duration
from podtune.gateway.dashboard import pages, states
from podtune.gateway.dashboard.states import State

PAGE: Final = 50
"""Rows of one page."""


class Row(NamedTuple):
    """One job of the list."""

    id: str
    title: str
    model: str
    state: State
    percent: float | None
    """How far it is; None where that says nothing."""
    words: str
    """The same in words."""
    cost: str
    share: float | None
    """Percent of the ceiling that is spent; None where nothing is rented."""
    where: str
    begun: datetime
    age: str


class Listing(NamedTuple):
    """One page of the list."""

    rows: Sequence[Row]
    leaks: Sequence[str]
    """Leak risks, of all jobs the caller may see."""
    following: str | None
    """The id behind which the next page begins; None on the last one."""


def look(desk: Desk, now: datetime, *, after: str | None = None) -> Listing:
    """A page of the caller's jobs, the newest first.

    Raises:
        NotFoundError: there is no job `after`.
    """
    found = desk.list(limit=PAGE + 1, after=after)
    shown = found[:PAGE]
    standings = desk.service.standings([one.job for one in shown if one.job is not None])
    return Listing(
        rows=[_row(desk, one, standings.get(one.id), now) for one in shown],
        leaks=_leaks(desk, standings),
        following=shown[-1].id if len(found) > PAGE else None,
    )


def _leaks(desk: Desk, standings: Mapping[str, Standing]) -> list[str]:
    """Of the whole installation for those who see all of it; else of the jobs on the page."""
    if desk.principal.tenant is None:
        return [leak.words for leak in desk.service.leak_risks()]
    told = ((name, standing.leak()) for name, standing in standings.items())
    return [f"{name}: {leak}" for name, leak in told if leak]


def _row(desk: Desk, found: Submitted, standing: Standing | None, now: datetime) -> Row:
    job = found.job
    percent, words = _progress(desk, found)
    if job is None:
        title, model, place = found.name or found.id, "", ""
    else:
        title, model = job.title, states.model(job.plan)
        place = states.where(job.plan, job.rung)
    share = None
    if standing is not None and standing.ceiling:
        share = min(100.0, float(100 * standing.spent / standing.ceiling))
    return Row(
        id=found.id,
        title=title,
        model=model,
        state=states.state_of(found),
        percent=percent,
        words=words,
        cost=standing.cost() if standing else "",
        share=share,
        where=place,
        begun=found.created_at,
        age=pages.age(found.created_at, now),
    )


def _progress(desk: Desk, found: Submitted) -> tuple[float | None, str]:
    """How far a job is; of one that has ended, how long it took or why it failed."""
    job = found.job
    if job is None:
        return None, found.error.message if found.error else ""
    if not job.is_finished:
        status = desk.status(job.id)
        left = f", {_about(status.eta_seconds)} left" if status.eta_seconds else ""
        return status.progress, f"{status.progress:.0f} %{left}"
    if job.outcome is Outcome.FAILED:
        return None, job.error_message or ""
    ended, begun = job.finished_at, job.started_at or job.created_at
    return None, f"took {duration((ended - begun).total_seconds())}" if ended else ""


def _about(seconds: float) -> str:
    """A time to come, in steps that do not change with every second."""
    return "under a minute" if seconds < 60 else duration(60 * round(seconds / 60))
