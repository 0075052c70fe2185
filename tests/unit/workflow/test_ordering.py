"""Ordering: intent first, rung by rung, never twice under one name."""

from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.core.errors import (
    BalanceError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    ProviderError,
    SpecError,
    UnavailableError,
)
from podtune.core.job import Instance
from podtune.core.states import JobPhase, Outcome
from podtune.workflow.rental import reserve
from podtune.workflow.steps import Effect, Heard
from support import queued_jobs
from support.rented_steps import LIMITS, NOW, PROOF, code, job, ordered, running, step


def test_an_order_is_written_with_name_deadline_and_price_before_it_is_sent():
    patch = step(job())
    assert patch.effect is None
    assert patch.changes["intent_at"] == NOW
    assert patch.changes["deadline"] == NOW + timedelta(hours=4)
    assert patch.changes["instance_name"] == (
        f"pt-owner123-demo-abc234-1-x{int(patch.changes['deadline'].timestamp())}"
    )
    assert "A40 at $0.40 an hour" in patch.note
    assert step(ordered()).effect is Effect.LAUNCH


def test_without_money_left_nothing_is_ordered():
    assert code(step(job(warned_at=NOW), spent=Decimal("4.96"))) is None
    patch = step(job(warned_at=NOW), spent=Decimal("4.967"))
    assert code(patch) == "over_budget"
    assert "intent_at" not in patch.changes


def test_the_next_rung_is_tried_when_one_has_nothing_free():
    patch = step(ordered(), error=NoCapacityError("none"))
    assert patch.void
    assert patch.effect is None
    assert patch.changes == {
        "rung": 1, "intent_at": None, "instance_name": None, "deadline": None,
    }  # fmt: skip
    assert patch.note == "A40 had none free, trying RTX A6000 at $0.60 an hour"


def test_when_no_rung_has_anything_free_the_job_fails_and_names_them():
    patch = step(ordered(rung=1), error=NoCapacityError("none"))
    assert code(patch) == "no_capacity"
    assert "A40, RTX A6000" in patch.changes["error_message"]
    left = ordered(rung=1).model_copy(update=dict(patch.changes))
    ended = step(left)
    assert ended.effect is None
    assert ended.changes["proof"].instance_id is None


@pytest.mark.parametrize(
    "error", [BalanceError("b"), CredentialsError("c"), SpecError("s", code="bad_order")]
)
def test_a_refusal_ends_the_job_and_nothing_was_made(error):
    patch = step(ordered(), error=error)
    assert code(patch) == error.code
    assert patch.void
    assert patch.changes["first_intent_at"] is None


def test_an_unknown_failure_of_an_order_ends_by_proof():
    patch = step(ordered(), error=ProviderError("odd"))
    assert not patch.void
    assert "first_intent_at" not in patch.changes
    assert step(ordered(JobPhase.TERMINATING)).effect is Effect.TERMINATE


def test_a_doubtful_order_is_looked_for_then_ended_and_only_then_ordered_anew():
    doubt = DoubtfulError("d")
    young = ordered(intent_at=NOW - timedelta(seconds=119))
    old = ordered(intent_at=NOW - timedelta(seconds=121))
    assert step(young, error=doubt).effect is Effect.LAUNCH
    slow = DoubtfulError("d", context={"settled": False})
    assert step(old, error=slow).effect is Effect.LAUNCH, "looked for by name first"
    assert step(old, error=doubt).effect is Effect.TERMINATE
    patch = step(old, error=doubt, proof=PROOF)
    assert patch.changes["attempt"] == 2
    assert patch.changes["phase"] is JobPhase.STAGING
    assert patch.changes["intent_at"] is None
    assert not patch.void


def test_doubts_long_after_the_first_order_are_counted():
    doubt = {"error": DoubtfulError("d"), "proof": PROOF}
    recent = ordered(intent_at=NOW - timedelta(seconds=121))
    assert step(recent, **doubt).changes["recoveries"] == 0
    late = ordered(
        intent_at=NOW - timedelta(seconds=121),
        first_intent_at=NOW - timedelta(hours=1),
        recoveries=2,
    )
    patch = step(late, **doubt)
    assert (patch.changes["attempt"], patch.changes["recoveries"]) == (2, 3)
    last = late.model_copy(update={"recoveries": 3})
    assert code(step(last, **doubt)) == "create_doubtful"


