"""The ASGI shell without a server: requests in, messages out, faults carried out."""

import asyncio
import socket
import threading

import pytest

from podtune.testing import asgi
from podtune.testing.asgi import App
from podtune.testing.http import Fault, Response, TransportFault


class Talk:
    """One request, what was sent for it, and a connection that may be reset."""

    def __init__(self, path="/x", *, body=(b"",), stays=True):
        self.scope = {
            "type": "http",
            "method": "post",
            "path": path,
            "query_string": b"a=1&a=2&b=",
            "headers": [(b"X-Name", b"v"), (b"Host", b"127.0.0.1:1")],
            asgi.TRANSPORT: self,
        }
        self.left = [
            {"type": "http.request", "body": piece, "more_body": number < len(body)}
            for number, piece in enumerate(body, 1)
        ]
        self.stays, self.sent, self.aborted, self.linger = stays, [], False, None
        self.over = asyncio.Event()

    async def receive(self):
        if self.left:
            return self.left.pop(0)
        if self.stays:
            await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        self.sent.append(message)

    def is_closing(self):
        return self.aborted

    def get_extra_info(self, _):
        return self

    def setsockopt(self, level, option, value):
        self.linger = (level, option, value)

    def abort(self):
        self.aborted = True
        self.over.set()

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def headers(self):
        return {n.decode(): v.decode() for n, v in self.sent[0]["headers"]}

    @property
    def body(self):
        return b"".join(message["body"] for message in self.sent[1:])


class Answers:
    """A cloud that knows one answer."""

    def __init__(self, handle):
        self.handle = handle


def talk(answer, **changes):
    """Ask once."""
    cloud = Answers(answer)

    async def asked():
        app, made = App(cloud, poll_s=0.001), Talk(**changes)
        try:
            await asyncio.wait_for(app(made.scope, made.receive, made.send), 10)
        finally:
            app.close()
        return made

    return asyncio.run(asked())


def test_a_request_arrives_whole():
    seen = []

    def answer(request):
        seen.append(request)
        return Response(201, {"X-Total": "5"}, b"hello")

    made = talk(answer, body=(b"one ", b"two"))
    assert (made.status, made.body) == (201, b"hello")
    assert made.headers == {"x-total": "5", "content-length": "5"}
    (request,) = seen
    assert (request.method, request.body) == ("POST", b"one two")
    assert dict(request.query) == {"a": ["1", "2"], "b": [""]}
    assert dict(request.headers) == {"x-name": "v", "host": "127.0.0.1:1"}


def test_a_body_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(asgi, "BODY_BYTES", 10)
    made = talk(lambda request: Response(200), body=(b"12345", b"678901", b"2"))
    assert made.status == 413


def test_a_client_that_leaves_while_it_sends_is_let_go():
    made = talk(lambda request: Response(200), body=(), stays=False)
    assert made.sent == []


def test_a_stream_is_sent_piece_by_piece_with_pauses():
    made = talk(lambda request: Response(200, {}, iter([b"a", b"", b"", b"b"])))
    assert [m["body"] for m in made.sent[1:]] == [b"a", b"b", b""]
    assert "content-length" not in made.headers


def test_a_stream_is_closed_when_its_reader_leaves():
    closed = threading.Event()

    def pieces():
        try:
            while True:
                yield b""
        finally:
            closed.set()

    talk(lambda request: Response(200, {}, pieces()), stays=False)
    assert closed.is_set()


def test_a_stream_that_breaks_is_reset_and_never_looks_whole():
    def pieces():
        yield b"half"
        raise OSError("the pod is gone")

    made = talk(lambda request: Response(200, {}, pieces()))
    assert made.aborted
    assert made.sent[-1] == {"type": "http.response.body", "body": b"half", "more_body": True}


def test_an_answer_that_comes_later_is_asked_for_again():
    waiting = [None, None, Response(200, {}, b"now")]
    made = talk(lambda request: Response(0, later=lambda: waiting.pop(0)))
    assert (made.status, made.body, waiting) == (200, b"now", [])


def test_nobody_waits_for_a_client_that_left():
    made = talk(lambda request: Response(0, later=lambda: None), stays=False)
    assert made.sent == []


def test_a_reset_comes_before_the_first_byte():
    made = talk(lambda request: Response(200, {}, b"x", Fault(TransportFault.RESET)))
    assert (made.sent, made.aborted) == ([], True)
    assert made.linger[:2] == (socket.SOL_SOCKET, socket.SO_LINGER)


@pytest.mark.parametrize("seconds", [0.0, 0.01])
def test_a_delayed_answer_is_the_same_answer(seconds):
    made = talk(lambda request: Response(200, {}, b"x", Fault(TransportFault.DELAY, seconds)))
    assert (made.status, made.body) == (200, b"x")


@pytest.mark.parametrize("content", [b"", b"abc", b"x" * 1000])
def test_a_dripping_answer_comes_in_pieces(content):
    made = talk(lambda request: Response(200, {}, content, Fault(TransportFault.SLOW_DRIP, 0.02)))
    assert made.body == content
    assert len(made.sent) - 1 == min(len(content), 40) + 1
    assert made.headers["content-length"] == str(len(content))


def test_a_websocket_is_turned_away():
    async def asked():
        app, made = App(Answers(None)), Talk()
        await app({"type": "websocket"}, made.receive, made.send)
        app.close()
        return made

    assert asyncio.run(asked()).sent == [{"type": "websocket.close", "code": 1003}]
