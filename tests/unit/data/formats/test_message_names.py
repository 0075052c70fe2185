"""The names are in the spelling that they are looked up by, and say one thing of a sender."""

import itertools

import pytest

from podtune.data.formats import message_names as names
from podtune.data.formats.columns import normalise

SETS = {name: getattr(names, name) for name in dir(names) if name.isupper()}
KINDS = (names.USER, names.ASSISTANT, names.BOT, names.EVENT, names.NOTE)


@pytest.mark.parametrize("name", SETS)
def test_names_are_spelled_as_they_are_looked_up(name):
    assert [n for n in SETS[name] if normalise(n) != n] == []


@pytest.mark.parametrize("name", ["SENDER", "TEXT", "TIME"])
def test_ranked_names_stand_once(name):
    twice = [n for n in SETS[name] if SETS[name].count(n) > 1]
    assert twice == []


def test_no_sender_is_two_things():
    for left, right in itertools.combinations(KINDS, 2):
        assert not left & right


def test_no_word_means_true_and_false():
    assert not names.TRUE & names.FALSE
    assert not names.HIDDEN & names.OPEN
