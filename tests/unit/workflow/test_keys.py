"""Rows of keys, on each database."""

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy.exc import IntegrityError

from podtune.core.access import Scope
from podtune.core.errors import NotFoundError
from podtune.workflow import keys
from podtune.workflow.keys import ApiKey
from support import build

NOW = build.NOW
KEY = ApiKey(
    id="abc",
    name="für ci",
    tenant="acme",
    scopes=frozenset({Scope.READ, Scope.SUBMIT}),
    expires_at=NOW + timedelta(days=90),
    revoked_at=None,
    budget_usd=Decimal("12.345678"),
    created_at=NOW,
    last_used_at=None,
)


@pytest.fixture
def store(database):
    made = database.store()
    yield made
    made.close()


@pytest.fixture
def connection(store):
    with store.transaction() as opened:
        yield opened


def test_a_key_comes_back_as_it_was_written(connection):
    keys.add(connection, KEY, "0" * 64)
    assert keys.find(connection, "abc") == (KEY, "0" * 64)
    assert keys.find(connection, "ab") is None
    assert keys.all_keys(connection) == [KEY]


def test_an_id_is_given_once(store):
    with store.transaction() as connection:
        keys.add(connection, KEY, "0" * 64)
    with pytest.raises(IntegrityError), store.transaction() as connection:
        keys.add(connection, KEY, "1" * 64)


def test_it_opens_until_it_ends_or_is_revoked(connection):
    assert KEY.opens(NOW)
    assert not KEY.opens(NOW + timedelta(days=90))
    keys.add(connection, KEY, "0" * 64)
    assert keys.any_unrevoked(connection)
    assert not keys.revoke(connection, "abc", NOW).opens(NOW)
    assert not keys.any_unrevoked(connection)
    with pytest.raises(NotFoundError):
        keys.revoke(connection, "abcd", NOW)


def test_a_use_is_noted_where_none_was_noted_lately(connection):
    keys.add(connection, KEY, "0" * 64)
    for seconds, noted in ((0, 0), (59, 0), (61, 61)):
        now = NOW + timedelta(seconds=seconds)
        keys.note_use(connection, "abc", now, timedelta(minutes=1))
        assert keys.find(connection, "abc").key.last_used_at == NOW + timedelta(seconds=noted)


def test_locking_a_key_that_is_not_there_is_no_error(connection):
    keys.lock(connection, "none")
