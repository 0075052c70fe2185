from datetime import timedelta

import pytest

from podtune.workflow import files
from podtune.workflow.files import StoredFile
from podtune.workflow.store import JobStore
from support import build


@pytest.fixture
def store(tmp_path):
    made = JobStore(tmp_path / "podtune.db")
    yield made
    made.close()


def file(name, tenant="ann", **more):
    return StoredFile(
        id=name, tenant=tenant, filename="rows.jsonl", purpose="fine-tune", bytes=3, sha256="0" * 64,
        status=files.UPLOADED, error=None, created_at=build.NOW, **more,
    )  # fmt: skip


def test_a_tenant_sees_its_own_the_newest_first(store):
    with store.transaction() as connection:
        files.add(connection, file("a"))
        files.add(connection, file("b")._replace(created_at=build.NOW + timedelta(seconds=1)))
        files.add(connection, file("c", tenant="bob"))
        assert [f.id for f in files.of(connection, "ann", build.NOW, 10)] == ["b", "a"]
        assert [f.id for f in files.of(connection, None, build.NOW, 10)] == ["b", "c", "a"]
        assert files.find(connection, "c", "ann", build.NOW) is None
        assert files.find(connection, "c", "bob", build.NOW) == file("c", tenant="bob")


def test_the_first_finding_stands(store):
    with store.transaction() as connection:
        files.add(connection, file("a"))
        files.settle(connection, "a", files.ERROR, "line 3")
        files.settle(connection, "a", files.PROCESSED, None)
        found = files.find(connection, "a", "ann", build.NOW)
    assert found is not None
    assert (found.status, found.error) == (files.ERROR, "line 3")


def test_what_was_deleted_or_expired_is_not_there(store):
    later = build.NOW + timedelta(hours=1)
    with store.transaction() as connection:
        files.add(connection, file("gone"))
        files.add(connection, file("old", expires_at=later))
        files.delete(connection, "gone", build.NOW)
        assert [f.id for f in files.of(connection, "ann", build.NOW, 10)] == ["old"]
        assert files.of(connection, "ann", later, 10) == []
        assert [f.id for f in files.expired(connection, later, 10)] == ["old"]
        files.delete(connection, "old", later)
        assert files.expired(connection, later, 10) == []


def test_what_a_tenant_keeps_counts_until_it_is_gone(store):
    with store.transaction() as connection:
        assert files.held_bytes(connection, "ann", build.NOW) == 0
        for one in (file("a"), file("b"), file("c", tenant="bob")):
            files.add(connection, one)
        assert files.held_bytes(connection, "ann", build.NOW) == 6
        files.delete(connection, "a", build.NOW)
        assert files.held_bytes(connection, "ann", build.NOW) == 3
