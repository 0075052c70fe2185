"""The connection goes where it was told, under the name it was given, and ends in time."""

import ipaddress
import logging

import httpcore2
import pytest

from podtune.egress import connection
from podtune.egress.addresses import Policy, parse
from podtune.egress.connection import Deadline, DeadlinePassedError, Limits
from support.odd_server import Authority, OddServer, redirect, response, until_closed

LOOPBACK = ipaddress.ip_address("127.0.0.1")
LIMITS = Limits()


class Clock:
    """Passes `step_s` with every look at it."""

    def __init__(self, step_s=0.0):
        self.now, self.step_s = 100.0, step_s

    def __call__(self):
        self.now += self.step_s
        return self.now


@pytest.fixture(scope="module")
def authority():
    return Authority()


def ask(url, authority, *, port, clock=None, addresses=(LOOPBACK,), total_s=60.0):
    """GET; status and body."""
    policy = Policy.of(http=True, private_hosts=f"127.0.0.1:{port}", allow_hosts="")
    with connection.request(
        "GET",
        parse(url, policy),
        addresses,
        Deadline(clock or Clock(), total_s),
        tls=authority.client(),
        limits=LIMITS,
    ) as answer:
        return answer.status, answer.read()


def test_host_header_and_sni_keep_the_name_while_tcp_goes_to_the_address(tmp_path, authority):
    seen = []
    tls = authority.server(tmp_path, ["files.example.org"], seen)
    with OddServer({"/a": response(200, b"rows")}, tls=tls) as server:
        url = f"https://files.example.org:{server.port}/a?sig=x"
        assert ask(url, authority, port=server.port) == (200, b"rows")
        lines = server.requests[0].split("\r\n")
        assert lines[0] == "GET /a?sig=x HTTP/1.1"
        assert f"Host: files.example.org:{server.port}" in lines
    assert seen == ["files.example.org"]


def test_an_address_as_host_is_checked_against_the_certificate_too(tmp_path, authority):
    tls = authority.server(tmp_path, ["127.0.0.1"])
    with OddServer({"/": response(200, b"rows")}, tls=tls) as server:
        url = f"https://127.0.0.1:{server.port}/"
        assert ask(url, authority, port=server.port) == (200, b"rows")


def test_nothing_but_five_headers_is_sent(authority):
    with OddServer({"/": response(200)}) as server:
        ask(f"http://127.0.0.1:{server.port}/", authority, port=server.port)
        names = [line.partition(":")[0] for line in server.requests[0].strip().split("\r\n")[1:]]
    assert sorted(names) == ["Accept", "Accept-Encoding", "Connection", "Host", "User-Agent"]


def test_no_proxy_of_the_environment_is_used(authority, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with OddServer({"/": response(200, b"x")}) as server:
        url = f"http://127.0.0.1:{server.port}/"
        assert ask(url, authority, port=server.port) == (200, b"x")


def test_the_next_address_is_tried_when_one_does_not_answer(authority):
    with OddServer({"/": response(200, b"x")}) as server:
        url = f"http://files.example.org:{server.port}/"
        addresses = (ipaddress.ip_address("::1"), LOOPBACK)
        assert ask(url, authority, port=server.port, addresses=addresses) == (200, b"x")


def test_no_address_is_a_connection_that_failed(authority):
    with pytest.raises(httpcore2.ConnectError):
        ask("http://files.example.org:9/", authority, port=9, addresses=())


def test_a_drip_of_headers_ends_at_the_deadline(authority):
    drip = until_closed(b"HTTP/1.1 200 OK\r\n", b"X")
    clock = Clock(step_s=1.0)
    with OddServer({"/": drip}) as server, pytest.raises(DeadlinePassedError):
        ask(f"http://127.0.0.1:{server.port}/", authority, port=server.port, clock=clock)
    assert clock.now < 200


def test_time_spent_before_counts(authority):
    clock = Clock(step_s=61.0)
    with OddServer({"/": response(200)}) as server, pytest.raises(DeadlinePassedError):
        ask(f"http://127.0.0.1:{server.port}/", authority, port=server.port, clock=clock)
    assert server.connections == 0


def test_headers_without_end_are_cut_off(authority):
    endless = until_closed(b"HTTP/1.1 200 OK\r\nX: ", b"a" * 65536)
    with OddServer({"/": endless}) as server, pytest.raises(httpcore2.RemoteProtocolError):
        ask(f"http://127.0.0.1:{server.port}/", authority, port=server.port)


def test_a_deadline_leaves_what_is_left():
    clock = Clock()
    deadline = Deadline(clock, 10)
    assert deadline.at_most_s(30) == 10
    assert deadline.at_most_s(None) == 10
    clock.now += 8
    assert deadline.at_most_s(1) == 1
    assert deadline.at_most_s(30) == 2
    clock.now += 2
    with pytest.raises(DeadlinePassedError):
        deadline.at_most_s(30)


def test_debug_logs_hold_no_signed_address(authority, caplog):
    caplog.set_level(logging.DEBUG)
    secret = "X-Amz-Signature=planted"
    with OddServer({"/": redirect(f"https://x.example/?{secret}")}) as server:
        ask(f"http://127.0.0.1:{server.port}/?{secret}", authority, port=server.port)
    assert caplog.records
    assert "planted" not in caplog.text


def test_the_systems_resolver_gives_addresses():
    assert "127.0.0.1" in connection.system_resolver("127.0.0.1", 80)
