"""Log lines: JSON, scrubbed, with a bound."""

import io
import json
import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from podtune.core.redact import scrub
from podtune.gateway import logging as gateway_logging
from podtune.gateway.logging import TEXT_SHOWN, Timed, request_id
from support.gateways import logging_restored

SECRET = "hf_Qm4zT9vLx2RbNc7WkPdYs3JhGa8EuFoi"
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def lines():
    stream = io.StringIO()
    with logging_restored():
        gateway_logging.configure(stream=stream, clock=lambda: NOON)
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_our_lines_and_those_of_libraries_have_one_form(lines):
    gateway_logging.log().info("request", status=200, job_id=None)
    logging.getLogger("some.library").warning("lost %d of %s", 3, "them")
    ours, theirs = lines()
    assert ours == {
        "event": "request", "status": 200, "job_id": None, "level": "info",
        "logger": "podtune.gateway", "time": "2026-11-23T12:00:00.000+00:00",
    }  # fmt: skip
    assert (theirs["event"], theirs["level"]) == ("lost 3 of them", "warning")


def test_secrets_are_blotted_out_wherever_they_stand(lines):
    gateway_logging.log().warning(
        f"with {SECRET}", address=f"https://x/?token={SECRET}", what=[SECRET]
    )
    try:
        raise ValueError(f"inside {SECRET}")
    except ValueError:
        logging.getLogger("x").exception("failed")
    assert SECRET not in json.dumps(lines())
    assert "Traceback" in lines()[1]["exception"]


def test_a_value_has_a_bound_and_a_line_end_breaks_no_line(lines):
    gateway_logging.log().info("a\nb" * TEXT_SHOWN)
    (only,) = lines()
    assert len(only["event"]) == TEXT_SHOWN


def test_configuring_twice_writes_every_line_once(lines):
    again = io.StringIO()
    gateway_logging.configure(stream=again)
    gateway_logging.log().info("x")
    assert lines() == []
    assert len(again.getvalue().splitlines()) == 1


@pytest.mark.parametrize("name", gateway_logging.CHATTY)
def test_libraries_that_tell_addresses_are_quiet(lines, name):
    logging.getLogger(name).info("GET https://x/?sig=abc")
    assert lines() == []


def test_ids():
    assert request_id("a-safe-one.1") == "a-safe-one.1"
    made = {request_id(told) for told in (None, "", "a b", SECRET, "x" * 100)}
    assert len(made) == 5
    assert all(scrub(one) == one for one in made)


def test_what_is_told_of_a_request():
    now = [1.0]
    scope = {
        "method": "BREW", "state": {"request_id": "r", "key_id": "k"},
        "path_params": {"job_id": "j-1"},
    }  # fmt: skip
    timed = Timed(scope, elapsed=lambda: now[0])
    now[0], timed.status = 1.25, 200
    assert timed.fields() == {
        "request_id": "r", "method": "other", "route": "unknown", "status": 200, "ms": 250.0,
        "key_id": "k", "job_id": "j-1",
    }  # fmt: skip
    scope["path_params"] = {"job_id": "a job\n of secrets"}
    assert "job_id" not in timed.fields()


@pytest.mark.parametrize(
    ("path", "template", "told"),
    [
        ("/v1/files/f1", "/files/{file_id}", "/v1/files/{file_id}"),
        ("/v1/files/f1", "/v1/files/{file_id}", "/v1/files/{file_id}"),
        ("/training/jobs", "/training/jobs", "/training/jobs"),
        ("/v1/nothing", None, "unknown"),
    ],
)
def test_a_route_is_told_with_its_prefix(path, template, told):
    scope = {"method": "GET", "path": path}
    if template:
        scope["route"] = SimpleNamespace(path=template)
    assert Timed(scope).route == told
