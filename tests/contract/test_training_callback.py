"""The example's `training-callback`: who may settle a row, and how often."""

import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from support import edge_functions
from support.edge_functions import Supabase
from support.edge_messages import NEXT_SECRET, SECRET, STATUS, code, message, running

pytestmark = pytest.mark.skipif(
    edge_functions.missing() is not None, reason=edge_functions.missing() or ""
)

ROWS = b'{"messages": []}\n'


@pytest.fixture(scope="module")
def supabase(tmp_path_factory):
    with Supabase(tmp_path_factory.mktemp("supabase")) as found:
        found.secrets(PODTUNE_WEBHOOK_SECRET=f"{SECRET} {NEXT_SECRET}")
        yield found
        said = found.log()
        assert not [s for s in (SECRET, NEXT_SECRET, found.key) if s in said]


@pytest.fixture
def job(supabase):
    """A row that nobody has looked at; gone from the queue afterwards."""
    made = supabase.insert(
        str(uuid.uuid4()), ROWS, hyperparameters={"base_model": "acme/tiny", "num_epochs": 1}
    )
    yield made
    supabase.change(made, status="failed")


def signed(body, *, name="msg", secret=SECRET, at=None):
    at = at or datetime.now(UTC)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(name, at, body),
        "content-type": "application/json",
    }


def call(supabase, body, headers):
    with supabase.client() as client:
        return client.post("/functions/v1/training-callback", content=body, headers=headers)


def test_a_callback_settles_its_row_once(supabase, job):
    external = running(supabase, job)
    body = message(external)
    assert call(supabase, body, signed(body, name="a:terminal")).json() == {"taken": True}
    row = supabase.row(job)
    assert (row["status"], row["callback_id"]) == ("completed", "a:terminal")
    assert row["adapter_path"] == STATUS["adapter_path"]
    assert row["metrics"]["training_loss"] == 0.5
    assert row["metrics"]["validation_loss"] is None
    again = call(supabase, body, signed(body, name="a:terminal"))
    assert (again.status_code, again.json()) == (200, {"taken": False, "duplicate": True})
    assert supabase.row(job) == row


def test_a_message_without_warnings_takes_none_away(supabase, job):
    external = running(supabase, job)
    supabase.change(job, warnings=["of the request"])
    body = message(external, warnings=[])
    assert call(supabase, body, signed(body)).json() == {"taken": True}
    assert supabase.row(job)["warnings"] == ["of the request"]


def test_an_older_outcome_does_not_undo_a_newer_one(supabase, job):
    """A job was resumed: its first outcome, sent late or again, changes nothing."""
    external, now = running(supabase, job), datetime.now(UTC)
    newer = message(external, at=now)
    older = message(
        external, at=now - timedelta(seconds=40), kind="training.failed", status="failed"
    )
    assert call(supabase, newer, signed(newer, name="a:terminal:2")).json()["taken"]
    assert call(supabase, older, signed(older, name="a:terminal")).json()["duplicate"]
    assert supabase.row(job)["status"] == "completed"


def test_many_at_once_are_taken_once(supabase, job):
    body = message(running(supabase, job))
    headers, answers = signed(body), []
    threads = [
        threading.Thread(target=lambda: answers.append(call(supabase, body, headers).json()))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer["taken"] for answer in answers) == 1


def test_either_secret_will_do_while_they_change_over(supabase, job):
    body = message(running(supabase, job))
    headers = signed(body, secret=NEXT_SECRET)
    headers["webhook-signature"] = "v1,AAAA v2,x " + headers["webhook-signature"]
    assert call(supabase, body, headers).json() == {"taken": True}


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda h: h.pop("webhook-signature"), id="none"),
        pytest.param(lambda h: h.update({"webhook-signature": "v1,"}), id="empty"),
        pytest.param(lambda h: h.update({"webhook-signature": "v1,%%%"}), id="no base64"),
        pytest.param(lambda h: h.update({"webhook-id": "other"}), id="of another id"),
        pytest.param(lambda h: h.update({"webhook-id": "x" * 257}), id="long id"),
        pytest.param(lambda h: h.update({"webhook-id": ""}), id="no id"),
        pytest.param(lambda h: h.update({"webhook-timestamp": "now"}), id="no time"),
        pytest.param(
            lambda h: h.update({"webhook-timestamp": str(int(h["webhook-timestamp"]) + 1)}),
            id="another time",
        ),
    ],
)
def test_a_bad_signature_changes_nothing(supabase, job, broken):
    body = message(running(supabase, job))
    headers = signed(body)
    broken(headers)
    assert code(call(supabase, body, headers)) == (401, "bad_signature")
    assert supabase.row(job)["status"] == "running"


@pytest.mark.parametrize("seconds", [-400, 400])
def test_a_message_of_another_time_is_refused(supabase, job, seconds):
    body = message(running(supabase, job))
    headers = signed(body, at=datetime.now(UTC) + timedelta(seconds=seconds))
    assert code(call(supabase, body, headers)) == (401, "bad_signature")


def test_another_s_signature_and_another_s_body_are_refused(supabase, job):
    external = running(supabase, job)
    body = message(external)
    other = "whsec_" + "QUJD" * 12
    assert code(call(supabase, body, signed(body, secret=other))) == (401, "bad_signature")
    changed = message(external, status="failed")
    assert code(call(supabase, changed, signed(body))) == (401, "bad_signature")
    assert supabase.row(job)["status"] == "running"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("[]", id="a list"),
        pytest.param("{", id="no JSON"),
        pytest.param("{}", id="nothing"),
        pytest.param(message("../../x"), id="an id with slashes"),
        pytest.param(message("x&status=eq.queued"), id="an id with a condition"),
        pytest.param(message("x", status="running"), id="not ended"),
        pytest.param(message("x", kind="training.begun"), id="another type"),
        pytest.param(message("x").replace("T", "?"), id="no time"),
    ],
)
def test_what_is_signed_and_no_outcome_is_refused(supabase, body):
    assert call(supabase, body, signed(body)).status_code == 400


def test_a_job_that_no_row_knows_is_to_be_told_again_later(supabase):
    body = message("nobody-knows")
    assert code(call(supabase, body, signed(body))) == (404, "job_not_found")


def test_a_body_too_large_is_refused_while_it_comes(supabase):
    def pieces():
        for _ in range(64):
            yield b"x" * 8192

    assert code(call(supabase, pieces(), {})) == (413, "body_too_large")


def test_only_post_is_taken(supabase):
    with supabase.client() as client:
        assert client.get("/functions/v1/training-callback").status_code == 405
