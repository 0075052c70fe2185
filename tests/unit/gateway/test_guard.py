"""Every request: an id, a line, headers of caution, no stack."""

import pytest

from podtune.core.errors import ConflictError
from podtune.gateway.guard import CAUTION

SECRET = "hf_Qm4zT9vLx2RbNc7WkPdYs3JhGa8EuFoi"


@pytest.fixture
def faulty(gateway):
    """Routes that fail."""

    @gateway.app.get("/test-bug")
    def bug():
        raise RuntimeError(f"a bug with {SECRET}")

    @gateway.app.get("/test-conflict")
    def conflict():
        raise ConflictError("no")

    @gateway.app.get("/test-own")
    def own():
        from starlette.responses import HTMLResponse

        return HTMLResponse("x", headers={"content-security-policy": "default-src 'self'"})

    return gateway


def test_a_safe_id_is_taken_and_told(client, gateway):
    answer = client.get("/training/jobs", headers={"X-Request-Id": "trace-0123.abc"})
    assert answer.headers["x-request-id"] == "trace-0123.abc"
    assert gateway.lines(1)[-1]["request_id"] == "trace-0123.abc"


@pytest.mark.parametrize("told", ["", "short", "a b c d e f g h", "x" * 65, '"><script>', SECRET])
def test_an_unsafe_one_is_replaced(client, told):
    answer = client.get("/training/jobs", headers={"X-Request-Id": told})
    assert answer.headers["x-request-id"] != told
    assert len(answer.headers["x-request-id"]) == 20


def test_every_answer_is_cautious(client, faulty):
    for path in ("/healthz", "/none", "/test-bug", "/test-conflict"):
        headers = client.get(path, headers={"Accept": "*/*"}).headers
        assert {name: headers[name] for name in CAUTION} == dict(CAUTION)
        assert "server" not in headers
    assert client.get("/test-own").headers["content-security-policy"] == "default-src 'self'"


def test_a_bug_is_answered_once_and_logged_without_secrets(client, faulty):
    answer = client.get("/test-bug")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "RuntimeError" not in answer.text
    assert faulty.lines(2)[-1]["status"] == 500
    told = faulty.log.getvalue()
    assert "a bug with ***" in told
    assert SECRET not in told


def test_the_log_holds_templates_and_no_query_header_or_body(client, gateway):
    client.get("/training/status/some-job?token=planted-1", headers={"X-Any": "planted-2"})
    client.post("/training/submit", json={"planted-3": 1}, headers={"Cookie": "a=planted-4"})
    client.get("/planted-5/nowhere", headers={"Accept": "*/*"})
    found = {(line["route"], line["status"]) for line in gateway.lines(3)}
    assert "planted" not in gateway.log.getvalue()
    assert found == {
        ("/training/status/{job_id}", 404), ("/training/submit", 400), ("unknown", 404),
    }  # fmt: skip
    assert all(line["ms"] >= 0 and line["method"] for line in gateway.lines())


def test_probes_are_quiet_while_all_is_well(client, gateway):
    for path in ("/healthz", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200
    assert gateway.lines() == []
