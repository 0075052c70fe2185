"""Bounds of the server: slow clients, too many of them, bodies that lie."""

import http.client
import socket
import threading

import pytest

import orders as order_book
import port_server
from orders import Refused
from podtune.core.handover import pod_environment
from support.pod_machine import TOKEN, Machine, eventually


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    with Machine(tmp_path_factory.mktemp("bounds")) as machine:
        eventually(machine.is_up)
        yield machine


def connect(machine):
    return socket.create_connection(("127.0.0.1", machine.port_number), timeout=10)


def test_one_connection_takes_several_requests(one):
    connection = http.client.HTTPConnection("127.0.0.1", one.port_number, timeout=10)
    for _ in range(3):
        connection.request("GET", "/status", headers={"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert answer.headers["X-Podtune"] == "1"
        answer.read()
    connection.close()


def test_connections_beyond_the_bound_are_closed(one):
    held = [connect(one) for _ in range(port_server.MAX_CONNECTIONS)]
    try:
        extra = connect(one)
        assert extra.recv(1) == b""
        extra.close()
    finally:
        for connection in held:
            connection.close()
    assert eventually(one.is_up)


@pytest.mark.parametrize(
    "lines", [b"nonsense\r\n\r\n", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_http_is_answered_and_closed(one, lines):
    with connect(one) as connection:
        connection.sendall(lines)
        assert connection.recv(100)
    assert one.is_up()


def test_an_unread_body_is_not_the_next_request(one):
    with connect(one) as connection:
        connection.sendall(
            b"PUT /bundle?offset=0 HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n"
            b"GET /health HTTP/1.1\r\n\r\n......"
        )
        answer = b""
        while block := connection.recv(4096):
            answer += block
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.startswith(b"HTTP/1.1 401")


@pytest.mark.parametrize(
    "head",
    [
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity\r\nContent-Length: 0",
        b"Content-Length: 0\r\nContent-Length: 44",
        b"Content-Length: " + b"9" * 5000,
        b"Content-Length: +0",
    ],
)
@pytest.mark.parametrize("target", [b"POST /cancel", b"GET /health", b"PUT /bundle"])
def test_a_stranger_leaves_no_second_answer_on_a_shared_connection(one, head, target):
    """The vendor's proxy sends many clients' requests over one connection."""
    with connect(one) as connection:
        connection.sendall(
            target + b" HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n"
            b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
        )  # fmt: skip
        answer = b""
        while block := connection.recv(4096):
            answer += block
    assert answer.count(b"HTTP/1.1") == 1
    assert b" 400 " in answer


def test_a_length_that_is_none(one):
    with connect(one) as connection:
        connection.sendall(b"POST /cancel HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n")
        assert b" 400 " in connection.recv(4096)
    assert one.is_up()


class Asking:
    """A request for a range."""

    wanted_range = port_server.Ask.wanted_range

    def __init__(self, wanted):
        self.headers = {"Range": wanted} if wanted else {}


@pytest.fixture
def ten(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    files = [{"name": "a", "bytes": 10, "sha256": "0" * 64}]
    return lambda wanted, name="a": port_server.piece(tmp_path, files, name, Asking(wanted))


@pytest.mark.parametrize(
    ("wanted", "status", "length"),
    [(None, 200, 10), ("bytes=0-", 206, 10), ("bytes=3-5", 206, 3), ("bytes=9-99", 206, 1),
     ("bytes=10-", 206, 0)],
)  # fmt: skip
def test_ranges(ten, wanted, status, length):
    answer = ten(wanted)
    assert (answer.status, answer.length) == (status, length)


@pytest.mark.parametrize("wanted", ["bytes=11-", "bytes=x-", "bytes=-5", "bytes=1-x"])
def test_ranges_that_are_none(ten, wanted):
    with pytest.raises(Refused) as caught:
        ten(wanted)
    assert caught.value.status == 416


@pytest.mark.parametrize("name", ["b", "../a", "/etc/passwd", "a/../a", ""])
def test_only_what_is_listed(ten, name):
    with pytest.raises(Refused) as caught:
        ten(None, name)
    assert caught.value.status == 404


class Reads:
    """Reads the whole body of any request."""

    def answer(self, ask):
        return port_server.Answer(body={"bytes": len(ask.body(1000))})


@pytest.fixture
def impatient(tmp_path, monkeypatch):
    """A server of this process that waits a moment only."""
    monkeypatch.setattr(port_server.Ask, "timeout", 0.2)
    told = pod_environment(
        job="demo", attempt=1, token=TOKEN, figures={"DEADLINE": 2e9, "STARTED": 1.9e9}
    )
    bound = {"PODTUNE_BIND_HOST": "127.0.0.1", "PODTUNE_BIND_PORT": "0"}
    server = port_server.Server(order_book.read({**told, **bound}), Reads())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("said", [b"", b"POST /x HT", b"POST /x HTTP/1.1\r\nHost"])
def test_a_client_that_says_no_more_is_let_go(impatient, said):
    with socket.create_connection(impatient, timeout=10) as connection:
        connection.sendall(said)
        assert connection.recv(100) == b""


def test_a_body_that_stops_is_let_go(impatient):
    head = f"POST /x HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection(impatient, timeout=10) as connection:
        connection.sendall(head.encode() + b"half")
        assert connection.recv(100) == b""
    with socket.create_connection(impatient, timeout=10) as connection:
        connection.sendall(head.encode() + b"the whole")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_a_body_that_drips_is_let_go(impatient, monkeypatch):
    monkeypatch.setattr(port_server, "BODY_LIMIT_S", -1.0)
    head = f"POST /x HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection(impatient, timeout=10) as connection:
        connection.sendall(head.encode() + b"h")
        assert connection.recv(100) == b""


def drip(connection):
    for _ in range(500):
        connection.sendall(b"G")
        threading.Event().wait(0.02)


def test_a_head_that_drips_is_let_go(impatient, monkeypatch):
    monkeypatch.setattr(port_server, "HEAD_LIMIT_S", 0.3)
    with (
        socket.create_connection(impatient, timeout=10) as connection,
        pytest.raises(ConnectionError),
    ):
        drip(connection)
