"""The schedules catch podtune without one of its rules; all mutants are `make faults`'s."""

import pytest

from faults import campaign, mutants

QUICK = {
    "r2_name_without_deadline": 3,
    "r3_ambiguous_create_again": 4,
    "r6_deadline_of_its_own": 12,
}
"""Mutants that few schedules catch, and how many those are."""


@pytest.mark.parametrize("name", QUICK)
def test_a_mutant_is_caught(name):
    assert campaign.first_caught(range(QUICK[name]), mutants.ALL[name]) is not None


def test_podtune_as_it_is_is_no_mutant():
    assert campaign.first_caught(range(4)) is None


def test_every_rule_has_a_mutant():
    rules = {name.partition("_")[0] for name in mutants.ALL}
    assert rules == {f"r{number}" for number in range(1, 12)}
