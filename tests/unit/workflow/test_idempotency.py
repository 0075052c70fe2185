"""Keys looked up in what submissions remember; what they mean is `tests/unit/app/test_idempotency.py`'s."""

import pytest

from podtune.workflow import idempotency, submissions
from podtune.workflow.submissions import Submission
from support import build


def row(name, note, **changes):
    values = {
        "id": name, "owner": "o", "tenant": None, "key_id": None, "kind": "training", "name": name,
        "digest": name * 8, "note": note, "body": None, "state": submissions.PREPARING, "error": None,
        "ceiling_usd": None, "created_at": build.NOW, "begun_at": None, "settled_at": None,
    }  # fmt: skip
    return Submission(**values | changes)


@pytest.fixture
def look(database):
    store = database.store()
    mark = "ab" * 16
    with store.transaction() as connection:
        for one in (
            row("j1", f'{{"idempotency_key":"{mark}"}}'),
            row("j2", f'{{"idempotency_key":"{"cd" * 16}"}}', tenant="t"),
            row("j3", '{"warnings":["idempotency_key"]}'),
        ):
            submissions.add(connection, one, "me", 60, 0)

    def found(mark, tenant=None, since=build.NOW):
        with store.transaction() as connection:
            return idempotency.digest_under(connection, tenant, "training", mark, since)

    yield found
    store.close()


def test_by_tenant_and_mark(look):
    assert look("ab" * 16) == "j1" * 8
    assert look("cd" * 16, "t") == "j2" * 8
    assert look("ab" * 16, "t") is None
    assert look("%") is None
    assert look("_" * 32) is None
