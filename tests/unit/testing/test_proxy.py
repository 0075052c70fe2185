"""The proxy in front of pods, against a real server of the standard library."""

import socket
import threading
from http.client import IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from podtune.testing.http import Request
from podtune.testing.proxy import binding, forward, free_port, http_ports, plain


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[tuple[str, str, dict[str, str], bytes]]]
    hold: ClassVar[threading.Event]

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        named = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.command, self.path, named, body))
        if self.path == "/hang":
            self.hold.wait(10)
        if self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
            return
        if self.path == "/chunks":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one", b"two"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_response(207)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Total", "7")
        self.send_header("X-Twice", "a")
        self.send_header("X-Twice", "b")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_PUT = do_HEAD = do_GET  # noqa: N815 - names of the standard library

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    class Own(Handler):
        seen: ClassVar = []
        hold = threading.Event()

    made = ThreadingHTTPServer(("127.0.0.1", 0), Own)
    thread = threading.Thread(target=made.serve_forever, args=(0.02,))
    thread.start()
    made.seen = Own.seen
    yield made
    Own.hold.set()
    made.shutdown()
    made.server_close()
    thread.join()


def test_a_request_goes_through_whole(server):
    request = Request.of(
        "put",
        "http://x/bundle?offset=5&offset=6&name=a%20b",
        {"Authorization": "Bearer t", "Host": "elsewhere", "Connection": "close"},
        b"bytes",
    )
    answer = forward(server.server_port, request)
    assert (answer.status, answer.content()) == (207, b"bytes")
    assert answer.headers["x-total"] == "7"
    assert answer.headers["x-twice"] == "a, b"
    ((method, path, headers, body),) = server.seen
    assert (method, path, body) == ("PUT", "/bundle?offset=5&offset=6&name=a+b", b"bytes")
    assert headers["authorization"] == "Bearer t"
    assert headers["host"] == f"127.0.0.1:{server.server_port}"


def test_an_answer_is_a_stream_of_pieces(server):
    answer = forward(server.server_port, Request.of("GET", "/chunks"))
    assert b"".join(answer.body) == b"onetwo"
    assert "transfer-encoding" not in answer.headers


def test_a_head_has_no_body(server):
    answer = forward(server.server_port, Request.of("HEAD", "/"))
    assert (answer.status, answer.body) == (207, b"")


def test_signs_that_mean_something_in_an_address_stay_what_they_are(server):
    forward(server.server_port, Request("GET", "/files/a b%20c#d", {}, {}))
    assert server.seen[0][1] == "/files/a%20b%2520c%23d"


def test_where_nothing_listens_the_answer_is_502():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert forward(port, Request.of("GET", "/")).status == 502


def test_what_takes_too_long_is_524(server):
    assert forward(server.server_port, Request.of("GET", "/hang"), limit_s=0.05).status == 524


def test_an_answer_that_breaks_off_is_no_whole_one(server):
    answer = forward(server.server_port, Request.of("GET", "/cut"))
    with pytest.raises(IncompleteRead):
        b"".join(answer.body)


def test_the_proxys_own_words_are_text():
    assert plain(502, "x").headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("ports", "numbers"),
    [(["8466/http", "22/tcp"], [8466]), (["x/http", "80"], []), (["1/http", "2/http"], [1, 2])],
)
def test_only_http_ports_are_offered_by_the_proxy(ports, numbers):
    assert http_ports(ports) == numbers


def test_a_free_port_can_be_taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))


@pytest.mark.parametrize(("own", "port"), [("8466", "2"), ("", "1"), ("9", "1"), ("x", "1")])
def test_a_program_is_told_the_port_that_stands_for_its_own(own, port):
    told = binding({8888: 1, 8466: 2}, own)
    assert told["PODTUNE_BIND_PORT"] == port
    assert (told["PODTUNE_BIND_PORT_8888"], told["PODTUNE_BIND_PORT_8466"]) == ("1", "2")
    assert binding({}, own) == {}
