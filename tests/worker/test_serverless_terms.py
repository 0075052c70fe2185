"""What an orchestrator says beside a request."""

import pytest

import serverless_terms
from podtune.core.errors import ConflictError, SpecError


def test_nothing_said_is_one_attempt_and_all_the_time():
    terms = serverless_terms.read({"job_id": "j", "attempt": None})
    assert (terms.attempt, terms.begin_by, terms.deadline) == (1, None, None)
    terms.refuse_late(4e9, 120)


def test_all_of_it():
    terms = serverless_terms.read({"attempt": 3, "begin_by": 1_000, "deadline": 2_000.5})
    assert terms.model_dump() == {"attempt": 3, "begin_by": 1000.0, "deadline": 2000.5}


@pytest.mark.parametrize(
    "given",
    [
        {"attempt": 0}, {"attempt": True}, {"attempt": "2"}, {"attempt": 1.5}, {"begin_by": -1},
        {"begin_by": "2026-11-23"}, {"deadline": 1_795_420_800_000}, {"deadline": float("nan")},
        {"deadline": True},
    ],
)  # fmt: skip
def test_what_is_none_is_named(given):
    with pytest.raises(SpecError, match=next(iter(given))) as raised:
        serverless_terms.read(given)
    assert raised.value.code == "bad_request_body"


@pytest.mark.parametrize(
    ("now", "late"), [(1_000, False), (1_001, True), (1_881, True), (900, False)]
)
def test_too_late(now, late):
    terms = serverless_terms.read({"begin_by": 1_000, "deadline": 2_000})
    if not late:
        terms.refuse_late(now, 120)
        return
    with pytest.raises(ConflictError) as raised:
        terms.refuse_late(now, 120)
    assert raised.value.code == "too_late"


def test_a_deadline_alone_needs_time_to_save_and_send():
    terms = serverless_terms.read({"deadline": 2_000})
    terms.refuse_late(1_880, 120)
    with pytest.raises(ConflictError, match="119 s are left"):
        terms.refuse_late(1_881, 120)
