"""What an Idempotency-Key was used for."""

from datetime import timedelta

import pytest

from podtune.app import idempotency
from podtune.app.idempotency import FIELD, KEPT, mark_of
from podtune.core.access import THIS_MACHINE
from podtune.core.clock import utc_now
from support import desks


def used(office, desk, key, **stated):
    asked = desks.asked(office.service.settings.home / "files" / "x.jsonl", **stated)
    noted = asked._replace(note={"a": 'x"y', FIELD: mark_of(key), "b": 1})
    found = desk.submit(noted, wait_s=0)
    return found, noted.digest


@pytest.fixture
def waiting(office):
    """Nothing is prepared."""
    office.submissions.preparing._closing.set()
    return office


def otherwise(office, key, digest, principal=THIS_MACHINE, kind="training"):
    store = office.service.store()
    return idempotency.is_used_otherwise(store, principal, kind, key, digest)


def test_a_key_stands_for_its_first_request(waiting):
    _, digest = used(waiting, waiting.here, "k_%")
    assert not otherwise(waiting, "k_%", digest)
    assert otherwise(waiting, "k_%", "0" * 64)
    for other in ("k__", "k", "K_%", ""):
        assert not otherwise(waiting, other, "0" * 64)


def test_tenants_and_faces_stand_for_themselves(waiting):
    tenant = desks.tenant("t")
    used(waiting, waiting.here, "k")
    assert not otherwise(waiting, "k", "0" * 64, tenant)
    assert not otherwise(waiting, "k", "0" * 64, kind="openai")


def test_it_is_forgotten_after_a_day_and_with_a_refusal(waiting):
    found, _ = used(waiting, waiting.here, "k")
    waiting.service.store().keep_time(lambda: utc_now() + KEPT - timedelta(minutes=1))
    assert otherwise(waiting, "k", "0" * 64)
    waiting.here.cancel(found.id)
    assert not otherwise(waiting, "k", "0" * 64)
    used(waiting, waiting.here, "late")
    waiting.service.store().keep_time(lambda: utc_now() + 2 * KEPT + timedelta(minutes=1))
    assert not otherwise(waiting, "late", "0" * 64)


def test_a_mark_tells_nothing_of_its_key():
    assert mark_of("secret") != mark_of("secre")
    assert len(mark_of("x" * 255)) == 32
