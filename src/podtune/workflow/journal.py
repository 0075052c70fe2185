"""The log of a job, and the version of its row: what every writer of the store has in common.

Functions on a connection whose transaction the caller holds.
"""

from typing import Any, Final

from sqlalchemy import insert, literal, select, update

from podtune.workflow.tables import events, jobs

NEXT_VERSION: Final = jobs.c.version + 1
"""What every write of a row, or of what belongs to its job, sets `version` to: drivers read it again then."""


def write(connection: Any, job: str, attempt: int, phase: str, message: str, now: int) -> None:
    """A line of a job's log."""
    connection.execute(
        insert(events).values(job=job, attempt=attempt, time=now, phase=phase, message=message)
    )


def write_as_it_stands(connection: Any, job: str, message: str, now: int) -> None:
    """A line of a job's log, at the attempt and phase in which the job is; none where nobody knows the job."""
    line = select(jobs.c.id, jobs.c.attempt, literal(now), jobs.c.phase, literal(message))
    names = ["job", "attempt", "time", "phase", "message"]
    connection.execute(insert(events).from_select(names, line.where(jobs.c.id == job)))


def touch(connection: Any, job: str) -> None:
    """What belongs to a job has changed."""
    connection.execute(update(jobs).where(jobs.c.id == job).values(version=NEXT_VERSION))
