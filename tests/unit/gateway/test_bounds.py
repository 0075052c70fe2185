"""Requests that are too large or too slow."""

import json
import socket

import anyio
import pytest

from podtune.gateway.bounds import (
    BODY_BYTES,
    HEADER_COUNT,
    TARGET_BYTES,
    UPLOAD_BYTES,
    Bounds,
)
from podtune.gateway.errors import HeadersTooLargeError, HttpError, TooLargeError, TooSlowError

FORM = (b"content-type", b"multipart/form-data; boundary=x")


def scope(path="/training/submit", headers=(), query=b""):
    return {
        "type": "http", "path": path, "raw_path": path.encode(), "query_string": query,
        "headers": list(headers),
    }  # fmt: skip


def drive(told, pieces, **bounds):
    """What an app gets of a body behind the bounds."""
    got = []

    async def app(_, receive, __):
        while True:
            message = await receive()
            got.append(message["body"])
            if not message.get("more_body"):
                return

    async def receive():
        if not pieces:
            await anyio.Event().wait()
        body = pieces.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(pieces) or body == b""}

    anyio.run(Bounds(app, **bounds), told, receive, None)
    return b"".join(got)


def test_a_body_within_the_bounds_passes_unchanged():
    assert drive(scope(), [b"ab", b"cd"]) == b"abcd"


def test_a_length_that_is_told_is_believed_when_it_is_too_much():
    with pytest.raises(TooLargeError) as caught:
        drive(scope(headers=[(b"content-length", str(BODY_BYTES + 1).encode())]), [b"a"])
    assert caught.value.context == {"limit_bytes": BODY_BYTES}


def test_a_body_is_counted_whatever_it_says():
    with pytest.raises(TooLargeError):
        drive(scope(headers=[(b"content-length", b"3")]), [b"abc", b"def"], body_bytes=5)


@pytest.mark.parametrize("told", [b"-1", b"1e9", b"9" * 19, b"\xb2", b""])
def test_a_length_that_is_no_number_is_refused(told):
    with pytest.raises(HttpError, match="no number"):
        drive(scope(headers=[(b"content-length", told)]), [b"a"])


@pytest.mark.parametrize(
    ("path", "headers", "limit"),
    [
        ("/v1/files", [FORM], UPLOAD_BYTES),
        ("/v1/uploads/up-1/parts", [FORM], BODY_BYTES),
        ("/new/start", [FORM], BODY_BYTES),
        ("/new", [FORM], UPLOAD_BYTES),
        ("/v1/files", [], BODY_BYTES),
        ("/v1/filesystem", [FORM], BODY_BYTES),
        ("/training/submit", [FORM], BODY_BYTES),
    ],
)
def test_only_forms_to_where_files_come_in_may_be_large(path, headers, limit):
    length = (b"content-length", str(limit + 1).encode())
    with pytest.raises(TooLargeError) as caught:
        drive(scope(path, [*headers, length]), [b"a"])
    assert caught.value.context == {"limit_bytes": limit}


def test_a_body_that_stops_coming_is_given_up():
    with pytest.raises(TooSlowError):
        drive(scope(), [b"a", b""], body_wait_s=0.02)


@pytest.mark.parametrize(
    "told",
    [
        scope(query=b"a" * (TARGET_BYTES + 1)),
        scope(headers=[(b"x", b"a" * 40_000)]),
        scope(headers=[(b"x", b"a")] * (HEADER_COUNT + 1)),
    ],
)
def test_heads_have_a_bound(told):
    with pytest.raises(HeadersTooLargeError):
        drive(told, [b"a"])


def test_bounds_over_a_socket(gateway, client):
    large = client.post("/training/submit", content=b"[" + b" " * BODY_BYTES + b"]")
    assert (large.status_code, large.json()["error"]["code"]) == (413, "body_too_large")
    streamed = client.post("/training/submit", content=iter([b" " * 600_000] * 2))
    assert streamed.status_code == 413
    deep = client.post("/training/submit", content=b"[" * 100_000)
    assert (deep.status_code, deep.json()["error"]["code"]) == (400, "bad_json")
    assert client.get("/training/jobs?after=" + "a" * 9000).status_code == 431
    many = {f"x-{number}": "a" for number in range(HEADER_COUNT)}
    assert client.get("/training/jobs", headers=many).status_code == 431
    assert client.get("/training/jobs").status_code == 200


def test_a_head_without_end_is_cut_off(gateway):
    host, port = gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"a" * 200_000)
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400")
    assert not json.dumps(gateway.lines()).count("aaaa")


def test_a_body_that_drips_is_given_up_however_steadily_it_does():
    now = iter(range(0, 1000, 10))
    with pytest.raises(TooSlowError, match="bytes a second"):
        drive(scope(), [b"a"] * 50, elapsed=lambda: float(next(now)))


def test_a_body_on_a_slow_line_comes_through():
    now = iter(range(0, 10_000, 10))
    pieces = [b"a" * 100_000] * 9
    whole = b"".join(pieces)
    assert drive(scope(), pieces, elapsed=lambda: float(next(now))) == whole


def test_a_body_with_two_ends_is_refused():
    both = [(b"content-length", b"3"), (b"transfer-encoding", b"chunked")]
    with pytest.raises(HttpError, match="exclude"):
        drive(scope(headers=both), [b"abc"])
