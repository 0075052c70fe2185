"""Leaving: saved first, kept where that was asked for, lost only for good reasons."""

from datetime import timedelta
from decimal import Decimal

import pytest

from podtune.core.events import WorkerResult
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.providers.base import InstanceState
from podtune.workflow.leaving import CRASH_STARTS, NO_CUDA_WORDS, TAKE_CHECKPOINTS
from podtune.workflow.steps import Effect, Heard, Patch
from support import queued_jobs
from support.rented_steps import NOW, code, plan, running, step


@pytest.mark.parametrize("phase", [JobPhase.PROVISIONING, JobPhase.TRAINING])
@pytest.mark.parametrize("state", [InstanceState.GONE, InstanceState.STOPPED])
def test_a_machine_that_is_gone_is_lost(phase, state):
    assert code(step(running(phase), state=state, searched=True, log_read=True)) == "worker_lost"


def test_the_log_of_a_machine_that_ended_before_its_first_word_says_why():
    starting = running(JobPhase.PROVISIONING)
    assert step(starting, state=InstanceState.STOPPED).effect is Effect.HAND_OVER, "read once more"
    heard = Heard(said="no space for the container", log_read=True)
    patch = step(starting, state=InstanceState.STOPPED, log_read=True, heard=heard)
    assert code(patch) == "worker_lost"
    assert patch.changes["error_message"].endswith(
        "; its log ends with 'no space for the container'"
    )
    late = starting.model_copy(update={"intent_at": NOW - timedelta(seconds=901)})
    patch = step(late, since=NOW - timedelta(seconds=900), heard=heard)
    assert code(patch) == "boot_timeout"
    assert "its log ends with 'no space" in patch.changes["error_message"]


@pytest.mark.parametrize("said", NO_CUDA_WORDS)
def test_a_host_that_cannot_start_the_image_is_told_as_that(said):
    heard = Heard(said=f"start container: {said} ...", log_read=True)
    starting = running(JobPhase.PROVISIONING)
    stopped = step(starting, state=InstanceState.STOPPED, log_read=True, heard=heard)
    assert code(stopped) == "no_cuda"
    assert said in stopped.changes["error_message"]
    tried = step(starting, heard=heard._replace(starts=CRASH_STARTS))
    assert code(tried) == "no_cuda"
    late = starting.model_copy(update={"intent_at": NOW - timedelta(seconds=901)})
    assert code(step(late, since=NOW - timedelta(seconds=900), heard=heard)) == "no_cuda"
    began = step(running(), state=InstanceState.STOPPED, heard=heard._replace(at=NOW))
    assert code(began) == "worker_lost", "it had started"


def test_a_container_that_is_started_again_and_again_is_not_waited_for():
    starting = running(JobPhase.PROVISIONING)
    again = Heard(starts=CRASH_STARTS, said="start container for x: begin")
    patch = step(starting, heard=again)
    assert code(patch) == "crash_loop"
    assert "started 3 times" in patch.changes["error_message"]
    assert step(starting, heard=again._replace(starts=2)).effect is Effect.HAND_OVER
    assert step(starting, heard=again._replace(at=NOW)).effect is Effect.HAND_OVER, "it spoke"


def test_a_machine_without_a_first_word_has_the_boot_limit():
    old = running(JobPhase.PROVISIONING, intent_at=NOW - timedelta(seconds=901))
    assert code(step(old, since=NOW - timedelta(seconds=900))) == "boot_timeout"
    assert step(old, since=NOW).effect is Effect.HAND_OVER, "a new driver looks for a while first"
    assert step(old, heard=Heard(at=NOW)).effect is Effect.HAND_OVER


@pytest.mark.parametrize("phase", [JobPhase.PROVISIONING, JobPhase.TRAINING])
def test_silence_after_the_first_word_has_a_limit(phase):
    long_ago = NOW - timedelta(seconds=601)
    patch = step(running(phase), since=long_ago, heard=Heard(at=long_ago))
    assert code(patch) == "worker_silent"


def test_who_leaves_a_training_saves_first_and_not_for_ever():
    wished = running(desired=Desired.CANCELLED)
    assert step(wished).changes == {"salvage_at": NOW}
    saving = wished.model_copy(update={"salvage_at": NOW - timedelta(seconds=100)})
    assert step(saving).effect is Effect.SALVAGE
    assert step(saving, heard=Heard(saved=True)).changes["outcome"] is Outcome.CANCELLED
    long_enough = wished.model_copy(update={"salvage_at": NOW - timedelta(seconds=121)})
    assert step(long_enough).changes["outcome"] is Outcome.CANCELLED
    assert step(saving, state=InstanceState.GONE).changes["outcome"] is Outcome.CANCELLED


