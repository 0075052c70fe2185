import json
import pickle

import httpx2
import msgspec
import pytest
from pydantic import BaseModel

import podtune
from podtune.core.errors import (
    BalanceError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    NotFoundError,
    PodtuneError,
    UnavailableError,
)
from podtune.providers.runpod import client as module
from podtune.providers.runpod import wire
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from support.runpod_account import KEY, NO_INSTANCES, Account, Time, client, pod, problem

VOLUME = wire.CreateVolume(name="v", size=10, data_center="EU-RO-1")


def order(handler, time=None):
    return client(handler, time).create("/pods", VOLUME, wire.Pod)


def test_a_request_says_who_asks_and_carries_the_key_in_its_header_only():
    account = Account(pod())
    client(account).get("/pods", wire.PodList)
    (request,) = account.requests
    assert request.headers["user-agent"] == f"podtune/{podtune.__version__}"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in str(request.url)
    assert str(request.url) == "https://api.test/v2/pods"


def test_without_a_key_there_is_no_client():
    with pytest.raises(CredentialsError) as caught:
        RunPodClient(RunPodAccess(api_key=None))
    assert caught.value.code == "missing_key"


def test_unknown_fields_are_ignored_and_prices_are_numbers_or_text():
    account = Account(pod("a", cost="0.35", novelty={"x": 1}), pod("b", cost=0.35))
    listed = client(account).get("/pods", wire.PodList).pods
    assert str(listed[0].cost) == str(listed[1].cost) == "0.35"


def test_cursors_are_followed_and_a_list_that_does_not_end_is_refused():
    def page(request):
        at = int(request.url.params.get("cursor", "0"))
        body = {"pods": [pod(f"p{at}")], "nextCursor": str(at + 1) if at < 2 else None}
        return httpx2.Response(200, json=body)

    pages = client(page).pages("/pods", wire.PodList, {"includeClusterPods": "false"})
    assert [p.id for one in pages for p in one.pods] == ["p0", "p1", "p2"]

    def forever(request):
        return httpx2.Response(200, json={"pods": [], "nextCursor": "same"})

    with pytest.raises(UnavailableError, match="does not end"):
        client(forever).pages("/pods", wire.PodList)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'{"pods":3}', b'{"pods":[{"name":"x"}]}', b"\xff"])  # fmt: skip
def test_an_answer_of_another_form_is_no_empty_list(content):
    with pytest.raises(UnavailableError) as caught:
        client(lambda _: httpx2.Response(200, content=content)).get("/pods", wire.PodList)
    assert caught.value.code == "vendor_answer"


def test_a_delete_has_no_body_to_read():
    account = Account(pod())
    client(account).delete("/pods/p1")
    assert account.pods == {}
    with pytest.raises(NotFoundError):
        client(account).delete("/pods/p1")


def test_a_delete_is_repeated():
    account = Account(pod())
    account.answer("DELETE /v2/pods/p1", problem(500), httpx2.ReadTimeout("x"))
    client(account).delete("/pods/p1")
    assert account.pods == {}


@pytest.mark.parametrize("answer", [
    httpx2.ReadTimeout("x"), httpx2.ReadError("x"), httpx2.WriteError("x"), httpx2.RemoteProtocolError("x"),
    problem(500), problem(502), httpx2.Response(201, content=b"<html>"), httpx2.Response(201, json={}),
    httpx2.Response(200, content=b""),
])  # fmt: skip
def test_an_order_in_doubt_is_never_sent_again(answer):
    account = Account()
    account.answer("POST /v2/pods", answer)
    with pytest.raises(DoubtfulError):
        order(account)
    assert account.count("POST /v2/pods") == 1


@pytest.mark.parametrize(("answer", "kind"), [
    (problem(400, NO_INSTANCES), NoCapacityError),
    (problem(402), BalanceError),
    (problem(401), CredentialsError),
    (httpx2.ConnectError("x"), UnavailableError),
    (httpx2.ConnectTimeout("x"), UnavailableError),
])  # fmt: skip
def test_an_order_refused_or_never_sent_is_not_in_doubt(answer, kind):
    account = Account()
    account.answer("POST /v2/pods", answer)
    with pytest.raises(kind) as caught:
        order(account)
    assert not isinstance(caught.value, DoubtfulError)
    assert account.count("POST /v2/pods") == 1


def test_an_order_that_came_too_early_is_sent_again():
    account, time = Account(), Time()
    account.answer("POST /v2/pods", problem(429, headers={"Retry-After": "7"}))
    account.answer("POST /v2/pods", httpx2.Response(201, json=pod("n")))
    assert order(account, time).id == "n"
    assert time.slept == [7]


def test_no_error_holds_the_key():
    account = Account()
    asking = client(account)
    echo = httpx2.Response(418, content=json.dumps({"detail": f"who is {KEY} {KEY[4:]}"}))
    account.answer("GET /v2/pods", echo)
    with pytest.raises(PodtuneError) as caught:
        asking.get("/pods", wire.PodList)
    seen = caught.value.message + str(caught.value.to_json()) + repr(pickle.dumps(caught.value))
    assert KEY not in seen
    assert KEY not in repr(asking.access)


def test_graphql_is_asked_without_a_key_in_the_address():
    def handler(request):
        assert str(request.url) == "https://api.test/graphql"
        assert msgspec.json.decode(request.content) == {"query": "query { myself { id } }"}
        return httpx2.Response(200, json={"data": {"myself": {"clientBalance": 12.5}}})

    answer = client(handler).graphql("query { myself { id } }", wire.MyselfAnswer)
    assert answer.data is not None
    assert str(answer.data.myself.client_balance) == "12.5"


def test_a_stream_is_opened_and_a_refusal_of_it_is_ours():
    account = Account()
    account.answer("GET /v2/pods/p/logs", httpx2.Response(200, content=b"data: x\n\n"))
    with client(account).stream("/pods/p/logs", {"tail": "1"}, {"Last-Event-ID": "7"}, 5) as opened:
        assert opened.read() == b"data: x\n\n"
    assert account.requests[0].headers["last-event-id"] == "7"
    with pytest.raises(NotFoundError), client(account).stream("/pods/q/logs", {}, {}, 5):
        pass


def test_closing_closes():
    asking = client(Account())
    asking.close()
    with pytest.raises(RuntimeError):
        asking.get("/pods", wire.PodList)


def test_a_proxy_that_refuses_is_not_in_doubt():
    account = Account()
    account.answer("POST /v2/pods", httpx2.ProxyError("407"))
    with pytest.raises(UnavailableError):
        order(account)


@pytest.mark.parametrize("odd", ["", "..", "a/b", "a?b", "a b", "ended:pt-a-b-1", "x" * 65, "a\n"])
def test_nothing_odd_gets_into_an_address(odd):
    assert module.pod_path("7h9k2m4n6p") == "/pods/7h9k2m4n6p"
    with pytest.raises(NotFoundError):
        module.pod_path(odd)


class _Sent(BaseModel):
    a: int | None = None
    b: str | None = None


class _Told(msgspec.Struct):
    id: str


def test_a_change_sends_what_was_given_and_is_repeated_as_reads_are():
    seen = Account()
    again = problem(503, "later")
    seen.answer("PATCH /v2/templates/t", again, httpx2.Response(200, json={"id": "t"}))
    assert client(seen).change("/templates/t", _Sent(b=None), _Told).id == "t"
    assert [r.content for r in seen.requests] == [b'{"b":null}'] * 2
    assert seen.requests[0].headers["content-type"] == "application/json"
