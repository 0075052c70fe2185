import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import (
    BalanceError,
    ConflictError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    NotFoundError,
    ProviderError,
    SpecError,
    UnavailableError,
)
from podtune.providers.runpod.answers import Refusal, error_of, problem, retry_after_s
from support.runpod_account import NO_INSTANCES


def body(detail="said why", **more):
    return json.dumps({"title": "T", "status": 0, "detail": detail, **more}).encode()


def error(status, content=None, *, creates=False, **headers):
    content = body() if content is None else content
    return error_of(
        Refusal("POST /pods" if creates else "GET /pods", status, headers, content, creates)
    )


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (400, SpecError, "runpod_rule"),
        (401, CredentialsError, "rejected_key"),
        (402, BalanceError, "insufficient_balance"),
        (403, CredentialsError, "key_scope"),
        (404, NotFoundError, "not_found"),
        (405, ProviderError, "request_refused"),
        (409, ConflictError, "conflict"),
        (410, SpecError, "bad_setting"),
        (422, SpecError, "request_refused"),
        (429, UnavailableError, "rate_limited"),
        (302, ProviderError, "redirected"),
        (500, UnavailableError, "vendor_unavailable"),
        (524, UnavailableError, "vendor_unavailable"),
    ],
)
def test_each_status_is_one_error(status, kind, code):
    found = error(status)
    assert (type(found), found.code) == (kind, code)
    assert found.context["status"] == status


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
def test_a_fault_of_theirs_at_an_order_is_doubtful(status):
    assert isinstance(error(status, creates=True), DoubtfulError)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 410, 422, 429])
def test_a_refusal_of_an_order_is_never_doubtful(status):
    assert not isinstance(error(status, creates=True), DoubtfulError)


@pytest.mark.parametrize(
    ("detail", "kind"),
    [
        (NO_INSTANCES, NoCapacityError),
        ("There are not enough free GPUs on the host machine to start this pod.", NoCapacityError),
        ("gpu.allowedCudaVersions and gpu.minCudaVersion are mutually exclusive", SpecError),
        ("exactly one of gpu or cpu must be set", SpecError),
        ("Something went wrong.", NoCapacityError),
    ],
)
def test_a_400_of_an_order_is_told_by_its_words(detail, kind):
    found = error(400, body(detail), creates=True)
    assert type(found) is kind
    assert detail in found.message


def test_a_403_of_an_order_lets_the_next_card_be_tried():
    found = error(403, creates=True)
    assert (type(found), found.code) == (NoCapacityError, "not_permitted")


def test_a_403_that_is_no_json_is_the_firewall():
    found = error(403, b"<html>error code: 1010</html>")
    assert (type(found), found.code) == (ProviderError, "blocked")
    assert "1010" in found.message
    assert error(403, b"<html>no</html>").code == "blocked"


def test_a_422_names_the_fields():
    errors = ["$: additional properties 'gpuTypeIds' not allowed"]
    found = error(422, body("Request validation failed.", errors=errors))
    assert "gpuTypeIds" in found.message


def test_a_v1_address_says_what_the_setting_has_to_be():
    found = error(410, b'{"error":"REST v1 is gone","status":410}')
    assert "RUNPOD_REST_BASE_URL" in (found.hint or "")
    assert "/v2" in (found.hint or "")


def test_both_shapes_are_read():
    assert problem(b'{"error":"pod not found","status":404}') == (True, True, "pod not found")
    assert problem(b'{"message":"gone"}') == (True, True, "gone")
    assert problem(body("here")) == (True, False, "here")
    assert problem(b"") == (False, False, "no reason given")
    assert problem(b"[1, 2]").is_json
    assert problem(b'{"title":"T"}').text == "T"


def test_a_key_in_an_answer_is_not_repeated():
    key = "rpa_ABCDEFGHIJKLMNOP"
    assert key not in error(422, body(f"bad {key}", errors=[key])).message
    assert key[:12] not in error(500, body("x" * 293 + key)).message


@given(st.binary(max_size=3000), st.integers(300, 599), st.booleans())
def test_any_body_becomes_an_error_of_bounded_text(content, status, creates):
    found = error(status, content, creates=creates)
    assert len(found.message) < 500
    assert "\n" not in found.message
    assert "\x1b" not in found.message


@pytest.mark.parametrize(("value", "seconds"), [("12", 12.0), ("", None), ("soon", None), ("-1", None), ("99999999", None)])  # fmt: skip
def test_retry_after(value, seconds):
    assert retry_after_s({"retry-after": value}) == seconds


def test_the_number_of_the_request_is_kept_to_ask_about():
    assert error(500, **{"x-request-id": "req-1"}).context["request_id"] == "req-1"
    assert error(429, **{"retry-after": "40"}).context["retry_after_s"] == 40
