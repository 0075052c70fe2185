"""What an Idempotency-Key was used for: looked up in what the submissions remember."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select

from podtune.workflow.columns import micros
from podtune.workflow.submissions import REFUSED
from podtune.workflow.tables import submissions

FIELD: Final = "idempotency_key"
"""In a submission's note: the key's mark."""


def digest_under(
    connection: Any, tenant: str | None, kind: str, mark: str, since: datetime
) -> str | None:
    """The digest of what was asked under a key; None where the key is new, or what was asked was refused.

    Args:
        connection: Of the caller's transaction.
        tenant: Whose key it is; each tenant's stand for themselves.
        kind: Which face.
        mark: Of the key: hex signs, so that nothing in it can be mistaken for anything else of a note.
        since: Older uses are forgotten.
    """
    row = connection.execute(
        select(submissions.c.digest)
        .where(submissions.c.tenant == (tenant or ""), submissions.c.kind == kind)
        .where(submissions.c.created_at >= micros(since), submissions.c.state != REFUSED)
        .where(submissions.c.note.contains(f'"{FIELD}":"{mark}"', autoescape=True))
        .order_by(submissions.c.created_at)
        .limit(1)
    ).first()
    return None if row is None else str(row.digest)
