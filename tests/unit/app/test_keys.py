"""Keys: a token opens what it was made for, and nothing tells why another does not."""

import logging
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.app.keys import MAX_LIFE, Keys, expiry, principal_of
from podtune.core.access import Scope
from podtune.core.errors import CredentialsError, NotFoundError, SpecError, StateError
from podtune.core.redact import scrub
from podtune.workflow.store import JobStore
from support import build

NOW = build.NOW


class Moving:
    now = NOW

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Moving()


@pytest.fixture
def store(tmp_path, clock):
    made = JobStore(tmp_path / "podtune.db", clock=clock)
    yield made
    made.close()


@pytest.fixture
def keys(store):
    return Keys(store)


def refused(keys, token):
    with pytest.raises(CredentialsError) as caught:
        keys.check(token)
    return caught.value.to_json()


def test_a_key_opens_what_it_was_made_for(keys):
    key, token = keys.create("ci", [Scope.READ, Scope.SUBMIT], budget_usd=Decimal("12.5"))
    found = keys.check(token.get_secret_value())
    assert (found.tenant, found.key_id, found.name) == (key.id, key.id, "ci")
    assert found.scopes == {Scope.READ, Scope.SUBMIT}
    assert found.budget_usd == Decimal("12.5")
    assert not found.may(Scope.CANCEL)


def test_each_key_is_a_tenant_of_its_own_unless_one_is_named(keys):
    made = [keys.create("n", [Scope.READ])[0].tenant for _ in range(3)]
    made += [keys.create("n", [Scope.READ], tenant="acme")[0].tenant for _ in range(2)]
    assert len(set(made)) == 4
    assert made[-2:] == ["acme", "acme"]


def test_an_admin_is_of_no_tenant(keys):
    _, token = keys.create("boss", [Scope.ADMIN], tenant="acme")
    assert keys.check(token.get_secret_value()).tenant is None


def test_the_token_is_stored_nowhere_and_blotted_out(keys, tmp_path, store):
    _, token = keys.create("ci", [Scope.READ])
    secret = token.get_secret_value().rpartition("_")[2]
    store.close()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()
    assert secret not in repr(token) + scrub(f"Bearer {token.get_secret_value()}")


def test_nothing_tells_why_a_key_does_not_open(keys, clock):
    key, token = keys.create("a", [Scope.READ], expires_at=NOW + timedelta(hours=1))
    good = token.get_secret_value()
    revoked, other = keys.create("b", [Scope.READ])
    keys.revoke(revoked.id)
    secret = good.rpartition("_")[2]
    wrong = [
        "", "x", "ptk_", "ptk__", good + "0", good[:-1], good.upper(), f" {good}", f"{good}\n",
        f"ptk_{key.id}_{'0' * 64}", f"ptk_nobody2222_{secret}", other.get_secret_value(), "ptk_ä_ü", "a" * 10**6,
        f"ptk_{key.id}_{'٣' * 64}", "\0",
    ]  # fmt: skip
    told = [refused(keys, one) for one in wrong]
    clock.now += timedelta(hours=1)
    told.append(refused(keys, good))
    assert all(one == told[0] for one in told)
    assert told[0]["code"] == "bad_key"


def test_a_key_ends_at_its_moment(keys, clock):
    _, token = keys.create("a", [Scope.READ], expires_at=NOW + timedelta(hours=1))
    clock.now += timedelta(hours=1, microseconds=-1)
    assert keys.check(token.get_secret_value()).name == "a"


@given(text=st.text())
def test_what_is_no_token_is_no_key(text):
    class Nobody(Keys):
        pass

    from contextlib import contextmanager

    class Empty:
        clock = staticmethod(lambda: NOW)

        @contextmanager
        def reading(self):
            yield self

        def execute(self, statement):
            return self

        def first(self):
            return None

    with pytest.raises(CredentialsError):
        Nobody(Empty()).check(text)


def test_revoking_twice_keeps_the_first_moment(keys, clock):
    key, _ = keys.create("a", [Scope.READ])
    assert keys.revoke(key.id).revoked_at == NOW
    clock.now += timedelta(days=1)
    assert keys.revoke(key.id).revoked_at == NOW
    with pytest.raises(NotFoundError):
        keys.revoke("nobody")


