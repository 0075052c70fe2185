import json

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import NotFoundError
from podtune.providers.runpod.log_stream import LONGEST_LINE, events, follow
from support.runpod_account import Account, Time, client

CALL = "GET /v2/pods/p1/logs"


def frame(number, line, source="container"):
    data = json.dumps({"source": source, "line": line, "ts": f"2026-06-01T12:02:{number:02d}Z"})
    return f"id: 2026-06-01T12:02:{number:02d}Z/{number}\ndata: {data}\n\n".encode()


def logs(*pieces):
    account = Account()
    account.answer(CALL, httpx2.Response(200, content=iter(pieces)))
    return account


def test_lines_come_with_where_to_go_on_from():
    account = logs(frame(1, "Model loaded."), frame(2, "step 1"))
    lines = list(follow(client(account), "p1"))
    assert [(x.id, x.line, x.source) for x in lines] == [
        ("2026-06-01T12:02:01Z/1", "Model loaded.", "container"),
        ("2026-06-01T12:02:02Z/2", "step 1", "container"),
    ]
    request = account.requests[0]
    assert dict(request.url.params) == {"source": "container", "tail": "5000"}
    assert "last-event-id" not in request.headers
    assert request.headers["accept"] == "text/event-stream"


def test_a_stream_is_resumed_by_its_last_id():
    account = logs(frame(3, "x"))
    list(follow(client(account), "p1", after="2026-06-01T12:02:02Z/2", source="system"))
    assert account.requests[0].headers["last-event-id"] == "2026-06-01T12:02:02Z/2"
    assert account.requests[0].url.params["source"] == "system"


def test_the_time_is_bounded_though_the_stream_stays_open():
    time = Time()

    def for_ever():
        number = 0
        while True:
            time.seconds += 1
            number += 1
            yield frame(number % 60, str(number))

    asking = client(lambda _: httpx2.Response(200, content=for_ever()))
    lines = list(follow(asking, "p1", seconds=5, clock=time.monotonic))
    assert 4 <= len(lines) <= 6


@pytest.mark.parametrize("broken", [httpx2.ReadTimeout("silence"), httpx2.ReadError("reset"), httpx2.RemoteProtocolError("cut")])  # fmt: skip
def test_silence_and_a_broken_connection_end_it_with_what_came(broken):
    def pieces():
        yield frame(1, "one")
        yield b'id: 2\ndata: {"line":"half'
        raise broken

    lines = list(follow(client(lambda _: httpx2.Response(200, content=pieces())), "p1"))
    assert [x.line for x in lines] == ["one"]


def test_an_unknown_pod_is_told():
    with pytest.raises(NotFoundError):
        list(follow(client(Account()), "p2"))


def test_odd_events_are_left_out():
    odd = (
        b": keep-alive\n\n"
        b"data: no json\n\n"
        b"data: [1]\n\n"
        b'data: {"line": 3}\n\n'
        b"event: ping\nretry: 10\n\n"
        b'data: {"line":"kept","source":"container","ts":"T"}\r\n\r\n'
    )
    lines = list(follow(client(logs(odd)), "p1"))
    assert [(x.id, x.line) for x in lines] == [("T", "kept")]


@given(st.lists(st.tuples(st.integers(0, 99), st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=20)), max_size=6), st.lists(st.integers(1, 30), max_size=30))  # fmt: skip
def test_however_the_bytes_are_cut_the_events_are_the_same(sent, cuts):
    body = b"".join(f"id: {i}\ndata: {text}\n\n".encode() for i, text in sent)
    pieces, at = [], 0
    for cut in cuts:
        pieces.append(body[at : at + cut])
        at += cut
    pieces.append(body[at:])
    assert list(events(pieces)) == [(str(i), text) for i, text in sent]


@given(st.binary(max_size=500))
def test_any_bytes_are_read_without_failing(content):
    list(events([content]))


def test_data_over_several_lines_is_one():
    assert list(events([b"data: a\ndata: b\n\n"])) == [("", "a\nb")]


def test_a_line_without_end_is_dropped_and_the_next_is_read():
    pieces = [b"data: " + b"x" * 65536 for _ in range(LONGEST_LINE // 65536 + 2)]
    assert list(events([*pieces, b"\n", b"data: y\n\n"])) == [("", "y")]
