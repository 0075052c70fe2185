"""Patience and its bounds, through the client: what is sent again, how long is waited, what is cut."""

import gzip

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import PodtuneError, ProviderError, UnavailableError
from podtune.providers.runpod import sending, wire
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.testing.cloud import Cloud
from podtune.testing.server import CloudServer
from support.runpod_account import KEY, Account, Time, client, problem


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 524])
def test_a_read_is_repeated_with_growing_pauses(status):
    account, time = Account(), Time()
    account.answer("GET /v2/pods", *[problem(status) for _ in range(3)])
    client(account, time).get("/pods", wire.PodList)
    assert account.count("GET /v2/pods") == 4
    assert len(time.slept) == 3
    assert 0.25 <= time.slept[0] <= 0.5
    assert time.slept == sorted(time.slept)


def test_a_read_that_stays_refused_says_why():
    account = Account()
    account.answer("GET /v2/pods", *[problem(503, "maintenance") for _ in range(9)])
    with pytest.raises(UnavailableError, match="maintenance"):
        client(account).get("/pods", wire.PodList)
    assert account.count("GET /v2/pods") == sending.TRIES


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 422])
def test_a_refusal_is_not_repeated(status):
    account = Account()
    account.answer("GET /v2/pods", problem(status))
    with pytest.raises(PodtuneError):
        client(account).get("/pods", wire.PodList)
    assert account.count("GET /v2/pods") == 1


@pytest.mark.parametrize("broken", [httpx2.ReadTimeout("x"), httpx2.ConnectError("x"), httpx2.RemoteProtocolError("x")])  # fmt: skip
def test_a_broken_connection_is_tried_again(broken):
    account = Account()
    account.answer("GET /v2/pods", broken, broken)
    assert client(account).get("/pods", wire.PodList).pods == []


def test_retry_after_is_obeyed_up_to_a_bound():
    account, time = Account(), Time()
    account.answer("GET /v2/pods", problem(429, headers={"Retry-After": "12"}))
    client(account, time).get("/pods", wire.PodList)
    assert time.slept == [12]
    account.answer("GET /v2/pods", problem(429, headers={"Retry-After": "1800"}))
    with pytest.raises(UnavailableError) as caught:
        client(account, time).get("/pods", wire.PodList)
    assert caught.value.code == "rate_limited"
    assert caught.value.context["retry_after_s"] == 1800
    assert time.slept == [12]


def test_the_client_slows_down_before_the_limit():
    account, time = Account(), Time()
    limits = {"RateLimit": '"minute";r=2;t=9, "hour";r=2800;t=1812'}
    account.answer("GET /v2/pods", httpx2.Response(200, json={"pods": []}, headers=limits))
    asking = client(account, time)
    asking.get("/pods", wire.PodList)
    asking.get("/pods", wire.PodList)
    assert time.slept == [3]


def test_redirects_are_not_followed():
    account = Account()
    account.answer("GET /v2/pods", httpx2.Response(302, headers={"Location": "https://evil.test/"}))
    with pytest.raises(ProviderError) as caught:
        client(account).get("/pods", wire.PodList)
    assert caught.value.code == "redirected"
    assert len(account.requests) == 1


def test_an_answer_without_end_is_cut():
    bomb = gzip.compress(b" " * (sending.LARGEST_ANSWER + 1), 1)
    answer = httpx2.Response(200, content=bomb, headers={"content-encoding": "gzip"})
    with pytest.raises(UnavailableError, match="larger"):
        client(lambda _: answer).get("/pods", wire.PodList)


def test_an_answer_that_drips_is_left():
    time = Time()

    def drip():
        for _ in range(1000):
            time.seconds += 1
            yield b" "

    handler = lambda _: httpx2.Response(200, content=drip())  # noqa: E731
    with pytest.raises(UnavailableError, match="took more"):
        client(handler, time).get("/pods", wire.PodList)
    assert time.seconds < 4 * 130 + 20


def test_what_is_asked_of_this_machine_goes_through_no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with CloudServer(Cloud()) as server:
        access = RunPodAccess(api_key=SecretStr(KEY), rest_url=f"{server.url}/v2")
        with RunPodClient(access) as asking:
            assert asking.get("/pods", wire.PodList).pods == []


@pytest.mark.parametrize("text", ["", "soon", "Sun, 99 Nov 2026 12:00:00 GMT", "Sun, 22 Nov 2026 12:00:00"])  # fmt: skip
def test_a_date_that_cannot_be_read_says_nothing(text):
    account = Account()
    account.answer("GET /v2/pods", httpx2.Response(200, json={"pods": []}, headers={"date": text}))
    asked = client(account)
    asked.get("/pods", wire.PodList)
    assert asked.told_at is None