def test_a_vendor_that_does_not_answer_is_asked_again_for_the_boot_limit():
    gone = UnavailableError("u")
    assert step(ordered(), error=gone).effect is Effect.LAUNCH
    late = ordered(intent_at=NOW - timedelta(seconds=901))
    assert code(step(late, error=gone)) == "vendor_unavailable"


def test_a_machine_that_was_made_is_written_down_and_given_its_work():
    made = Instance(
        id="pod1", name="n", started_at=NOW, usd_per_hour=Decimal("0.40"), region="EU-1"
    )
    patch = step(ordered(), launched=made)
    assert patch.changes == {"instance_id": "pod1"}
    assert "A40 in EU-1 at $0.40" in patch.note
    found = running(JobPhase.PROVISIONING)
    assert step(found).effect is Effect.HAND_OVER
    assert step(found, error=UnavailableError("u")).effect is Effect.HAND_OVER
    assert step(found, heard=Heard(accepted=True)).changes == {"phase": JobPhase.TRAINING}


def test_a_machine_that_costs_more_than_was_listed_is_kept_within_the_ceiling():
    dear = Instance(id="pod1", name="n", started_at=NOW, usd_per_hour=Decimal("0.90"))
    found = ordered()
    so_far = Decimal("0.40") * 2 / 60
    patch = step(found, launched=dear, spent=so_far)
    assert patch.changes == {"instance_id": "pod1"}
    assert "$0.90 an hour: pod1; $0.40 was listed" in patch.note
    assert patch.reserve == Decimal("0.90") * Decimal("4.05")


def test_a_machine_whose_deadline_the_ceiling_no_longer_pays_is_not_kept():
    """Its name says when it is overdue, and whoever holds the key ends it then, not before."""
    dear = Instance(id="pod1", name="n", started_at=NOW, usd_per_hour=Decimal("2.50"))
    patch = step(ordered(), launched=dear, spent=Decimal("0.02"))
    assert code(patch) == "price_rose"
    assert patch.changes["instance_id"] == "pod1"
    assert patch.changes["recovering"] == "price_rose", "the next rung is taken"
    assert patch.reserve == Decimal("2.50") * Decimal("4.05"), "what it can come to all the same"
    last = step(ordered(rung=1), launched=dear, spent=Decimal("0.02"))
    assert last.changes["outcome"] is Outcome.FAILED
    assert "plan is made anew" in last.changes["advice"]


def test_an_order_keeps_its_share_of_the_ceiling():
    patch = step(job(), spent=Decimal("1.50"))
    assert patch.reserve == Decimal("0.4") * Decimal("4.05"), "four hours, and three minutes more"
    scarce = step(job(warned_at=NOW), spent=Decimal("4.50"))
    assert scarce.changes["deadline"] == NOW + timedelta(hours=1.25, minutes=-3)
    assert scarce.reserve == Decimal("0.50")


def test_a_doubt_that_cannot_be_settled_leaves_the_job_and_the_end_goes_on_trying():
    old = ordered(intent_at=NOW - timedelta(seconds=901))
    patch = step(old, error=DoubtfulError("d"))
    assert code(patch) == "create_doubtful"
    assert "first_intent_at" not in patch.changes
    assert step(old.model_copy(update=dict(patch.changes))).effect is Effect.TERMINATE


def test_a_job_for_a_queue_reserves_its_run_and_not_its_wait():
    found = queued_jobs.job(
        intent_at=None, first_intent_at=None, instance_name=None, instance_id=None, deadline=None
    )
    patch = step(found)
    begins = NOW + timedelta(seconds=LIMITS.queue_limit_s)
    assert patch.changes["deadline"] > begins
    hourly = Decimal("2.72")
    assert patch.reserve == reserve(hourly, begins, patch.changes["deadline"], LIMITS)
    assert patch.reserve <= Decimal(5)
    assert "over at the latest" in patch.note
    made = Instance(id=queued_jobs.JOB_ID, name="n", started_at=NOW)
    placed = step(queued_jobs.job(instance_id=None), launched=made)
    assert placed.note == f"RunPod has the job: {queued_jobs.JOB_ID}"
