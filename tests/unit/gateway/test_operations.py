"""Health, readiness, figures, the document."""

import pytest

from podtune.core.access import Scope
from podtune.core.errors import StateError


def test_alive_asks_nobody(gateway, client):
    gateway.store.close()
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_says_what_it_looked_at(client):
    found = client.get("/readyz")
    assert found.status_code == 200
    assert [one["name"] for one in found.json()["checks"]] == [
        "job store", "disk", "driver", "gateway",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("break_it", "name"),
    [
        (lambda g, m: m.setattr(g.store, "drivers", refuse), "job store"),
        (lambda g, m: m.setattr("podtune.gateway.operations.LEAST_DISK_BYTES", 1 << 62), "disk"),
        (lambda g, m: setattr(g.app.state.parts.tending, "trouble", StateError("x")), "driver"),
    ],
)
def test_not_ready_names_what_is_wrong(gateway, client, monkeypatch, break_it, name):
    break_it(gateway, monkeypatch)
    found = client.get("/readyz")
    assert found.status_code == 503
    assert [one["name"] for one in found.json()["checks"] if not one["ok"]] == [name]


def refuse():
    raise StateError("the job store cannot be used", code="state_unavailable")


def test_without_keys_figures_are_for_this_machine(gateway, client):
    assert client.get("/metrics").status_code == 200
    for name in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        assert client.get("/metrics", headers={name: "203.0.113.9"}).status_code == 403


def test_with_keys_figures_are_for_administrators(serve):
    gateway = serve(is_exposed=True)
    keys = {scope: gateway.key(scope) for scope in (Scope.READ, Scope.ADMIN)}
    passed_on = {"X-Forwarded-For": "203.0.113.9"}
    with gateway.client() as client:
        # A proxy on this machine may ask for anybody, name loopback as the host, and say so nowhere.
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers=passed_on).status_code == 401
        assert client.get("/metrics", headers={"Host": "train.example.org"}).status_code == 401
    with gateway.client(keys[Scope.READ]) as client:
        assert client.get("/metrics").status_code == 403
    with gateway.client(keys[Scope.ADMIN]) as client:
        answer = client.get("/metrics", headers=passed_on)
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_figures_tell_of_jobs_and_requests(client, job):
    client.get("/training/jobs")
    text = client.get("/metrics").text
    assert 'podtune_jobs{outcome="",phase="queued"} 1.0' in text
    assert "podtune_queue_length 1.0" in text
    assert 'route="/training/jobs",status="200"' in text


def test_the_document_is_there_and_no_page_of_anybody_elses(client):
    assert client.get("/openapi.json").json()["info"]["title"] == "podtune"
    for path in ("/docs", "/redoc"):
        assert client.get(path, headers={"Accept": "*/*"}).status_code == 404
