"""How errors look over HTTP."""

import pytest
from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse

from podtune.core import errors as core
from podtune.core.errors import CredentialsError
from podtune.gateway import errors
from podtune.gateway.callers import Reader

SECRET = "hf_Qm4zT9vLx2RbNc7WkPdYs3JhGa8EuFoi"


def asked(path="/training/submit", accept="*/*"):
    return Request(
        {
            "type": "http", "method": "GET", "path": path, "query_string": b"", "scheme": "http",
            "server": ("localhost", 80), "headers": [(b"accept", accept.encode())],
        }
    )  # fmt: skip


def told(error, path="/training/submit"):
    import json

    response = errors.response_of(asked(path), errors.known(error))
    return response.status_code, json.loads(response.body), response.headers


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (core.SpecError("x"), 400), (core.NotFoundError("x"), 404), (core.ConflictError("x"), 409),
        (core.CredentialsError("x"), 401), (core.ForbiddenError("x"), 403),
        (core.UnavailableError("x"), 502), (core.StateError("x"), 503), (core.TrainingError("x"), 500),
        (errors.TooLargeError("x"), 413), (errors.TooSlowError("x"), 408),
        (errors.WrongHostError("x"), 421), (errors.ForeignOriginError("x"), 403),
        (errors.UnprocessableError("x"), 422), (errors.MethodError("GET"), 405),
        (errors.HeadersTooLargeError("x"), 431), (errors.TooManyError("x", retry_after_s=3), 429),
        (ValueError("x"), 500), (HTTPException(404), 404), (HTTPException(418, "tea"), 418),
    ],
)  # fmt: skip
def test_every_error_has_its_status(error, status):
    assert told(error)[0] == status


def test_our_shape():
    error = core.SpecError("wrong", code="bad_spec", hint="do so", context={"at": 3})
    _, body, _ = told(error)
    assert body == {
        "error": {"code": "bad_spec", "message": "wrong", "hint": "do so", "context": {"at": 3}}
    }


def test_the_shape_of_the_fine_tuning_api():
    error = core.SpecError("wrong", hint="do so", context={"param": "model"})
    _, body, _ = told(error, "/v1/fine_tuning/jobs")
    assert body == {
        "error": {
            "message": "wrong. do so", "type": "invalid_request_error", "param": "model",
            "code": "bad_spec",
        }
    }  # fmt: skip
    _, body, headers = told(core.ConflictError("no"), "/v1/fine_tuning/jobs/x/cancel")
    assert headers["x-should-retry"] == "false"
    assert body["error"]["param"] is None
    assert told(core.StateError("x"), "/v1/files")[1]["error"]["type"] == "server_error"


def test_headers_that_say_what_to_do():
    assert told(core.CredentialsError("x"))[2]["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in told(core.ForbiddenError("x"))[2]
    assert told(errors.TooManyError("x", retry_after_s=0))[2]["retry-after"] == "1"
    assert told(HTTPException(405, headers={"Allow": "POST"}))[2]["allow"] == "POST"


def test_no_secret_leaves_in_any_field():
    error = core.UnavailableError(
        f"with {SECRET}", hint=SECRET, context={"a": [SECRET, {"b": SECRET}], "n": 1, "o": object()}
    )
    for path in ("/training/x", "/v1/x"):
        _, body, _ = told(error, path)
        assert SECRET not in str(body)


def test_what_nobody_expected_tells_nothing(caplog):
    _, body, _ = told(RuntimeError("inner words"))
    assert body["error"]["code"] == "internal_error"
    assert "inner words" not in str(body)
    assert "inner words" in caplog.text


def test_a_browser_gets_a_page_and_a_program_never():
    def page(request, error, status):
        return HTMLResponse(error.code, status)

    def shown(path, accept):
        request = asked(path, accept)
        return errors.response_of(request, core.NotFoundError("x"), page).headers["content-type"]

    assert shown("/jobs/x", "text/html,*/*").startswith("text/html")
    for path, accept in (
        ("/jobs/x", "application/json"), ("/training/status/x", "text/html"), ("/v1/files", "text/html"),
        ("/metrics", "text/html"),
    ):  # fmt: skip
        assert shown(path, accept) == "application/json"


def test_all_faults_of_a_query_at_once(client):
    refused = client.get("/training/jobs?limit=1000", headers={"Accept": "*/*"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "bad_request_body")
    assert "limit" in refused.json()["error"]["message"]
    both = client.post(
        "/training/submit?backend=moon", json={}, headers={"Idempotency-Key": "with space"}
    )
    assert len(both.json()["error"]["context"]["problems"]) == 2
    assert "moon" not in both.text.replace("runpod", "")


@pytest.mark.parametrize("path", ["/test-operators", "/v1/test-operators"])
def test_the_operators_own_credentials_are_not_the_callers(serve, path):
    gateway = serve(is_exposed=True)

    @gateway.app.get(path)
    def route(desk: Reader):
        raise CredentialsError("RUNPOD_API_KEY is not set", code="missing_key")

    with gateway.client(gateway.key()) as client:
        answer = client.get(path)
        assert answer.status_code == 503
        assert "www-authenticate" not in answer.headers
        assert client.get(path, headers={"Accept": "text/html"}).status_code == 503
    with gateway.client("ptk_none") as client:
        assert client.get(path).status_code == 401
