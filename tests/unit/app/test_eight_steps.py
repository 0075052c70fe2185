"""The eight steps in their order, whatever becomes of the job."""

from datetime import timedelta

import pytest

from podtune.app.eight_steps import JobSteps, Step, StepState, begins, ends
from podtune.core.job import TerminationProof
from podtune.core.states import JobPhase, Outcome
from podtune.workflow.store import LogEntry
from support import build, rented_jobs

WAY = [
    JobPhase.VALIDATING,
    JobPhase.STAGING,
    JobPhase.PROVISIONING,
    JobPhase.PROVISIONING,
    JobPhase.TRAINING,
    JobPhase.RETRIEVING,
    JobPhase.TERMINATING,
    JobPhase.NOTIFYING,
    JobPhase.DONE,
]
JOB_STEPS = list(Step)[2:]


def entries(*phases, attempt=1, after=0):
    return [
        LogEntry(build.NOW + timedelta(seconds=after + n), attempt, phase.value, "x")
        for n, phase in enumerate(phases, 1)
    ]


def done(job, outcome=Outcome.COMPLETED, **changes):
    proof = TerminationProof(instance_id="i", absent_at=build.NOW, method="absent from 3 lists")
    values = {"phase": JobPhase.DONE, "outcome": outcome, "proof": proof, "finished_at": build.NOW}
    return job.model_copy(update=values | changes)


def told(steps):
    return [(t.step, t.state) for t in steps]


def begun(steps):
    return [t.step for t in steps if t.state is StepState.BEGINS]


def test_there_are_eight_with_their_numbers():
    assert [(s.number, s.value) for s in Step] == [
        (1, "parse"), (2, "validate"), (3, "generate"), (4, "upload"), (5, "create"), (6, "monitor"),
        (7, "retrieve"), (8, "clean_up"),
    ]  # fmt: skip


@pytest.mark.parametrize("rented", [False, True])
def test_a_job_that_completes_tells_each_once_in_its_order(rented):
    job = rented_jobs.job() if rented else build.job()
    found = list(JobSteps(job).look(done(job, instance_id="i"), entries(*WAY)))
    assert begun(found) == JOB_STEPS
    assert sorted(t.step.number for t in found if t.state is StepState.ENDS) == [3, 4, 5, 6, 7, 8]
    assert [t.time for t in found] == sorted(t.time for t in found)
    assert found[-1].detail == "absent from 3 lists"


def test_what_was_told_is_not_told_again():
    job = build.job()
    steps, seen = JobSteps(job), []
    running = job.model_copy(update={"phase": JobPhase.TRAINING})
    log = entries(*WAY)
    seen += steps.look(job, [])
    for entry in log[:5]:
        seen += steps.look(running, [entry])
    assert list(steps.look(running, [])) == []
    seen += steps.look(done(job), log[5:])
    assert begun(seen) == JOB_STEPS
    assert len(seen) == 12


def test_here_nothing_is_uploaded_and_that_is_said():
    job = build.job()
    found = list(JobSteps(job).look(job, entries(*WAY[:3])))
    upload = [t for t in found if t.step is Step.UPLOAD]
    assert [t.state for t in upload] == [StepState.BEGINS, StepState.ENDS]
    assert upload[1].detail == "nothing leaves this machine"


def test_a_machine_is_made_when_it_has_a_name_and_the_work_is_up_when_it_was_handed_over():
    job = rented_jobs.job()
    steps = JobSteps(job)
    made = job.model_copy(update={"instance_id": "pod-1"})
    first = list(steps.look(made, entries(*WAY[:4])))
    assert (first[-1].step, first[-1].state, first[-1].detail) == (
        Step.CREATE, StepState.ENDS, "pod-1",
    )  # fmt: skip
    later = list(steps.look(made, entries(JobPhase.TRAINING)))
    assert told(later) == [(Step.UPLOAD, StepState.ENDS), (Step.MONITOR, StepState.BEGINS)]
    assert later[0].detail == "straight to the machine, nothing is published"


@pytest.mark.parametrize(("reached", "failed"), [(2, [3]), (4, [4, 5]), (5, [6]), (6, [7])])
def test_what_was_going_on_when_it_ended_failed_and_it_is_cleaned_up_all_the_same(reached, failed):
    job = build.job()
    log = entries(*WAY[:reached], JobPhase.TERMINATING, JobPhase.NOTIFYING, JobPhase.DONE)
    ended = done(job, Outcome.FAILED, error_code="out_of_memory")
    found = list(JobSteps(job).look(ended, log))
    lost = [t for t in found if t.state is StepState.FAILED]
    assert [t.step.number for t in lost if t.step is not Step.UPLOAD] == [
        n for n in failed if n != Step.UPLOAD.number
    ]
    assert {t.detail for t in lost} == {"out_of_memory"}
    assert told(found)[-2:] == [(Step.CLEAN_UP, StepState.BEGINS), (Step.CLEAN_UP, StepState.ENDS)]


def test_a_job_that_lost_its_machine_begins_again_and_says_which_attempt():
    job = rented_jobs.job()
    first = entries(*WAY[:5], JobPhase.TERMINATING)
    second = entries(*WAY[1:], attempt=2, after=20)
    ended = done(job, attempt=2, instance_id="pod-2")
    found = list(JobSteps(job).look(ended, [*first, *second]))
    assert begun(found).count(Step.GENERATE) == begun(found).count(Step.MONITOR) == 2
    assert (Step.MONITOR, StepState.FAILED) in told(found)
    again = [t for t in found if t.state is StepState.BEGINS and t.detail == "attempt 2"]
    assert [t.step for t in again] == JOB_STEPS


def test_one_line_for_programs():
    line = ends(Step.CLEAN_UP, "gone").to_json()
    assert (line["step"], line["number"], line["state"], line["detail"]) == (
        "clean_up", 8, "ends", "gone",
    )  # fmt: skip
    assert begins(Step.PARSE).to_json()["detail"] is None
