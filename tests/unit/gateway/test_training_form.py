"""The contract's forms."""

from datetime import UTC, datetime

import pytest

from podtune.app.asked import SubmissionState, Submitted
from podtune.core.errors import SpecError
from podtune.core.spec import Place
from podtune.core.states import JobPhase
from podtune.core.wire import Progress, Standing, told
from podtune.gateway import training_form
from podtune.gateway.training_form import EXAMPLE
from support import build

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def asked(backend=Place.LOCAL, key=None, **changes):
    return training_form.asked(EXAMPLE | changes, backend=backend, idempotency_key=key)


def submitted(**changes):
    values = {
        "id": "rows-abc", "state": SubmissionState.PREPARING, "job": None, "error": None,
        "kind": "training", "name": "theirs", "tenant": None, "note": {}, "created_at": NOON,
    }  # fmt: skip
    return Submitted(**values | changes)


def test_a_request_states_what_it_says_and_where():
    found = asked(Place.RUNPOD)
    assert (found.kind, found.name) == ("training", EXAMPLE["job_id"])
    assert found.request.stated["where.on"] == "runpod"
    assert found.request.stated["where.gpu"] == "H100"
    assert found.request.stated["deliver.callback_url"] == EXAMPLE["callback_url"]
    assert "where.gpu" not in asked(Place.LOCAL).request.stated


def test_the_same_request_has_the_same_digest_whoever_signed_its_address():
    base = EXAMPLE["dataset_url"].split("?")[0]
    same = {
        asked().digest,
        asked(dataset_url=f"{base}?token=another").digest,
        asked(key="k").digest,
    }
    assert len(same) == 1
    others = {
        asked(dataset_url=base + ".gz").digest, asked(Place.RUNPOD).digest, asked(max_usd=3).digest,
        asked(hyperparameters={"base_model": "acme/other"}).digest, asked(callback_url=None).digest,
    }  # fmt: skip
    assert len(others - same) == 5


def test_no_secret_of_an_address_is_remembered():
    found = asked(dataset_url="https://x.example/rows.jsonl?token=planted", key="planted-key")
    assert "planted" not in str(found.note) + found.digest


def test_warnings_stand_in_the_status_before_all_others():
    found = asked(gpu_config={"cost_per_gpu_hour": 3.35})
    assert "cost_per_gpu_hour" in found.note["warnings"][0]
    status = told(Standing("j", JobPhase.QUEUED), Progress(warnings=("later",)))
    shown = training_form.with_warnings(status, submitted(note=found.note))
    assert shown.warnings == (*found.note["warnings"], "later")
    for note in ({}, {"warnings": "x"}, {"warnings": None}):
        assert training_form.with_warnings(status, submitted(note=note)) == status


def test_all_faults_at_once():
    with pytest.raises(SpecError) as caught:
        training_form.asked({"job_id": 1, "more": 2}, backend=Place.LOCAL)
    assert len(caught.value.context["problems"]) == 4


def test_a_list_tells_every_state():
    job = build.job()
    accepted = training_form.summary(submitted(state=SubmissionState.ACCEPTED, job=job))
    assert (accepted.phase, accepted.job_id) == ("queued", "theirs")
    assert accepted.base_model == job.plan.base_model.name
    refused = training_form.summary(
        submitted(state=SubmissionState.REFUSED, error=SpecError("no", code="bad_spec"))
    )
    assert (refused.error_code, refused.error_message, refused.phase) == ("bad_spec", "no", None)
    assert training_form.summary(submitted(kind="openai", name="key")).job_id is None


def test_the_schema_is_in_one_piece():
    schema = training_form.request_schema()
    assert "$ref" not in str(schema)
    assert schema["required"] == ["job_id", "dataset_url", "hyperparameters"]
    assert schema["properties"]["hyperparameters"]["properties"]["base_model"]
