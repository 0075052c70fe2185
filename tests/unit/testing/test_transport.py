"""The stand-in cloud under a client of this process, on a virtual clock."""

import httpx2
import pytest

from podtune.testing.clock import START, VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.http import Fault, Response, TransportFault
from podtune.testing.transport import transport


@pytest.fixture
def clock():
    return VirtualClock()


@pytest.fixture
def ask(clock):
    """A client of a cloud with one route of its own."""
    clients = []

    def made(answer, *, timeout=10.0, wait=None):
        client = httpx2.Client(
            transport=transport(Answers(answer, clock), wait),
            base_url="https://cloud.test",
            timeout=timeout,
        )
        clients.append(client)
        return client

    yield made
    for client in clients:
        client.close()


class Answers:
    """A cloud that knows one answer."""

    def __init__(self, handle, clock):
        self.handle, self.clock = handle, clock


def passed(clock):
    return (clock.now() - START).total_seconds()


def test_a_whole_cloud_answers(clock):
    head = {"Authorization": "Bearer rpa_x", "User-Agent": "podtune/1"}
    with httpx2.Client(transport=transport(Cloud(clock)), headers=head) as client:
        answer = client.get("https://api.runpod.io/v2/pods")
    assert (answer.status_code, answer.json()) == (200, {"pods": []})


def test_a_request_arrives_whole(ask):
    seen = []

    def answer(request):
        seen.append(request)
        return Response(200, {"x-total": "5"}, b"hello")

    got = ask(answer).post("/x?a=1&a=2", content=b"body", headers={"X-Name": "v"})
    assert (got.text, got.headers["x-total"]) == ("hello", "5")
    (request,) = seen
    assert (request.method, request.path, request.body) == ("POST", "/x", b"body")
    assert dict(request.query) == {"a": ["1", "2"]}
    assert request.headers["x-name"] == "v"


def test_a_reset_is_the_clients_own_error(ask):
    client = ask(lambda request: Response(200, fault=Fault(TransportFault.RESET)))
    with pytest.raises(httpx2.ReadError):
        client.get("/x")


def test_a_delay_moves_the_clock(ask, clock):
    client = ask(lambda request: Response(200, {}, b"x", Fault(TransportFault.DELAY, 4)))
    assert client.get("/x").text == "x"
    assert passed(clock) == 4


def test_a_delay_beyond_the_clients_patience_is_its_timeout(ask, clock):
    client = ask(lambda request: Response(200, {}, b"x", Fault(TransportFault.DELAY, 60)))
    with pytest.raises(httpx2.ReadTimeout):
        client.get("/x")
    assert passed(clock) == 10


def test_a_client_without_a_timeout_waits(ask, clock):
    answer = Response(200, {}, b"x", Fault(TransportFault.DELAY, 3600))
    assert ask(lambda request: answer, timeout=None).get("/x").text == "x"
    assert passed(clock) == 3600


@pytest.mark.parametrize("content", [b"", b"abc", b"y" * 100])
def test_a_slow_drip_is_whole_in_the_end(ask, clock, content):
    client = ask(lambda request: Response(200, {}, content, Fault(TransportFault.SLOW_DRIP, 5)))
    assert client.get("/x").content == content
    assert passed(clock) == pytest.approx(min(len(content), 10) * 0.5)


def test_a_stream_is_read_as_it_comes(ask, clock):
    closed = []

    def pieces():
        try:
            yield b"data: 1\n\n"
            yield b""
            yield b"data: 2\n\n"
        finally:
            closed.append(True)

    with ask(lambda request: Response(200, {}, pieces())).stream("GET", "/x") as answer:
        lines = [line for line in answer.iter_lines() if line]
    assert (lines, closed) == (["data: 1", "data: 2"], [True])
    assert passed(clock) == 0.25


def test_a_stream_that_is_left_is_closed(ask):
    closed = []

    def pieces():
        try:
            while True:
                yield b"more"
        finally:
            closed.append(True)

    with ask(lambda request: Response(200, {}, pieces())).stream("GET", "/x") as answer:
        next(answer.iter_raw())
    assert closed == [True]


def test_a_stream_that_says_nothing_times_out(ask, clock):
    def silence():
        while True:
            yield b""

    client = ask(lambda request: Response(200, {}, silence()))
    with pytest.raises(httpx2.ReadTimeout):
        client.get("/x")
    assert passed(clock) == 10


def test_a_stream_that_breaks_is_a_connection_that_broke(ask):
    def pieces():
        yield b"half"
        raise ValueError

    with pytest.raises(httpx2.ReadError):
        ask(lambda request: Response(200, {}, pieces())).get("/x")


def test_an_answer_that_comes_later_is_waited_for(ask, clock):
    waiting = [None, None, Response(200, {}, b"now")]
    assert ask(lambda request: Response(0, later=lambda: waiting.pop(0))).get("/x").text == "now"
    assert passed(clock) == 0.5
    with pytest.raises(httpx2.ReadTimeout):
        ask(lambda request: Response(0, later=lambda: None)).get("/x")


def test_how_seconds_pass_can_be_said(ask, clock):
    slept = []
    answer = Response(200, {}, b"x", Fault(TransportFault.DELAY, 2))
    ask(lambda request: answer, wait=slept.append).get("/x")
    assert (slept, passed(clock)) == ([2], 0)
