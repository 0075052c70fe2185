"""Failures in the words of the request."""

import pytest

import serverless_advice
from podtune.core.errors import DatasetError
from podtune.core.events import WorkerResult
from podtune.core.submission import parse

ASKED = parse(
    {
        "job_id": "j",
        "dataset_url": "https://x.example/rows.jsonl?token=secret",
        "hyperparameters": {"base_model": "a/b", "batch_size": 8, "learning_rate": 2e-4},
    }
)


def result(code, message="it failed", advice=None):
    return WorkerResult(ok=False, error_code=code, error_message=message, advice=advice)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("out_of_memory", ("batch size", "hyperparameters.batch_size to 4")),
        ("loss_not_finite", ("learning rate", "hyperparameters.learning_rate to 4e-05")),
        ("download_failed", ("try again",)),
        ("fetch_failed", ("try again", "dataset_url")),
        ("url_expired", ("signed dataset_url",)),
    ],
)
def test_advice_names_the_requests_own_fields(code, words):
    advice = serverless_advice.failure(result(code), ASKED).advice
    assert all(word in advice for word in words)


def test_where_nothing_was_stated_the_field_is_named_all_the_same():
    bare = parse(
        {
            "job_id": "j",
            "dataset_url": "https://x.example/r",
            "hyperparameters": {"base_model": "a/b"},
        }
    )
    assert "batch_size" in serverless_advice.failure(result("out_of_memory"), bare).advice
    assert "learning_rate" in serverless_advice.failure(result("loss_not_finite"), None).advice


def test_advice_for_our_command_line_is_left_out():
    ours = result("plan_mismatch", advice="`podtune resume JOB`, or --set training.epochs=1")
    advice = serverless_advice.failure(ours, ASKED).advice
    assert "podtune " not in advice
    assert "--set" not in advice
    kept = serverless_advice.failure(result("no_store", advice="set SUPABASE_URL"), ASKED)
    assert kept.advice == "set SUPABASE_URL"


def test_no_secret_and_no_line_break_is_told():
    message = "GET https://x.example/a?sig=abc&b=1 gave\n  hf_abcdefghijklmnop"
    said = serverless_advice.failure(result("fetch_failed", message), ASKED)
    assert said.error_message == "GET https://x.example/a?*** gave ***"


def test_our_errors_are_told_whole_and_others_by_kind():
    ours = serverless_advice.failure(DatasetError("row 3 is empty", hint="mend row 3"), ASKED)
    assert (ours.error_code, ours.error_message, ours.advice) == (
        "bad_data", "row 3 is empty", "mend row 3",
    )  # fmt: skip
    other = serverless_advice.failure(RuntimeError("CUDA out of memory. Tried ..."), ASKED)
    assert other.error_code == "out_of_memory"
    assert serverless_advice.failure(KeyError("x"), None).error_code == "training_failed"


def test_texts_are_bounded():
    assert len(serverless_advice.clean("x" * 5000)) == serverless_advice.LONGEST
    assert serverless_advice.clean("https://x.example/" + "?" * 200_000)


def test_one_line_for_the_sdk():
    assert serverless_advice.line(result("a", "b", "c")) == "a: b (c)"
