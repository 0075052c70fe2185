"""The door to `/mcp`; what is behind it is in tests/unit/mcp_server/test_http.py."""

from contextlib import asynccontextmanager

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse

from podtune.core.access import Scope
from support import gateways

PATH = "/mcp"


class Echo:
    """Answers who was let in."""

    def __init__(self):
        self.is_served = False

    @asynccontextmanager
    async def serving(self, submissions, door, closing):
        async def inner(scope, receive, send):
            request = Request(scope, receive)
            told = {
                "tenant": door.principal(request).tenant,
                "body": (await request.body()).decode(),
            }
            if request.headers.get("x-submit"):
                door.count_submit(request)
            await JSONResponse(told)(scope, receive, send)

        self.is_served = True
        yield inner
        self.is_served = False


@pytest.fixture
def echo():
    return Echo()


@pytest.fixture
def start(tmp_path, echo):
    started = []

    def begin(*, is_exposed=False, **settings):
        made = gateways.settings(tmp_path, **settings)
        started.append(gateways.Gateway(made, is_exposed=is_exposed, agents=echo))
        return started[-1]

    yield begin
    for one in started:
        one.close()


def test_without_keys_this_machine_s_own_user_comes_in(start, echo):
    with start().client() as client:
        answer = client.post(PATH, content=b"{}")
    assert answer.json() == {"tenant": None, "body": "{}"}
    assert echo.is_served


def test_it_is_served_no_longer_than_the_gateway(tmp_path, echo):
    with gateways.Gateway(gateways.settings(tmp_path), agents=echo):
        assert echo.is_served
    assert not echo.is_served


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Host": "rebound.example"}, 421, "wrong_host"),
        ({"Origin": "https://evil.example"}, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
        ({"X-Forwarded-For": "203.0.113.7"}, 403, "behind_proxy"),
    ],
)
def test_without_keys_no_page_and_no_other_machine_comes_in(start, headers, status, code):
    with start().client(**headers) as client:
        answer = client.post(PATH, content=b"{}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_beyond_loopback_nobody_comes_in_without_a_key(start):
    with start(is_exposed=True).client() as client:
        answer = client.post(PATH, content=b"{}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "missing_key")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_once_there_is_a_key_each_caller_is_its_key_s(start):
    gateway = start()
    token = gateway.key(Scope.READ)
    with gateway.client(token) as client:
        assert client.post(PATH, content=b"{}").json()["tenant"] is not None
    with gateway.client() as client:
        assert client.post(PATH, content=b"{}").status_code == 401
    with gateway.client("ptk_unknown_x") as client:
        assert client.post(PATH, content=b"{}").status_code == 401


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_no_stream_is_kept_open_and_no_session_is_ended(start, method):
    with start().client() as client:
        answer = client.request(method, PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_bodies_are_bounded_and_requests_counted(start):
    gateway = start(requests_per_minute=3, submits_per_minute=1)
    with gateway.client() as client:
        assert client.post(PATH, content=b"x" * (2 << 20)).status_code == 413
        assert client.post(PATH, headers={"x-submit": "1"}).status_code == 200
        assert client.post(PATH, headers={"x-submit": "1"}).status_code == 429
        assert client.post(PATH).status_code == 200
        assert client.post(PATH).status_code == 429


def test_without_a_face_there_is_nothing_at_the_address(tmp_path):
    with gateways.Gateway(gateways.settings(tmp_path)) as gateway, gateway.client() as client:
        assert client.post(PATH).status_code == 404
