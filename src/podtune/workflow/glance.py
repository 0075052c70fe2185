"""Whether anything of a job was written since somebody last looked, for the price of one small read."""

from typing import Any, NamedTuple

from sqlalchemy import select

from podtune.workflow.tables import jobs, submissions


class Glance(NamedTuple):
    """A job's row in brief. Two that are equal have the same job, plan and submission behind them."""

    id: str
    tenant: str | None
    version: int
    """Grows with every write of the job, its orders and strays."""
    is_finished: bool
    settled_at: int | None
    """When its submission was accepted, in microseconds; None of a job without one."""


def glance(connection: Any, job_id: str) -> Glance | None:
    """A job by its exact id; None where there is none, or none yet."""
    row = connection.execute(
        select(
            jobs.c.tenant, jobs.c.version, jobs.c.finished_at, submissions.c.id,
            submissions.c.tenant, submissions.c.settled_at,
        )
        .select_from(jobs.outerjoin(submissions, submissions.c.id == jobs.c.id))
        .where(jobs.c.id == job_id)
    ).first()  # fmt: skip
    if row is None:
        return None
    of_job, version, finished_at, submission, of_submission, settled_at = row
    tenant = of_job if submission is None else of_submission
    return Glance(job_id, tenant or None, version, finished_at is not None, settled_at)
