"""The callback of a directly invoked job."""

import json

import pytest
from standardwebhooks import Webhook

import serverless_callback
from podtune.core.events import WorkerResult
from status_manager import StatusManager
from support.hook_receiver import BROKEN, GONE, TAKEN, HookReceiver

SECRET = "whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="


def status(*, ok=True):
    manager = StatusManager("j1", external_job_id="e1")
    if ok:
        manager.complete(adapter_path="lora-models/adapters/job-j1.tar.gz")
    else:
        manager.fail(WorkerResult(ok=False, error_code="out_of_memory", error_message="full"))
    return manager.snapshot()


@pytest.fixture
def told(monkeypatch):
    """Sends to a receiver on loopback; pauses are counted, not waited."""

    def send(server, *, ok=True, secret=SECRET):
        monkeypatch.setenv("PODTUNE_EGRESS_HTTP", "true")
        monkeypatch.setenv("PODTUNE_EGRESS_PRIVATE_HOSTS", f"127.0.0.1:{server.port}")
        monkeypatch.setenv("PODTUNE_WEBHOOK_SECRET", secret)
        send.pauses = []
        return serverless_callback.send(server.url, status(ok=ok), sleep=send.pauses.append)

    return send


@pytest.mark.parametrize(("ok", "kind"), [(True, "completed"), (False, "failed")])
def test_the_outcome_is_told_once_and_signed(told, ok, kind):
    with HookReceiver() as server:
        assert told(server, ok=ok) is None
    (call,) = server.calls
    body = Webhook(SECRET).verify(call.body, call.headers)
    assert body["type"] == f"training.{kind}"
    assert body["data"]["external_job_id"] == "e1"
    assert body["data"]["status"] == kind
    assert call.headers["webhook-id"] == "j1:terminal"


def test_without_a_secret_it_goes_unsigned(told):
    with HookReceiver() as server:
        assert told(server, secret="") is None
    (call,) = server.calls
    assert "webhook-signature" not in call.headers
    assert json.loads(call.body)["data"]["job_id"] == "j1"


def test_a_broken_receiver_is_tried_again_under_the_same_id(told):
    with HookReceiver(BROKEN, TAKEN) as server:
        assert told(server) is None
    assert len(server.calls) == 2
    assert {call.headers["webhook-id"] for call in server.calls} == {"j1:terminal"}
    assert told.pauses == [serverless_callback.PAUSES_S[0]]


def test_a_receiver_that_will_not_have_it_is_not_tried_again(told):
    with HookReceiver(GONE) as server:
        why = told(server)
    assert "410" in why
    assert len(server.calls) == 1
    assert "planted-query" not in why


def test_a_receiver_that_stays_broken_is_given_up(told):
    with HookReceiver(BROKEN) as server:
        assert "500" in told(server)
    assert len(server.calls) <= 1 + len(serverless_callback.PAUSES_S)


def test_a_private_address_is_not_told(monkeypatch):
    monkeypatch.delenv("PODTUNE_EGRESS_PRIVATE_HOSTS", raising=False)
    why = serverless_callback.send("https://10.0.0.1/hook?token=secret", status())
    assert "url_blocked" in why
    assert "secret" not in why
