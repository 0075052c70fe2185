"""Whether an Idempotency-Key is used for what it was used for before.

Source of its meaning: docs.stripe.com/api/idempotent_requests, read on 2026-11-23: at most 255 characters, kept
for at least 24 hours, the same key with other parameters is an error.
"""

import hashlib
from datetime import timedelta
from typing import Final

from podtune.core.access import Principal
from podtune.workflow import idempotency
from podtune.workflow.idempotency import FIELD
from podtune.workflow.store import JobStore

__all__ = ["FIELD", "KEPT", "is_used_otherwise", "mark_of"]

KEPT: Final = timedelta(hours=24)


def mark_of(key: str) -> str:
    """What is remembered of a key: enough to know it again, 32 hex signs."""
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def is_used_otherwise(
    store: JobStore, principal: Principal, kind: str, key: str, digest: str
) -> bool:
    """Whether a caller used a key for another request within a day.

    Two first uses at the same moment, for two different requests, are not told apart: both go through.

    Raises:
        StateError: the job store cannot be used.
    """
    since = store.clock() - KEPT
    with store.reading() as connection:
        found = idempotency.digest_under(connection, principal.tenant, kind, mark_of(key), since)
    return found is not None and found != digest
