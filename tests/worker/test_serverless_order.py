"""Orders and outcomes of a job's program."""

import pytest

import serverless_order
from podtune.core.events import WorkerResult
from podtune.core.submission import parse
from serverless_order import JobOrder, Outcome
from serverless_places import Places

BASE = {
    "job_id": "j1",
    "dataset_url": "https://x.example/rows.jsonl?token=one",
    "hyperparameters": {"base_model": "a/b", "num_epochs": 2},
}


def digest(**more):
    return serverless_order.asked(parse({**BASE, **more})).digest


@pytest.mark.parametrize(
    "more",
    [
        {"dataset_url": "https://x.example/rows.jsonl?token=two"},
        {"callback_url": "https://x.example/hook"},
        {"gpu_config": {"gpu_type": "H100"}},
        {"max_hours": 3, "max_usd": 4},
    ],
)
def test_what_is_not_trained_makes_no_other_request(more):
    assert digest(**more) == digest()


@pytest.mark.parametrize(
    "more",
    [
        {"dataset_url": "https://x.example/other.jsonl?token=one"},
        {"hyperparameters": {"base_model": "a/b", "num_epochs": 3}},
        {"hyperparameters": {"base_model": "a/c", "num_epochs": 2}},
    ],
)
def test_what_is_trained_does(more):
    assert digest(**more) != digest()


def test_files_cut_short_are_absent(tmp_path):
    assert serverless_order.outcome_of(tmp_path) is None
    assert serverless_order.asked_in(tmp_path) is None
    (tmp_path / serverless_order.OUTCOME).write_text('{"attempt"', encoding="utf-8")
    assert serverless_order.outcome_of(tmp_path) is None


def test_an_outcome_goes_round(tmp_path):
    outcome = Outcome(attempt=2, result=WorkerResult(ok=True), adapter_path="lora-models/x")
    (tmp_path / serverless_order.OUTCOME).write_text(outcome.model_dump_json(), encoding="utf-8")
    assert serverless_order.outcome_of(tmp_path) == outcome
    assert outcome.is_completed
    assert not Outcome(attempt=1, result=WorkerResult(ok=True)).is_completed


def test_an_orders_repr_holds_no_address(tmp_path):
    order = JobOrder(
        input=BASE, external_id="e", attempt=1, places=Places(home=tmp_path, volume=None)
    )
    assert "token" not in repr(order)
    assert JobOrder.model_validate_json(order.model_dump_json()) == order
