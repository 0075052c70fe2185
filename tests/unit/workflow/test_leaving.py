"""Leaving: saved first, kept where that was asked for, lost only for good reasons."""

from datetime import timedelta

import pytest

from podtune.core.events import WorkerResult
from podtune.core.states import Desired, JobPhase, Outcome
from podtune.providers.base import InstanceState
from podtune.workflow.steps import Effect, Heard, Patch
from support.rented_steps import NOW, code, plan, running, step


@pytest.mark.parametrize("phase", [JobPhase.PROVISIONING, JobPhase.TRAINING])
@pytest.mark.parametrize("state", [InstanceState.GONE, InstanceState.STOPPED])
def test_a_machine_that_is_gone_is_lost(phase, state):
    assert code(step(running(phase), state=state, searched=True)) == "worker_lost"


def test_the_log_of_a_machine_that_ended_before_its_first_word_says_why():
    starting = running(JobPhase.PROVISIONING)
    assert step(starting, state=InstanceState.STOPPED).effect is Effect.HAND_OVER, "read once more"
    heard = Heard(said="OCI runtime create failed", searched=True)
    patch = step(starting, state=InstanceState.STOPPED, searched=True, heard=heard)
    assert patch.changes["error_message"].endswith(
        "; its log ends with 'OCI runtime create failed'"
    )
    late = starting.model_copy(update={"intent_at": NOW - timedelta(seconds=901)})
    patch = step(late, since=NOW - timedelta(seconds=900), heard=heard)
    assert "its log ends with 'OCI" in patch.changes["error_message"]


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


def test_a_machine_is_left_before_its_deadline():
    near = running(deadline=NOW + timedelta(seconds=119))
    assert step(near).changes == {"salvage_at": NOW}
    saved = step(near.model_copy(update={"salvage_at": NOW}), heard=Heard(saved=True))
    assert saved.changes["outcome"] is Outcome.TIMED_OUT
    assert step(running(deadline=NOW + timedelta(seconds=121))).effect is Effect.PULL


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
