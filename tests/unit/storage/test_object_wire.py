"""HTTP with stores: what is tried again, what is given up, what an error may say."""

import hashlib
import itertools

import httpx2
import pytest

from podtune.core.errors import ArtifactError, UnavailableError
from podtune.storage import object_wire
from podtune.storage.object_wire import ObjectWire, transfer_limit_s

URL = "https://store.example/bucket/key?X-Amz-Signature=planted"
CONTENT = b"0123456789" * 100_000


def wire(handler, clock=None, slept=None):
    return ObjectWire(
        "the store",
        transport=httpx2.MockTransport(handler),
        clock=clock or (lambda: 0.0),
        sleep=(slept if slept is not None else []).append,
    )


def streamed(content, status=200):
    """An answer whose body is still to come, as from a socket."""
    size = {"Content-Length": str(len(content))}
    return httpx2.Response(status, headers=size, content=iter([content]))


def test_a_question_and_its_answer():
    def handler(request):
        assert request.headers["User-Agent"].startswith("podtune/")
        assert request.headers["Authorization"] == "Bearer x"
        return httpx2.Response(200, json={"a": 1}, headers={"X-Name": "v"})

    answer = wire(handler).ask("GET", URL, headers={"Authorization": "Bearer x"})
    assert (answer.ok, answer.fields(), answer.headers["x-name"]) == (True, {"a": 1}, "v")


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'"text"'])
def test_a_body_that_is_no_object_has_no_fields(body):
    assert wire(lambda _: httpx2.Response(200, content=body)).ask("GET", URL).fields() == {}


def test_redirects_are_not_followed():
    def handler(request):
        return httpx2.Response(302, headers={"Location": "https://elsewhere.example/"})

    assert wire(handler).ask("GET", URL).status == 302


@pytest.mark.parametrize("status", [429, 500, 503])
def test_later_is_tried_again_with_growing_pauses(status):
    left, slept = [status, status, 200], []
    answer = wire(lambda _: httpx2.Response(left.pop(0)), slept=slept).ask("GET", URL)
    assert (answer.status, slept) == (200, [1.0, 3.0])


def test_a_refusal_is_an_answer():
    asked = []
    answer = wire(lambda r: asked.append(r) or httpx2.Response(403, text="no")).ask("PUT", URL)
    assert (answer.status, answer.body, len(asked)) == (403, b"no", 1)


def test_no_answer_names_the_host_and_nothing_more():
    def handler(request):
        raise httpx2.ConnectError("no route", request=request)

    slept = []
    with pytest.raises(UnavailableError) as caught:
        wire(handler, slept=slept).ask("GET", URL)
    assert caught.value.code == "store_unavailable"
    assert "store.example" in caught.value.message
    assert "planted" not in str(caught.value.to_json())
    assert len(slept) == len(object_wire.PAUSES_S)


def test_what_may_not_be_sent_twice_is_sent_once():
    asked = []
    with pytest.raises(UnavailableError):
        wire(lambda r: asked.append(r) or httpx2.Response(500)).ask("POST", URL, again=False)
    assert len(asked) == 1


def test_a_file_is_sent_with_its_length(tmp_path):
    file, got, told = tmp_path / "f", [], []
    file.write_bytes(CONTENT)

    def handler(request):
        got.append((request.read(), request.headers["Content-Length"]))
        assert "Transfer-Encoding" not in request.headers
        return httpx2.Response(503 if len(got) == 1 else 200)

    assert wire(handler).send(URL, file, on_progress=lambda *a: told.append(a)).ok
    assert got == [(CONTENT, "1000000")] * 2
    assert told[-1] == (1_000_000, 1_000_000)


def test_a_file_that_goes_too_slowly_is_given_up(tmp_path):
    file = tmp_path / "f"
    file.write_bytes(CONTENT)
    seconds = itertools.chain([0.0], itertools.repeat(transfer_limit_s(len(CONTENT)) + 1))
    with pytest.raises(UnavailableError, match="too slow"):
        wire(lambda r: httpx2.Response(200, content=r.read()), clock=lambda: next(seconds)).send(
            URL, file
        )


def test_a_file_is_received_and_summed(tmp_path):
    told = []
    got = wire(lambda _: streamed(CONTENT)).receive(
        URL, tmp_path / "a" / "f", on_progress=lambda *a: told.append(a)
    )
    assert (tmp_path / "a" / "f").read_bytes() == CONTENT
    assert (got.sha256, got.size_bytes) == (hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_only_the_sum_is_wanted():
    got = wire(lambda _: streamed(CONTENT)).receive(URL, None)
    assert got.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_a_refused_file_is_not_written(tmp_path):
    got = wire(lambda _: streamed(b"none", 404)).receive(URL, tmp_path / "f")
    assert (got.answer.status, got.answer.body, got.sha256) == (404, b"none", "")
    assert not (tmp_path / "f").exists()


def test_a_body_that_breaks_off_begins_anew(tmp_path):
    asked = []

    def broken():
        yield CONTENT[:1000]
        raise httpx2.ReadError("reset")

    def handler(request):
        asked.append(request)
        if len(asked) == 1:
            return httpx2.Response(200, content=broken())
        return streamed(CONTENT)

    got = wire(handler).receive(URL, tmp_path / "f")
    assert (len(asked), got.size_bytes) == (2, len(CONTENT))


def test_a_body_shorter_than_it_said_is_not_taken(tmp_path):
    def handler(request):
        return httpx2.Response(200, headers={"Content-Length": "50"}, content=iter([b"short"]))

    with pytest.raises(UnavailableError, match="PartReceived"):
        wire(handler).receive(URL, tmp_path / "f")


def test_a_disk_that_takes_nothing_is_named(tmp_path):
    (tmp_path / "f").write_text("no folder")
    with pytest.raises(ArtifactError) as caught:
        wire(lambda _: streamed(CONTENT)).receive(URL, tmp_path / "f" / "g")
    assert caught.value.code == "copy_failed"


def test_the_disk_of_this_machine_is_never_filled(tmp_path, monkeypatch):
    usage = object_wire.shutil.disk_usage(tmp_path)
    free = object_wire.KEPT_FREE + len(CONTENT) - 1
    monkeypatch.setattr(object_wire.shutil, "disk_usage", lambda _: usage._replace(free=free))
    with pytest.raises(UnavailableError) as caught:
        wire(lambda _: streamed(CONTENT)).receive(URL, tmp_path / "f")
    assert caught.value.code == "disk_full"
    assert (tmp_path / "f").stat().st_size == 0


def test_the_time_grows_with_the_size():
    assert transfer_limit_s(0) == 120
    assert transfer_limit_s(200 * 10**6) == pytest.approx(120 + 3052, abs=1)
