"""The table of names is in the spelling that it is looked up by, and says one thing of a name."""

import itertools

import pytest

from podtune.data.formats.column_names import NAMES
from podtune.data.formats.columns import ROLES, normalise, score

ALL = [(role, 3 - tier, name) for role in NAMES for tier, names in enumerate(NAMES[role]) for name in names]  # fmt: skip


def test_every_role_has_three_tiers():
    assert tuple(NAMES) == ROLES
    assert all(len(tiers) == 3 for tiers in NAMES.values())


@pytest.mark.parametrize(("role", "points", "name"), ALL, ids=str)
def test_a_name_is_spelled_as_names_are_looked_up(role, points, name):
    assert normalise(name) == name
    assert score(role, name) == points


@pytest.mark.parametrize(("role", "points", "name"), [n for n in ALL if n[1] == 3], ids=str)
def test_a_name_in_another_layout_is_the_same_name(role, points, name):
    for spelled in (name.upper(), name.replace(" ", "_"), f" {name.title()}: "):
        assert score(role, spelled) == points


def test_no_name_asks_and_answers_as_strongly():
    for left, right in itertools.combinations(ROLES, 2):
        for tiers in zip(NAMES[left], NAMES[right], strict=True):
            assert not set(tiers[0]) & set(tiers[1])


def test_no_name_stands_twice_in_a_role():
    for tiers in NAMES.values():
        names = list(itertools.chain.from_iterable(tiers))
        assert len(names) == len(set(names))
