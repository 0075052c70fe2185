"""States at a glance: a word, a shape and a tone for each."""

import pytest

from podtune.app.asked import SubmissionState, Submitted
from podtune.core.errors import SpecError
from podtune.core.states import JobPhase, Outcome
from podtune.gateway.dashboard import states
from support import build, renting


def found(job=None, error=None, state=SubmissionState.ACCEPTED, begun=None):
    return Submitted(
        id="a", state=state, job=job, error=error, kind="cli", name=None, tenant=None, note={},
        created_at=build.NOW, begun_at=begun,
    )  # fmt: skip


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_own_shape(outcome):
    job = build.job(phase=JobPhase.DONE, outcome=outcome)
    state = states.state_of(found(job))
    assert state.word == outcome.value
    others = {
        states.state_of(found(build.job(phase=JobPhase.DONE, outcome=o))).sign
        for o in Outcome
        if o is not outcome
    }
    assert state.sign not in others


@pytest.mark.parametrize("phase", [p for p in JobPhase if not p.is_terminal])
def test_every_phase_is_said(phase):
    state = states.state_of(found(build.job(phase=phase)))
    assert state.word == phase.value
    assert state.tone in ("busy", "quiet")


def test_a_job_that_goes_on_elsewhere_says_so():
    job = build.job(phase=JobPhase.PROVISIONING, recovering="instance_lost")
    assert states.state_of(found(job)).word == "going on"


def test_what_is_no_job_yet_or_never_was():
    preparing = SubmissionState.PREPARING
    assert states.state_of(found(state=preparing)).word == "waiting"
    assert states.state_of(found(state=preparing, begun=build.NOW)).word == "preparing"
    refused = found(error=SpecError("no"), state=SubmissionState.REFUSED)
    assert states.state_of(refused).word == "refused"


def test_where_it_runs():
    assert states.where(build.plan()) == "this machine"
    assert states.where(renting.plan()) == "RunPod pod, RTX A5000"
    assert states.where(renting.plan(), rung=99).startswith("RunPod pod, ")


def test_a_folder_is_called_by_its_last_part():
    plan = build.plan()
    facts = plan.base_model.model_copy(update={"name": "/home/me/models/tiny"})
    assert states.model(plan.model_copy(update={"base_model": facts})) == "tiny"
