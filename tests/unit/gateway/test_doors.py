"""Whether a key is needed, and who is answered where none is."""

import pytest
from starlette.datastructures import Headers

from podtune.gateway import doors
from podtune.gateway.doors import FRESH_S, Doors
from podtune.gateway.errors import ForeignOriginError, WrongHostError
from support.waiting import until


class Rack:
    """Keys, and how often it was asked."""

    def __init__(self):
        self.there, self.asked = False, 0

    def any(self):
        self.asked += 1
        return self.there


@pytest.fixture
def rack():
    return Rack()


def test_a_key_locks_within_a_second_and_for_good(rack):
    now = [0.0]
    found = Doors(rack, elapsed=lambda: now[0])
    assert not found.are_locked()
    rack.there = True
    assert not found.are_locked()
    assert rack.asked == 1
    now[0] = FRESH_S
    assert found.known() is None
    assert found.are_locked()
    rack.there = False
    now[0] = 100 * FRESH_S
    assert found.are_locked()
    assert rack.asked == 2


def test_beyond_loopback_it_is_locked_without_asking(rack):
    found = Doors(rack, is_exposed=True)
    assert found.known() is True
    assert found.are_locked()
    assert rack.asked == 0


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:8700", "LOCALHOST:1", "127.0.0.1:8700", "127.8.9.1", "[::1]:8700",
        "dash.localhost:8700",
    ],
)  # fmt: skip
def test_names_of_loopback(host):
    doors.check(Headers({"host": host}))


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:8700", "127.0.0.1.nip.example", "localhost.evil.example",
        "evillocalhost", "169.254.169.254", "0.0.0.0", "10.0.0.1:8700", "", "[::1", "a@127.0.0.1",
        "evil.example#@localhost", "127.0.0.1/../evil", "localhost:8700:1", "localhost.",
        "127.0.0.1 evil.example", "2130706433", "[::ffff:10.0.0.1]",
    ],
)  # fmt: skip
def test_other_names(host):
    with pytest.raises(WrongHostError):
        doors.check(Headers({"host": host}))


def test_a_host_has_to_be_named_once():
    for raw in ([], [(b"host", b"localhost"), (b"host", b"evil.example")]):
        with pytest.raises(WrongHostError):
            doors.check(Headers(raw=raw))


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://localhost:3000", "http://127.0.0.1:8700"]
)
def test_only_our_own_page_may_ask(origin):
    doors.check(Headers({"host": "localhost:8700", "origin": "http://localhost:8700"}))
    with pytest.raises(ForeignOriginError):
        doors.check(Headers({"host": "localhost:8700", "origin": origin}))


@pytest.mark.parametrize("path", ["/", "/training/jobs", "/healthz", "/openapi.json", "/metrics"])
def test_a_rebound_name_reaches_nothing(client, path):
    refused = client.get(path, headers={"Host": "rebound.example:8700", "Accept": "*/*"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (421, "wrong_host")
    headers = {"Origin": "http://rebound.example", "Authorization": "Bearer whatever"}
    assert client.get(path, headers=headers).status_code == 403


def test_with_keys_hosts_are_not_asked_for(gateway):
    token = gateway.key()
    gateway.app.state.parts.doors.are_locked()
    with gateway.client(token) as client:
        answer = client.get("/training/jobs", headers={"Host": "train.example.org"})
        assert answer.status_code == 200
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("name", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
def test_without_keys_nothing_is_answered_through_a_proxy(serve, name):
    gateway = serve()
    with gateway.client() as client:
        refused = client.get("/training/jobs", headers={name: "for=203.0.113.9"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "behind_proxy")
    with gateway.client(gateway.key()) as client:
        until(
            lambda: client.get("/training/jobs", headers={name: "203.0.113.9"}).status_code == 200,
            "the key counts",
        )


@pytest.mark.parametrize(
    "origin", ["null", "http://[", "http://[::1", "http://a]b", "x", "file://"]
)
@pytest.mark.parametrize("has_keys", [False, True])
def test_a_page_that_tells_no_address_is_no_page_of_ours(serve, origin, has_keys):
    gateway = serve(is_exposed=has_keys)
    with gateway.client() as client:
        for path in ("/login", "/theme", "/logout"):
            answer = client.post(path, data={"theme": "dark"}, headers={"Origin": origin})
            assert answer.status_code in (403, 400)
