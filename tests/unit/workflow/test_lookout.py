"""One look for all machines; one that ended is believed when two looks in a row say so."""

from datetime import timedelta

from podtune.core.errors import UnavailableError
from podtune.providers.base import InstanceState
from podtune.workflow.lookout import LOOK_S, Lookout
from support import build
from support.executors import Held

RUNNING, GONE = InstanceState.RUNNING, InstanceState.GONE


class Bench:
    def __init__(self):
        self.now = build.NOW
        self.answers = []
        self.asked = []
        self.held = Held()
        self.lookout = Lookout(self.observe, self.held, lambda: self.now)

    def observe(self, wanted):
        self.asked.append(wanted)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def look(self, answer, seconds=LOOK_S):
        self.answers.append(answer)
        self.now += timedelta(seconds=seconds)
        self.lookout.look(["a", "b"])
        self.held.run()
        self.lookout.look([])


def test_it_says_whether_anybody_answers():
    bench = Bench()
    assert bench.lookout.is_answered, "nobody was asked yet"
    bench.look(UnavailableError("u"))
    assert not bench.lookout.is_answered
    bench.look({})
    assert bench.lookout.is_answered


def test_all_machines_are_looked_at_by_one_call():
    bench = Bench()
    assert bench.lookout.state("a") is None
    bench.look({"a": RUNNING, "b": RUNNING})
    assert bench.asked == [("a", "b")]
    assert bench.lookout.state("a") is RUNNING
    assert bench.lookout.state(None) is None


def test_a_look_is_due_again_only_after_a_while_and_never_twice_at_once():
    bench = Bench()
    bench.look({"a": RUNNING})
    bench.now += timedelta(seconds=LOOK_S / 2)
    bench.lookout.look(["a"])
    assert bench.held.waiting == []
    bench.now += timedelta(seconds=LOOK_S)
    for _ in range(3):
        bench.lookout.look(["a"])
        bench.now += timedelta(seconds=LOOK_S)
    assert len(bench.held.waiting) == 1


def test_one_absence_proves_nothing():
    bench = Bench()
    bench.look({"a": RUNNING})
    bench.look({"a": GONE})
    assert bench.lookout.state("a") is RUNNING
    bench.look({"a": RUNNING})
    bench.look({"a": GONE})
    assert bench.lookout.state("a") is RUNNING
    bench.look({"a": GONE})
    assert bench.lookout.state("a") is GONE


def test_a_look_that_fails_changes_nothing():
    bench = Bench()
    bench.look({"a": RUNNING})
    bench.look({"a": GONE})
    for error in (UnavailableError("u"), ValueError("v")):
        bench.look(error)
    assert bench.lookout.state("a") is RUNNING
    bench.look({"a": GONE})
    assert bench.lookout.state("a") is GONE
