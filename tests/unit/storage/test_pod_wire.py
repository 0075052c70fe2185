import gzip

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import (
    ArtifactError,
    ConflictError,
    NotFoundError,
    PodtuneError,
    ProviderError,
    SpecError,
    UnavailableError,
)
from podtune.storage.pod_wire import MAX_ANSWER, USER_AGENT, PodWire
from support.runpod_account import Time

TOKEN = "token-that-must-not-show"
OURS = {"X-Podtune": "1"}


@pytest.fixture
def wire():
    made = []

    def make(answer, **more):
        made.append(
            PodWire(
                "https://pod.example",
                SecretStr(TOKEN),
                transport=httpx2.MockTransport(answer),
                **more,
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_what_is_sent(wire):
    seen = []

    def answer(request):
        seen.append(request)
        return httpx2.Response(200, headers=OURS, content=b"{}")

    assert wire(answer).ask("GET", "status").body == b"{}"
    (request,) = seen
    assert str(request.url) == "https://pod.example/status"
    assert request.headers["user-agent"] == USER_AGENT
    assert request.headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 409, 502, 503, 524, 530])
def test_the_proxys_word_is_not_the_machines(wire, status):
    with pytest.raises(UnavailableError) as caught:
        wire(lambda _: httpx2.Response(status, content=b"<html>")).ask("GET", "status")
    assert caught.value.code == "pod_unreachable"
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "said", "kind", "code"),
    [
        (401, {"reason": "no"}, ProviderError, "pod_refused_token"),
        (404, {"reason": "no"}, NotFoundError, "not_found"),
        (409, {"reason": "no", "kind": "begun"}, ConflictError, "pod_begun"),
        (409, {"reason": "no", "kind": "strange"}, ConflictError, "pod_conflict"),
        (422, {"reason": "no"}, ArtifactError, "bundle_damaged"),
        (400, {"reason": "no"}, ProviderError, "pod_answer"),
        (500, {"reason": "no"}, UnavailableError, "pod_failed"),
        (409, [], ConflictError, "pod_conflict"),
    ],
)
def test_the_machines_refusals_are_ours(wire, status, said, kind, code):
    with pytest.raises(kind) as caught:
        wire(lambda _: httpx2.Response(status, headers=OURS, json=said)).ask(
            "PUT", "bundle?offset=1"
        )
    assert caught.value.code == code
    assert "offset" not in str(caught.value)


def test_how_far_the_bundle_came_is_kept(wire):
    answer = httpx2.Response(409, headers=OURS, json={"reason": "7 bytes", "received": 7})
    with pytest.raises(ConflictError) as caught:
        wire(lambda _: answer).ask("PUT", "bundle")
    assert caught.value.context == {"received": 7}


@pytest.mark.parametrize("error", [httpx2.ConnectError, httpx2.ReadTimeout, httpx2.ReadError])
def test_the_network_fails(wire, error):
    def answer(_):
        raise error("https://pod.example/?secret")

    with pytest.raises(UnavailableError) as caught:
        wire(answer).ask("GET", "status")
    assert "secret" not in str(caught.value)


def test_an_answer_without_end_is_cut(wire):
    def endless():
        for _ in range(MAX_ANSWER // 1_000_000 + 2):
            yield bytes(1_000_000)

    with pytest.raises(PodtuneError, match="over"):
        wire(lambda _: httpx2.Response(200, headers=OURS, content=endless())).ask("GET", "log")


@pytest.mark.parametrize("url", ["http://pod.example", "ftp://pod.example", "https://a:b@x"])
def test_only_https_or_this_machine(url):
    with pytest.raises(SpecError):
        PodWire(url, SecretStr(TOKEN))


def dripping(time):
    while True:
        time.seconds += 50
        yield b"x"


@pytest.mark.parametrize("status", [200, 409])
def test_an_answer_that_drips_is_left(wire, status):
    time = Time()
    one = wire(
        lambda _: httpx2.Response(status, headers=OURS, content=dripping(time)),
        clock=time.monotonic,
    )
    with pytest.raises(UnavailableError) as caught:
        one.ask("GET", "status")
    assert caught.value.code == "pod_unreachable"
    assert time.seconds < 200


def test_a_body_that_is_not_taken_is_left(wire):
    time = Time()

    def slow(request):
        for _ in request.stream:
            pass
        return httpx2.Response(200, headers=OURS)

    one = wire(slow, clock=time.monotonic)
    with pytest.raises(UnavailableError):
        one.ask("PUT", "bundle", content=one.in_time(dripping(time)))
    assert time.seconds < 200


@pytest.mark.parametrize("kind", ["gzip", "deflate", "zstd"])
def test_nothing_is_unpacked_on_the_way(wire, kind):
    bomb = gzip.compress(bytes(20 * 2**20))
    seen = []

    def answer(request):
        seen.append(request.headers["accept-encoding"])
        return httpx2.Response(
            200,
            headers={**OURS, "Content-Encoding": kind},
            stream=httpx2.ByteStream(bomb),
        )

    with pytest.raises(UnavailableError, match="not asked for"):
        wire(answer).ask("GET", "status")
    assert seen == ["identity"]


def test_a_proxy_of_the_environment_gets_nothing_for_this_machine(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    here = PodWire("http://127.0.0.1:8466", SecretStr(TOKEN))
    there = PodWire("https://pod.example", SecretStr(TOKEN))
    assert not any(here._client._mounts.values())
    assert any(there._client._mounts.values())
    here.close()
    there.close()