def test_the_list_is_newest_first_and_any_looks_for_one_that_is_not_revoked(keys, clock):
    assert not keys.any()
    first, _ = keys.create("a", [Scope.READ], expires_at=NOW + timedelta(minutes=1))
    clock.now += timedelta(hours=1)
    assert keys.any()  # an expiry opens nothing
    second, _ = keys.create("b", [Scope.READ])
    assert [key.name for key in keys.list()] == ["b", "a"]
    for key in (first, second):
        keys.revoke(key.id)
    assert not keys.any()
    assert len(keys.list()) == 2


def test_a_use_is_noted_once_a_minute(keys, clock):
    key, token = keys.create("a", [Scope.READ])
    seen = []
    for seconds in (0, 30, 29, 2, 61):
        clock.now += timedelta(seconds=seconds)
        keys.check(token.get_secret_value())
        seen.append(keys.list()[0].last_used_at)
    start = NOW
    assert [round((at - start).total_seconds()) for at in seen] == [0, 0, 0, 61, 122]
    assert key.last_used_at is None


def test_a_use_that_cannot_be_noted_locks_nobody_out(keys, store, monkeypatch, caplog):
    _, token = keys.create("a", [Scope.READ])

    def busy(*given):
        raise StateError("busy", code="state_unavailable")

    monkeypatch.setattr("podtune.workflow.keys.note_use", busy)
    with caplog.at_level(logging.WARNING):
        assert keys.check(token.get_secret_value()).name == "a"
    assert "busy" in caplog.text
    assert token.get_secret_value() not in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": " "}, {"name": "x" * 81}, {"name": "a\nb"}, {"scopes": []},
        {"budget_usd": Decimal(-1)}, {"budget_usd": Decimal(2_000_000)}, {"budget_usd": Decimal("NaN")},
        {"tenant": ""}, {"tenant": "-x"}, {"tenant": "a b"}, {"tenant": "x" * 61}, {"tenant": "ä"},
        {"expires_at": NOW}, {"expires_at": NOW - timedelta(days=1)},
    ],
)  # fmt: skip
def test_a_key_that_makes_no_sense_is_not_made(keys, wrong):
    values = {"name": "a", "scopes": [Scope.READ], **wrong}
    with pytest.raises(SpecError) as caught:
        keys.create(values.pop("name"), values.pop("scopes"), **values)
    assert caught.value.code == "bad_key_option"
    assert keys.list() == []


def test_what_is_listed_makes_the_same_caller(keys):
    key, token = keys.create("a", [Scope.CANCEL, Scope.READ], budget_usd=Decimal(3))
    (listed,) = keys.list()
    assert listed == key
    assert principal_of(listed) == keys.check(token.get_secret_value())


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        (None, None), ("never", None), ("12h", NOW + timedelta(hours=12)), ("90d", NOW + timedelta(days=90)),
        ("2w", NOW + timedelta(weeks=2)), ("2026-03-01", datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_an_expiry_is_a_length_of_time_or_a_day(text, ends):
    assert expiry(text, NOW) == ends


@pytest.mark.parametrize(
    "text", ["", "0d", "-1d", "90", "d", "1y", "9999-12-31", "999999w", "2026-02-30", "٣d"]
)
def test_what_is_no_expiry_is_refused(text):
    with pytest.raises(SpecError):
        expiry(text, NOW)


@given(text=st.text(max_size=12))
def test_an_expiry_of_anything_is_a_moment_or_an_error_in_our_words(text):
    try:
        found = expiry(text, NOW)
    except SpecError:
        return
    assert found is None or found <= NOW + MAX_LIFE


def test_whether_a_key_still_opens_is_asked_by_its_id(keys, clock):
    made, _ = keys.create("a", [Scope.READ], expires_at=NOW + timedelta(hours=1))
    other, _ = keys.create("b", [Scope.READ])
    assert keys.is_open(made.id)
    assert keys.is_open(other.id)
    clock.now = NOW + timedelta(hours=2)
    keys.revoke(other.id)
    assert not keys.is_open(made.id)
    assert not keys.is_open(other.id)
    assert not keys.is_open("nobody")
