"""Effects under way: one for each job, results collected once, rests kept."""

from datetime import timedelta

import pytest

from podtune.core.errors import StateError
from podtune.core.limits import Limits
from podtune.workflow.chores import MANY, STUCK_S, Chores, spread
from podtune.workflow.pauses import RETRY_S
from podtune.workflow.steps import Effect
from support import build, rented_jobs
from support.executors import Held, Pushed

JOB = rented_jobs.job()
LOCAL = build.job(id="local")


class Effects:
    """Says what was asked for."""

    def pull(self, job):
        return f"pulled {job.id}"

    def terminate(self, job):
        raise StateError("no")

    launch = fetch = check_data = pull


@pytest.fixture
def clock():
    return Pushed(build.NOW)


@pytest.fixture
def executor():
    return Held()


@pytest.fixture
def chores(executor, clock):
    return Chores(executor, clock, Limits())


def test_an_effect_runs_once_and_is_collected_once(chores, executor):
    assert chores.begin(Effects(), Effect.PULL, JOB)
    assert not chores.begin(Effects(), Effect.PULL, JOB)
    assert chores.is_busy(JOB.id)
    assert (chores.done(), chores.collect(JOB.id)) == (set(), None)
    executor.run()
    assert chores.done() == {JOB.id}
    done = chores.collect(JOB.id)
    assert (done.value, done.error, done.effect) == (f"pulled {JOB.id}", None, Effect.PULL)
    assert chores.collect(JOB.id) is None
    assert not chores.is_busy(JOB.id)


def test_an_error_is_a_result_too(chores, executor):
    chores.begin(Effects(), Effect.TERMINATE, JOB)
    executor.run()
    assert chores.collect(JOB.id).error.message == "no"


def test_a_job_that_rests_begins_nothing(chores, clock):
    chores.rest(JOB, Effect.PULL, is_failure=False, jobs=1)
    assert chores.rests_until(JOB.id) == clock.now + timedelta(seconds=1)
    assert not chores.begin(Effects(), Effect.PULL, JOB)
    clock.forward(1)
    assert chores.begin(Effects(), Effect.PULL, JOB)


def test_on_this_machine_the_rest_is_short_whatever_fails(chores, clock):
    for _ in range(5):
        chores.rest(LOCAL, Effect.TERMINATE, is_failure=True, jobs=1)
    assert chores.rests_until("local") == clock.now + timedelta(seconds=RETRY_S)


def test_failures_in_a_row_lengthen_the_rest_until_something_succeeds(chores, clock):
    rests = []
    for _ in range(4):
        chores.rest(JOB, Effect.TERMINATE, is_failure=True, jobs=1)
        rests.append(chores.rests_until(JOB.id) - clock.now)
    assert rests == sorted(set(rests))
    chores.succeeded(JOB.id)
    chores.rest(JOB, Effect.TERMINATE, is_failure=True, jobs=1)
    assert chores.rests_until(JOB.id) - clock.now == rests[0]
    chores.begin_anew(JOB.id)
    assert chores.rests_until(JOB.id) is None


@pytest.mark.parametrize(
    ("hanging", "may_end"),
    [("pull", True), ("fetch", True), ("launch", True), ("terminate", False)],
)
def test_what_hangs_does_not_hold_up_the_end(chores, clock, hanging, may_end):
    chores.begin(Effects(), Effect(hanging), JOB)
    clock.forward(STUCK_S)
    assert not chores.begin(Effects(), Effect.TERMINATE, JOB)
    clock.forward(1)
    assert not chores.begin(Effects(), Effect.PULL, JOB)
    assert chores.begin(Effects(), Effect.TERMINATE, JOB) is may_end


def test_a_job_that_is_forgotten_leaves_nothing_behind(chores):
    chores.begin(Effects(), Effect.PULL, JOB)
    chores.rest(JOB, Effect.PULL, is_failure=True, jobs=1)
    chores.forget(JOB.id)
    assert not chores.is_busy(JOB.id)
    assert chores.rests_until(JOB.id) is None


def test_looks_at_many_machines_are_spread(chores, clock):
    assert spread(JOB, MANY - 1) == 1
    found = {spread(rented_jobs.job(id=f"job{i}"), 5000) for i in range(50)}
    assert len(found) > 40
    assert min(found) >= 0.75
    assert max(found) <= 1.25
    chores.rest(JOB, Effect.PULL, is_failure=False, jobs=5000)
    rest = (chores.rests_until(JOB.id) - clock.now).total_seconds()
    assert rest == pytest.approx(250 * spread(JOB, 5000))
