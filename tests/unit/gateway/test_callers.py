"""Who asks, and what each may do."""

from datetime import timedelta

import pytest

from podtune.app.keys import Keys
from podtune.core.access import Scope
from podtune.core.clock import utc_now
from podtune.gateway.callers import is_here
from podtune.gateway.rates import REFUSALS_PER_MINUTE


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("10.0.0.1", False), ("::ffff:10.0.0.1", False), ("", False), ("localhost", False),
    ],
)  # fmt: skip
def test_what_counts_as_this_machine(address, here):
    assert is_here(address) is here


def test_without_keys_this_machine_is_let_in_whatever_it_sends(gateway):
    for token in (None, "sk-any", "ptk_x_y"):
        with gateway.client(token) as client:
            assert client.get("/training/jobs").status_code == 200


def test_beyond_loopback_nobody_comes_in_without_a_key(serve):
    gateway = serve(is_exposed=True)
    with gateway.client() as client:
        refused = client.get("/training/jobs")
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.json()["error"]["code"] == "missing_key"
        assert client.get("/metrics").status_code == 401
        assert client.get("/healthz").status_code == 200


def test_every_key_that_does_not_open_gets_the_same_words(serve):
    gateway = serve(is_exposed=True)
    good = gateway.key()
    revoked, expired = gateway.key(), gateway.key(expires_at=utc_now() + timedelta(seconds=1))
    Keys(gateway.store).revoke(revoked.split("_")[1])
    gateway.store.keep_time(lambda: utc_now() + timedelta(minutes=1))
    told = set()
    for token in (revoked, expired, good[:-1] + "x", "ptk_none_" + "0" * 64, "x", "ptk_"):
        with gateway.client(token) as client:
            refused = client.get("/training/jobs")
            told.add((refused.status_code, refused.text))
    assert len(told) == 1
    with gateway.client(good) as client:
        assert client.get("/training/jobs").status_code == 200


@pytest.mark.parametrize(
    ("scope", "method", "path", "status"),
    [
        (Scope.READ, "GET", "/training/jobs", 200),
        (Scope.READ, "GET", "/training/status/none", 404),
        (Scope.READ, "POST", "/training/cancel/none", 403),
        (Scope.READ, "POST", "/training/submit", 403),
        (Scope.CANCEL, "POST", "/training/cancel/none", 404),
        (Scope.CANCEL, "GET", "/training/jobs", 403),
        (Scope.SUBMIT, "POST", "/training/submit", 400),
        (Scope.SUBMIT, "GET", "/training/logs/none", 403),
        (Scope.ADMIN, "POST", "/training/cancel/none", 404),
        (Scope.ADMIN, "GET", "/training/jobs", 200),
    ],
)
def test_a_key_opens_what_its_scopes_say(gateway, scope, method, path, status):
    with gateway.client(gateway.key(scope)) as client:
        gateway.app.state.parts.doors._looked_at = None
        answer = client.request(method, path, json={} if method == "POST" else None)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "scope_missing"


def test_guessing_is_slowed_down_and_a_good_key_still_let_in(serve):
    gateway = serve(is_exposed=True)
    good = gateway.key()
    with gateway.client("ptk_none_" + "0" * 64) as client:
        codes = [client.get("/training/jobs").status_code for _ in range(REFUSALS_PER_MINUTE + 2)]
    assert codes == [401] * REFUSALS_PER_MINUTE + [429] * 2
    with gateway.client(good) as client:
        assert client.get("/training/jobs").status_code == 200


def test_a_tenant_sees_its_own_only_and_an_administrator_all(gateway, job):
    gateway.app.state.parts.doors._looked_at = None
    with gateway.client(gateway.key()) as tenant, gateway.client(gateway.key(Scope.ADMIN)) as boss:
        assert tenant.get(f"/training/status/{job.id}").status_code == 404
        assert boss.get(f"/training/status/{job.id}").json()["job_id"] == job.id
        assert boss.get("/training/jobs").json()["jobs"][0]["kind"] == "cli"
