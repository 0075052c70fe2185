"""A job that its owner paused: noted in what its submission remembers, before it is stopped.

Functions on a connection whose transaction the caller holds. A paused job is a cancelled one whose owner means to
go on: the note is all that tells the two apart.
"""

import json
from typing import Any, Final, NamedTuple

from sqlalchemy import select, update

from podtune.workflow.tables import submissions

PAUSED: Final = "paused"
"""The key of the note."""


class Hold(NamedTuple):
    """How a submission stands."""

    kind: str
    """The face it came by."""
    paused: bool


def find(connection: Any, submission_id: str) -> Hold | None:
    """How a submission stands; None of a job without one."""
    wanted = select(submissions.c.kind, submissions.c.note).where(submissions.c.id == submission_id)
    row = connection.execute(wanted).first()
    return None if row is None else Hold(row.kind, json.loads(row.note).get(PAUSED) is True)


def put(connection: Any, submission_id: str, *, paused: bool) -> None:
    """Note that it is paused, or is not any more; nothing of a job without a submission."""
    mine = submissions.c.id == submission_id
    row = connection.execute(select(submissions.c.note).where(mine).with_for_update()).first()
    if row is None:
        return
    note = {k: v for k, v in json.loads(row.note).items() if k != PAUSED}
    if paused:
        note[PAUSED] = True
    connection.execute(update(submissions).where(mine).values(note=json.dumps(note)))
