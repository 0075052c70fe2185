"""A browser's session: sealed, checked each time, used by our own pages only."""

from datetime import UTC, datetime, timedelta

import pytest
from fastapi import Request
from starlette.responses import Response

from podtune.app.installation import SigningKey
from podtune.app.keys import Keys
from podtune.gateway import sessions
from podtune.gateway.sessions import COOKIE, LASTS_S, Sessions

TOKEN = "ptk_abc_" + "0" * 64
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def at(moment=NOON, key=b"k" * 32, **more):
    return Sessions(SigningKey(key), clock=lambda: moment, **more)


def asked(cookie):
    return Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}={cookie}".encode())]})


def test_a_sealed_key_opens_again_and_cannot_be_read():
    sealed = at().seal(TOKEN)
    assert TOKEN not in sealed
    assert at(NOON + timedelta(hours=1)).opened(asked(sealed)).get_secret_value() == TOKEN


@pytest.mark.parametrize(
    "who", [at(NOON + timedelta(seconds=LASTS_S + 1)), at(key=b"o" * 32), at(NOON - timedelta(1))]
)
def test_old_foreign_and_future_ones_do_not(who):
    assert who.opened(asked(at().seal(TOKEN))) is None


@pytest.mark.parametrize("cookie", ["", "x", "é", "gAAAA" * 50, TOKEN])
def test_nonsense_is_no_session(cookie):
    request = Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}={cookie}".encode())]})
    assert at().opened(request) is None
    assert at().opened(Request({"type": "http", "headers": []})) is None


@pytest.mark.parametrize("is_https", [False, True])
def test_the_cookie_is_for_our_pages_only(is_https):
    response = Response()
    at(is_https=is_https).begin(response, TOKEN)
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert ("; secure" in cookie) is is_https
    gone = Response()
    at().end(gone)
    assert "max-age=0" in gone.headers["set-cookie"].lower()


def test_a_session_opens_what_its_key_opens_until_that_is_revoked(gateway):
    token = gateway.key()
    cookie = gateway.app.state.parts.sessions.seal(token)
    with gateway.client() as browser:
        assert browser.get("/training/jobs").status_code in (200, 401)
        browser.cookies.set(COOKIE, cookie)
        gateway.app.state.parts.doors._looked_at = None
        assert browser.get("/training/jobs").status_code == 200
        Keys(gateway.store).revoke(token.split("_")[1])
        assert browser.get("/training/jobs").status_code == 401


def test_what_changes_something_needs_our_own_origin(gateway):
    cookie = gateway.app.state.parts.sessions.seal(gateway.key())
    gateway.app.state.parts.doors._looked_at = None
    with gateway.client(Cookie=f"{COOKIE}={cookie}") as browser:
        for origin in (None, "http://evil.example", "null"):
            headers = {} if origin is None else {"Origin": origin}
            refused = browser.post("/training/cancel/none", headers=headers)
            assert (refused.status_code, refused.json()["error"]["code"]) == (403, "foreign_origin")
        ours = browser.post("/training/cancel/none", headers={"Origin": gateway.url})
        assert ours.status_code == 404


def test_routes_open_and_close_them(gateway):
    request = Request({"type": "http", "app": gateway.app, "headers": []})
    begun, ended = Response(), Response()
    sessions.open(request, begun, TOKEN)
    sessions.close(request, ended)
    assert COOKIE in begun.headers["set-cookie"]
    assert "max-age=0" in ended.headers["set-cookie"].lower()
