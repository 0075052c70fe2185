"""Streams that poll."""

from contextlib import ExitStack

import anyio
import pytest

from podtune.app.keys import Keys
from podtune.core.access import Scope
from podtune.gateway import sse
from podtune.gateway.callers import Reader
from support.gateways import sse as parsed
from support.waiting import until


def collected(source, closing=None, **options):
    async def run():
        event = closing or anyio.Event()
        return [piece async for piece in sse.polled(iter(source), event, **options)]

    return anyio.run(run)


def test_a_source_is_asked_until_it_ends():
    assert collected(["a", None, "b", None], poll_s=0.001) == ["a", "b"]


def test_silence_is_filled_now_and_then():
    found = collected([None] * 6 + ["a"], poll_s=0.001, heartbeat_s=0.002)
    assert found == [None, None, None, "a"]


def test_it_ends_when_the_server_closes():
    async def run():
        closing, got = anyio.Event(), []

        def source():
            yield "a"
            while True:
                yield None

        with anyio.fail_after(5):
            async for piece in sse.polled(source(), closing, poll_s=30):
                got.append(piece)
                async with anyio.create_task_group() as group:
                    group.start_soon(closed_soon, closing)
        return got

    async def closed_soon(closing):
        closing.set()

    assert anyio.run(run) == ["a"]


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (("1:2", "step", {"a": 1}), 'id: 1:2\nevent: step\ndata: {"a":1}\n\n'),
        (("", "end", None), "event: end\ndata: null\n\n"),
        (("1\n\ndata: x", "a\r\nb", "c\nd"), 'id: 1data: x\nevent: ab\ndata: "c\\nd"\n\n'),
    ],
)
def test_messages_cannot_be_broken_up(message, line):
    assert sse.told(message) == line


def test_hostile_text_comes_back_as_it_was():
    hostile = "\u2028 \x85 </script> \x00 \r\n\r\ndata: {}"
    (found,) = parsed(sse.told(("1:1", "log", hostile)).split("\n"))
    assert found == ("1:1", "log", hostile)


def test_a_stream_of_events_over_a_socket(gateway, client):
    @gateway.app.get("/test-stream")
    def route():
        return sse.stream(iter([("1:0", "a", 1), None, ("1:1", "b", [2])]))

    answer = client.get("/test-stream")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("retry: ")
    assert parsed(answer.text.split("\n")) == [("1:0", "a", 1), ("1:1", "b", [2])]


def test_a_text_over_a_socket_holds_nothing_else(gateway, client):
    @gateway.app.get("/test-text")
    def route():
        return sse.text(iter(["a", None, "ö\n"]))

    assert client.get("/test-text").text == "aö\n"


def test_many_open_streams_leave_room_for_requests(gateway, client):
    @gateway.app.get("/test-endless")
    def route():
        def source():
            yield ("", "begin", None)
            while True:
                yield None

        return sse.stream(source())

    with ExitStack() as stack:
        lines = []
        for _ in range(60):
            one = stack.enter_context(gateway.client())
            lines.append(stack.enter_context(one.stream("GET", "/test-endless")).iter_lines())
            next(lines[-1])
        assert client.get("/training/jobs").status_code == 200
        assert "podtune_http_streams 60.0" in client.get("/metrics").text
    until(lambda: "podtune_http_streams 0.0" in client.get("/metrics").text, "their end")


def test_it_ends_when_the_key_does_not_open_any_more():
    opens = iter([True, True, False])
    found = collected(iter(["a"] * 9), still=lambda: next(opens), check_s=0)
    assert found == ["a", "a"]


def test_a_key_that_is_revoked_ends_its_open_streams(serve, monkeypatch):
    monkeypatch.setattr(sse, "CHECK_S", 0.05)
    gateway = serve()
    keys = Keys(gateway.store)
    number, token = keys.create("reader", [Scope.READ], tenant="ann")

    @gateway.app.get("/test-endless")
    def route(desk: Reader):
        def source():
            yield ("", "begin", None)
            while True:
                yield None

        return sse.stream(source())

    with gateway.client(token.get_secret_value()) as client:
        with client.stream("GET", "/test-endless") as stream:
            lines = stream.iter_lines()
            next(lines)
            keys.revoke(number.id)
            list(lines)  # it ends
        assert client.get("/test-endless").status_code == 401


def test_one_caller_cannot_have_all_streams(serve):
    gateway = serve(streams_per_caller=3)

    @gateway.app.get("/test-endless")
    def route(desk: Reader):
        def source():
            yield ("", "begin", None)
            while True:
                yield None

        return sse.stream(source())

    ann, bob = gateway.key(), gateway.key()
    with ExitStack() as stack:
        lines = []
        for _ in range(3):
            one = stack.enter_context(gateway.client(ann))
            lines.append(stack.enter_context(one.stream("GET", "/test-endless")).iter_lines())
            next(lines[-1])
        with gateway.client(ann) as client:
            refused = client.get("/test-endless")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
            assert refused.json()["error"]["code"] == "too_many_requests"
        with gateway.client(bob) as client, client.stream("GET", "/test-endless") as other:
            assert other.status_code == 200

    def is_free():
        with gateway.client(ann) as client, client.stream("GET", "/test-endless") as again:
            return again.status_code == 200

    until(is_free, "the places are free again")
