"""The gateway on a socket: where it listens, and how it stops."""

import contextlib
import os
import socket
import threading
import time

import httpx2
import pytest

from podtune.app.keys import Keys
from podtune.app.service import Service
from podtune.core.access import Scope
from podtune.core.errors import ConflictError, CredentialsError, SpecError
from podtune.gateway import server, sse
from support import gateways
from support.waiting import until


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("::1", True), ("localhost", True), ("127.0.0.2", True),
        ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("train.example.org", False), ("", False),
    ],
)  # fmt: skip
def test_what_counts_as_loopback(host, loopback):
    assert server.is_loopback(host) is loopback


def test_beyond_loopback_it_does_not_listen_without_a_key(tmp_path):
    told = []
    with pytest.raises(CredentialsError) as caught:
        server.serve(gateways.settings(tmp_path), "0.0.0.0", 0, told.append)
    assert caught.value.code == "keys_needed"
    assert "podtune keys create" in caught.value.hint
    assert told == []


def test_the_process_gets_its_umask_back(tmp_path):
    before = os.umask(0o022)
    try:
        with pytest.raises(CredentialsError):
            server.serve(gateways.settings(tmp_path), "0.0.0.0", 0, print)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_with_a_revoked_key_only_it_does_not_either(tmp_path):
    settings = gateways.settings(tmp_path)
    service = Service(settings)
    keys = Keys(service.store())
    key, _ = keys.create("old", [Scope.READ])
    keys.revoke(key.id)
    service.close()
    with pytest.raises(CredentialsError):
        server.serve(settings, "0.0.0.0", 0, print)


def test_a_port_that_is_taken_is_said_so(tmp_path):
    with server.listening("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        with pytest.raises(ConflictError) as caught:
            server.serve(gateways.settings(tmp_path), "127.0.0.1", port, print)
    assert caught.value.code == "port_taken"
    assert f"--port {port + 1}" in caught.value.hint


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_an_address_that_is_not_ours_is_said_so(host):
    with pytest.raises(SpecError) as caught, server.listening(host, 0):
        pass
    assert caught.value.code == "bad_address"


def test_the_address_that_is_told_can_be_opened():
    with server.listening("0.0.0.0", 0) as bound:
        port = bound.getsockname()[1]
        assert server.address_of(bound) == f"http://127.0.0.1:{port}/"
    if socket.has_ipv6:
        with server.listening("::1", 0) as bound:
            assert server.address_of(bound).startswith("http://[::1]:")


def test_streams_end_when_it_stops_and_requests_finish(serve):
    gateway = serve()
    begun = time.monotonic()

    @gateway.app.get("/test-endless")
    def endless():
        def source():
            yield ("", "begin", None)
            while True:
                yield None

        return sse.stream(source())

    with gateway.client() as client, client.stream("GET", "/test-endless") as stream:
        lines = stream.iter_lines()
        next(lines)
        gateway.server.should_exit = True
        assert "event: begin" in list(lines)
    gateway._thread.join(10)
    assert not gateway._thread.is_alive()
    assert time.monotonic() - begun < 8
    with pytest.raises(httpx2.ConnectError), gateway.client() as client:
        client.get("/healthz")


def test_headers_of_proxies_are_not_believed(serve):
    gateway = serve(requests_per_minute=2)
    with gateway.client(gateway.key()) as client:
        codes = [
            client.get("/training/jobs", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
            for n in range(3)
        ]
    assert codes == [200, 200, 429]


def is_closed(line):
    """Whether the other side closes; everything it says before is passed over."""
    line.settimeout(20)
    while True:
        try:
            if not line.recv(65536):
                return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.mark.parametrize("said", [b"", b"GET /hea", HEAD])
def test_who_never_ends_a_head_does_not_keep_a_place(serve, monkeypatch, said):
    monkeypatch.setattr(server, "HEAD_WAIT_S", 0.2)
    gateway = serve()
    with socket.create_connection(("127.0.0.1", gateway.port)) as line:
        line.sendall(said)
        assert is_closed(line)
    until(lambda: not gateway.server.server_state.connections, "the connection is forgotten")


def test_nor_does_who_never_ends_a_later_one(serve, monkeypatch):
    monkeypatch.setattr(server, "HEAD_WAIT_S", 0.5)
    gateway = serve()
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=20) as line:
        line.sendall(HEAD + b"\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 200")
        line.sendall(HEAD)
        assert is_closed(line)


def test_a_byte_now_and_then_is_no_head_either(serve, monkeypatch):
    monkeypatch.setattr(server, "HEAD_WAIT_S", 0.3)
    gateway = serve()
    with socket.create_connection(("127.0.0.1", gateway.port)) as line:
        line.settimeout(0.02)
        dripped = 0
        with contextlib.suppress(OSError):
            for _ in range(1000):
                line.sendall(b"G" if not dripped else b"E")
                dripped += 1
                with contextlib.suppress(TimeoutError):
                    if not line.recv(1):
                        break
        assert dripped < 1000


def test_a_head_in_time_has_all_the_time_for_its_answer(serve, monkeypatch):
    monkeypatch.setattr(server, "HEAD_WAIT_S", 0.2)
    gateway = serve()
    waited = threading.Event()

    @gateway.app.get("/test-long")
    def route():
        waited.wait(0.8)
        return "whole"

    with gateway.client() as client:
        assert client.get("/test-long").json() == "whole"
        assert client.get("/test-long").json() == "whole"
