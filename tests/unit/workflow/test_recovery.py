"""Going on after a lost machine: what is worth another one, on which rung, how often, within which limits."""

from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.core.errors import ProviderError, StateError
from podtune.core.events import WorkerResult
from podtune.core.limits import Limits
from podtune.core.plan import Origin
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.providers.base import InstanceState
from podtune.workflow import recovery
from podtune.workflow.advance import advance
from podtune.workflow.steps import Effect, Heard
from support import build
from support.rented_steps import A40, NOW, PROOF, code, plan, running, seen, step

SAME = ("worker_lost", "worker_silent", "artifact_lost", "device_error", "interrupted")
NEXT = (
    "boot_timeout", "crash_loop", "price_rose", "no_cuda", "image_unfit", "install_failed", "pod_failed", "disk_full",
)  # fmt: skip
NEVER = (
    "bad_data", "data_changed", "loss_not_finite", "out_of_memory", "step_hung", "bad_spec",
    "rejected_key", "insufficient_balance", "over_budget", "timed_out", "no_capacity", "plan_mismatch",
    "training_failed", "create_doubtful", "no_stop_token", "artifact_bad",
)  # fmt: skip


def said(error):
    """A machine whose worker gave this failure as its last word, all saved."""
    result = WorkerResult(ok=False, error_code=error, error_message=f"it says {error}")
    return {"result": result, "heard": Heard(at=NOW, saved=True)}


def left_with(error, **changes):
    """The patch by which a job leaves whose worker failed so."""
    return step(running(salvage_at=NOW, **changes), **said(error))


def lost(**changes):
    """A job whose machine is gone, and is being ended."""
    job = running(**changes)
    return job.model_copy(update=dict(step(job, state=InstanceState.GONE).changes))


def test_every_failure_is_of_one_kind():
    assert set(recovery.RUNGS) == {*SAME, *NEXT}


@pytest.mark.parametrize("error", [*SAME, *NEXT])
def test_a_machine_that_is_lost_or_unfit_is_ended_and_the_job_goes_on(error):
    patch = left_with(error)
    assert (patch.changes["phase"], patch.changes["outcome"]) == (JobPhase.TERMINATING, None)
    assert patch.changes["recovering"] == error
    assert code(patch) == error, "what happened is said until then"
    assert patch.note == f"it says {error}: going on with another machine (1 of 3)"


@pytest.mark.parametrize("error", NEVER)
def test_what_would_come_again_on_any_machine_ends_the_job(error):
    patch = left_with(error)
    assert patch.changes["outcome"] is Outcome.FAILED
    assert "recovering" not in patch.changes


@pytest.mark.parametrize("error", [*SAME, *NEXT])
def test_a_good_machine_is_taken_again_and_an_unfit_one_is_not(error):
    job = running()
    job = job.model_copy(update=dict(left_with(error).changes))
    assert step(job).effect is Effect.TERMINATE, "ended first, as on every way out"
    patch = step(job, proof=PROOF)
    assert patch.changes["rung"] == (0 if error in SAME else 1)
    assert patch.effect is None
    after = job.model_copy(update=dict(patch.changes))
    assert (after.phase, after.attempt, after.recoveries) == (JobPhase.STAGING, 2, 1)
    assert after.first_intent_at == job.first_intent_at, "hours go on"
    gone = (
        "intent_at",
        "instance_name",
        "instance_id",
        "deadline",
        "salvage_at",
        "left_at",
        "proof",
    )
    told = (
        "recovering",
        "error_code",
        "error_message",
        "advice",
        "kept_until",
        "outcome",
        "requote",
    )
    assert [getattr(after, name) for name in gone + told] == [None] * 14


