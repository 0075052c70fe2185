"""How many rows there are of a kind, for monitoring. Reads only."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from podtune.workflow import intents as orders
from podtune.workflow.intents import Intent
from podtune.workflow.lease import UNFINISHED
from podtune.workflow.tables import intents, jobs, outbox, submissions


def jobs_by_state(connection: Any) -> Mapping[tuple[str, str], int]:
    """(phase, outcome or "") -> jobs."""
    state = select(jobs.c.phase, jobs.c.outcome, func.count()).group_by(
        jobs.c.phase, jobs.c.outcome
    )
    return {(phase, outcome or ""): count for phase, outcome, count in connection.execute(state)}


def submissions_by_state(connection: Any) -> Mapping[str, int]:
    """State -> submissions."""
    state = select(submissions.c.state, func.count()).group_by(submissions.c.state)
    return {str(word): int(count) for word, count in connection.execute(state)}


def callbacks_waiting(connection: Any) -> int:
    """Messages that are neither delivered nor given up."""
    waiting = select(func.count()).select_from(outbox).where(outbox.c.next_at.is_not(None))
    return int(connection.execute(waiting).scalar_one())


def orders_of_all(connection: Any) -> list[Intent]:
    """Every order of a machine there ever was."""
    names = [job for (job,) in connection.execute(select(intents.c.job).distinct())]
    return orders.of(connection, names)


def other_owners(connection: Any, owner: str) -> list[str]:
    """Other installations that have jobs here."""
    others = select(jobs.c.owner).where(jobs.c.owner != owner).distinct().order_by(jobs.c.owner)
    return [str(name) for (name,) in connection.execute(others)]


def unfinished(connection: Any) -> frozenset[str]:
    """Ids of jobs that are not done."""
    return frozenset(name for (name,) in connection.execute(select(jobs.c.id).where(UNFINISHED)))
