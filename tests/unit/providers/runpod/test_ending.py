from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from podtune.providers.base import InstanceState
from podtune.providers.runpod.ending import Ending
from podtune.providers.runpod.listing import Listing, PodFacts
from support.runpod_account import START

NAME = "pt-abc-job-1-x1800000000"


def seen(at, *ids):
    """A list at `at` seconds with pods of the name."""

    def fact(number):
        return PodFacts(number, NAME, InstanceState.RUNNING, "RUNNING", None, None, None, None, None, None, (), ())  # fmt: skip

    return Listing(START + timedelta(seconds=at), {i: fact(i) for i in ids})


def test_a_list_is_counted_once():
    ending = Ending(NAME, START)
    for _ in range(5):
        ending.look(seen(1))
    assert len(ending.absent) == 1
    assert not ending.is_long_enough(timedelta(0))


def test_whatever_shows_up_begins_the_window_anew():
    ending = Ending(NAME, START)
    ending.look(seen(0))
    ending.look(seen(50))
    assert ending.look(seen(55, "late")) == ["late"]
    ending.look(seen(70))
    ending.look(seen(129))
    assert not ending.is_long_enough(timedelta(seconds=60))
    ending.look(seen(130))
    assert ending.is_long_enough(timedelta(seconds=60))
    assert ending.ids == {"late"}


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans()), max_size=40))
def test_a_proof_needs_the_whole_window_without_a_sign_of_it(looks):
    ending, at, last_there = Ending(NAME, START), 0, -1
    absent = []
    for step, there in looks:
        at += step
        ending.look(seen(at, *(["p"] if there else [])))
        if there:
            last_there, absent = at, []
        else:
            absent.append(at)
        enough = len(absent) >= 2 and absent[-1] - absent[0] >= 60
        assert ending.is_long_enough(timedelta(seconds=60)) is enough
        assert not enough or at - last_there > 60


def test_one_that_is_ended_alone_sees_nothing_else_of_its_name():
    ending = Ending(NAME, START, {"mine"}, is_alone=True)
    assert ending.look(seen(0, "mine", "other")) == ["mine"]
    assert ending.look(seen(5, "other")) == []
    assert ending.ids == {"mine"}
    assert len(ending.absent) == 1
