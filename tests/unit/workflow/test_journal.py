"""Lines of a job's log, and the version by which drivers see that something changed."""

import pytest

from podtune.core.states import JobPhase
from podtune.workflow import journal
from podtune.workflow.columns import micros
from support import build
from support.driving import held

NOW = micros(build.NOW)


@pytest.fixture
def store(database):
    made = database.store(lambda: build.NOW)
    yield made
    made.close()


def test_a_line_stands_at_the_attempt_and_phase_that_are_given_or_those_of_the_job(store):
    store.add(build.job(id="a", phase=JobPhase.TRAINING, attempt=2))
    with store.transaction() as connection:
        journal.write(connection, "a", 1, JobPhase.QUEUED, "then", NOW)
        journal.write_as_it_stands(connection, "a", "now", NOW)
        journal.write_as_it_stands(connection, "nobody's", "nowhere", NOW)
    told = [(line.attempt, line.phase, line.message) for line in store.log("a")]
    assert told[1:] == [(1, "queued", "then"), (2, "training", "now")]
    assert {line.time for line in store.log("a")} == {build.NOW}
    assert list(store.log("nobody's")) == []


def test_who_holds_a_job_sees_that_it_was_touched(store):
    store.add(build.job(id="a"))
    mine = held(store, store.get("a"))
    before = store.held(mine.holder)
    with store.transaction() as connection:
        journal.touch(connection, "a")
    assert store.held(mine.holder) == {"a": before["a"] + 1}
