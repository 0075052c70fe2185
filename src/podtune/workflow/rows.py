"""Rows of the table `jobs` as `Job`s, and back."""

import functools
import json
import logging
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, and_, select

from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.workflow.columns import micros, time_or_none
from podtune.workflow.tables import jobs, plans

log = logging.getLogger(__name__)

WHOLE: Final = select(jobs, plans.c.plan).join(plans, plans.c.job == jobs.c.id)
"""Rows with their plans; where a plan is known, `jobs` alone is read."""

_TIMES: Final = (
    "warned_at", "intent_at", "started_at", "first_intent_at", "deadline", "salvage_at", "left_at", "kept_until",
    "created_at", "updated_at", "finished_at",
)  # fmt: skip


def values_of(job: Job) -> dict[str, Any]:
    """A whole job as a row; its plan is a row of its own."""
    return {name: in_column(getattr(job, name)) for name in jobs.columns.keys()}  # noqa: SIM118 - a column collection


def in_column(value: Any) -> Any:
    """A value of a job as it stands in a column."""
    if isinstance(value, datetime):
        return micros(value)
    if hasattr(value, "model_dump_json"):
        return value.model_dump_json()
    return value


def fitting(name: str, value: Any) -> Any:
    """What a machine says of itself may be longer than the column; PostgreSQL refuses such a text."""
    length = getattr(jobs.columns[name].type, "length", None)
    return value[:length] if length and isinstance(value, str) else value


def is_held(job: Job) -> Any:
    """Whether a job is still its holder's, as a condition: nobody has taken it since it was read."""
    return and_(jobs.c.id == job.id, jobs.c.holder == (job.holder or ""), jobs.c.token == job.token)


def job_of(row: Row[Any], plan: Plan | None = None) -> Job:
    """A row as a job.

    Raises:
        ValueError: this version of podtune cannot read it.
    """
    values: dict[str, Any] = {column.name: getattr(row, column.name) for column in jobs.columns}
    for name in _TIMES:
        values[name] = time_or_none(values[name])
    for name in ("proof", "requote"):
        values[name] = json.loads(values[name]) if values[name] else None
    values["plan"] = plan if plan is not None else _plan(row.plan)
    return Job.model_validate(values)


def readable(row: Row[Any], plan: Plan | None = None) -> Job | None:
    """A row as a job; None for one that this version of podtune cannot read."""
    try:
        return job_of(row, plan)
    except ValueError as error:  # its words may hold the row's: a callback's address is a secret
        reason = type(error).__name__
        log.error("job %s is not driven: this podtune cannot read it (%s)", row.id, reason)
        return None


@functools.lru_cache(maxsize=256)
def _plan(text: str) -> Plan:
    """A stored plan; it never changes, and is read several times a second (some 80 kB each)."""
    return Plan.model_validate_json(text)