@pytest.mark.parametrize("store", ["direct", "hf", "s3", "supabase"])
def test_a_machine_that_stopped_for_its_time_may_have_left_a_checkpoint_in_its_store(store):
    made = plan()
    deliver = made.spec.deliver.model_copy(update={"store": store})
    stored = made.model_copy(update={"spec": made.spec.model_copy(update={"deliver": deliver})})
    stopped = WorkerResult(ok=False, error_code="interrupted", error_message="asked to stop")
    known = {"result": stopped, "state": InstanceState.GONE, "searched": True}
    late = running(plan=stored, deadline=NOW)
    if store not in TAKE_CHECKPOINTS:
        assert step(late, **known).changes["outcome"] is Outcome.TIMED_OUT
        return
    assert step(late, **known).changes == {"salvage_at": NOW}
    saving = late.model_copy(update={"salvage_at": NOW})
    assert step(saving, **known).effect is Effect.SALVAGE
    done = step(saving, **known, heard=Heard(saved=True))
    assert done.changes["outcome"] is Outcome.TIMED_OUT


def test_a_machine_is_left_before_its_deadline():
    near = running(deadline=NOW + timedelta(seconds=119))
    assert step(near).changes == {"salvage_at": NOW}
    saved = step(near.model_copy(update={"salvage_at": NOW}), heard=Heard(saved=True))
    assert saved.changes["outcome"] is Outcome.TIMED_OUT
    assert step(running(deadline=NOW + timedelta(seconds=121))).effect is Effect.PULL


def test_what_ends_a_machine_is_said_its_hours_or_the_money():
    begun = NOW - timedelta(hours=3, minutes=58, seconds=1)
    hours = running(
        salvage_at=NOW, intent_at=begun, first_intent_at=begun, deadline=begun + timedelta(hours=4)
    )
    patch = step(hours, heard=Heard(saved=True))
    assert (code(patch), patch.changes["outcome"]) == ("timed_out", Outcome.TIMED_OUT)
    assert "max_hours" in patch.changes["advice"]
    sooner = {"deadline": NOW + timedelta(seconds=30), "warned_at": NOW}
    money = hours.model_copy(update=sooner)
    patch = step(money, heard=Heard(saved=True), spent=Decimal("4.90"))
    assert (code(patch), patch.changes["outcome"]) == ("over_budget", Outcome.TIMED_OUT)
    assert "$4.90 of $5.00" in patch.changes["error_message"]
    assert "--budget" in patch.changes["advice"]


def test_a_worker_that_its_machine_stopped_for_its_time_is_no_lost_machine():
    """Its clock may be two minutes ahead of ours."""
    stopped = WorkerResult(ok=False, error_code="interrupted", error_message="asked to stop")
    known = {"result": stopped, "heard": Heard(at=NOW, saved=True)}
    near = running(salvage_at=NOW, deadline=NOW + timedelta(seconds=239))
    assert step(near, **known).changes["outcome"] is Outcome.TIMED_OUT
    early = running(salvage_at=NOW, deadline=NOW + timedelta(seconds=241))
    assert step(early, **known).changes["recovering"] == "interrupted", "the platform stopped it"


def test_a_failed_job_keeps_its_machine_where_that_was_asked_for():
    found = running(plan=plan(keep=30), salvage_at=NOW, deadline=NOW + timedelta(minutes=22))
    said = WorkerResult(ok=False, error_code="out_of_memory", error_message="m")
    patch = step(found, result=said, heard=Heard(saved=True))
    assert patch.changes["kept_until"] == NOW + timedelta(minutes=20), "within the deadline"
    assert "podtune ssh" in patch.note
    kept = found.model_copy(update=dict(patch.changes))
    assert step(kept) == Patch()
    assert step(kept, now=patch.changes["kept_until"]).effect is Effect.TERMINATE
    wished = kept.model_copy(update={"desired": Desired.CANCELLED})
    assert step(wished).effect is Effect.TERMINATE
    assert wished.unproved_since(kept.kept_until + timedelta(seconds=119), 120) is None
    assert wished.unproved_since(kept.kept_until + timedelta(seconds=121), 120) == kept.kept_until


def test_a_job_that_no_worker_takes_is_given_up_and_says_why():
    waiting = queued_jobs.job(intent_at=NOW - timedelta(seconds=1801))
    heard = Heard(said="no card of the endpoint's pools is free now")
    assert code(step(waiting, since=NOW - timedelta(seconds=100), heard=heard)) is None
    patch = step(waiting, since=NOW - timedelta(seconds=1000), heard=heard)
    assert code(patch) == "queue_timeout"
    assert patch.changes["outcome"] is Outcome.FAILED, "another order would wait as well"
    assert "no card" in patch.changes["error_message"]
    young = queued_jobs.job(intent_at=NOW - timedelta(seconds=1700))
    assert code(step(young, since=NOW - timedelta(seconds=1700))) is None


@pytest.mark.parametrize("error_code", ["interrupted", "timed_out"])
def test_a_worker_that_ends_by_its_own_limit_is_out_of_time(error_code):
    result = WorkerResult(ok=False, error_code=error_code, error_message="late")
    found = queued_jobs.job(
        JobPhase.TRAINING, deadline=NOW + timedelta(seconds=150), salvage_at=NOW
    )
    heard = Heard(saved=True, at=NOW)
    patch = step(found, result=result, heard=heard)
    assert patch.changes["outcome"] is Outcome.TIMED_OUT