def test_the_next_order_has_a_name_of_its_own_and_no_more_money():
    job = lost()
    job = job.model_copy(update=dict(step(job, proof=PROOF, spent=Decimal(3)).changes))
    assert step(job).effect is Effect.STAGE, "the newest checkpoint goes along"
    job = job.model_copy(update=dict(step(job, staged=True).changes))
    patch = step(job, staged=True, spent=Decimal(3))
    assert f"{job.id}-2-x" in patch.changes["instance_name"]
    paid = timedelta(hours=2 / 0.40)
    hours = job.first_intent_at + timedelta(hours=4)
    assert patch.changes["deadline"] == min(NOW + paid, hours).replace(microsecond=0)
    assert patch.reserve <= 2


def test_behind_the_last_rung_an_unfit_machine_fails_the_job():
    assert left_with("no_cuda", rung=1).changes["outcome"] is Outcome.FAILED
    assert left_with("worker_lost", rung=1).changes["recovering"] == "worker_lost"


def test_an_image_of_one_s_own_is_unfit_everywhere():
    made = plan()
    note = made.note("where.image").model_copy(update={"origin": Origin.STATED})
    own = made.model_copy(
        update={"fields": (*(n for n in made.fields if n.path != note.path), note)}
    )
    assert left_with("image_unfit", plan=own).changes["outcome"] is Outcome.FAILED
    assert left_with("no_cuda", plan=own).changes["outcome"] is None


def test_it_goes_on_so_often_and_no_more():
    assert left_with("worker_lost", recoveries=2).changes["outcome"] is None
    assert left_with("worker_lost", recoveries=3).changes["outcome"] is Outcome.FAILED
    never = advance(running(salvage_at=NOW), seen(**said("worker_lost")), Limits(max_recoveries=0))
    assert never.changes["outcome"] is Outcome.FAILED


@pytest.mark.parametrize(
    "known", [{"spent": Decimal("4.96")}, {"now": NOW + timedelta(hours=3, minutes=54.5)}]
)
def test_without_money_or_hours_for_another_the_job_ends_as_what_happened_first(known):
    known = {"since": known.get("now", NOW), **known}
    at_once = step(running(warned_at=NOW), state=InstanceState.GONE, **known)
    assert (code(at_once), at_once.changes["outcome"]) == ("worker_lost", Outcome.FAILED)
    later = step(lost(warned_at=NOW), proof=PROOF, **known)
    assert later.changes == {
        "phase": JobPhase.NOTIFYING, "proof": PROOF, "outcome": Outcome.FAILED, "recovering": None,
    }  # fmt: skip


def test_a_wish_to_cancel_ends_a_job_that_was_to_go_on():
    wished = lost().model_copy(update={"desired": Desired.CANCELLED})
    patch = step(wished)
    assert (patch.changes["outcome"], patch.changes["recovering"]) == (Outcome.CANCELLED, None)
    ended = wished.model_copy(update=dict(patch.changes))
    assert step(ended).effect is Effect.TERMINATE
    assert step(ended, proof=PROOF).changes["phase"] is JobPhase.NOTIFYING
    crossed = running(salvage_at=NOW, desired=Desired.CANCELLED)
    assert step(crossed, **said("worker_lost")).changes["outcome"] is Outcome.CANCELLED


def test_a_machine_is_kept_to_look_into_only_when_the_job_ends():
    made = plan(keep=30)
    assert "kept_until" not in left_with("worker_lost", plan=made).changes
    assert "kept_until" in left_with("out_of_memory", plan=made).changes


def test_an_error_of_this_side_is_mended_by_no_other_machine():
    own = StateError("no room here", code="disk_full")
    assert step(running(JobPhase.RETRIEVING), error=own).changes["outcome"] is Outcome.FAILED
    odd = ProviderError("odd", code="pod_failed")
    assert step(running(), error=odd).changes["outcome"] is Outcome.FAILED


def test_one_offer_alone_serves_again():
    single = plan(A40)
    job = lost(plan=single)
    assert step(job, proof=PROOF).changes["rung"] == 0
    dear = plan(build.offer(usd="90"), max_usd="5")
    assert step(running(plan=dear), state=InstanceState.GONE).changes["outcome"] is Outcome.FAILED
