"""The table of base models: every family has its rows or its reason, and no row promises what is not built."""

import re

import pytest

from podtune.intake.defaults import DEFAULT_BASE_MODEL, SUGGESTED_MODEL
from podtune.intake.releases import RELEASES, UNTRAINED
from podtune.intake.words.families import FAMILIES
from podtune.planning import families as built

NAMES = {release.name for release in RELEASES}


def test_every_family_is_there_or_says_why_not():
    there = {r.family for r in RELEASES} | set(UNTRAINED)
    assert set(FAMILIES) - there == set()
    assert {r.family for r in RELEASES} - set(FAMILIES) == set()


@pytest.mark.parametrize("release", RELEASES, ids=lambda r: r.name)
def test_a_row_is_whole_and_of_a_type_that_is_built(release):
    assert release.model_type in {*built.FAMILIES, *built.WRAPPED}
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", release.name)
    assert 0 < release.parameters_b < 1000
    assert 1024 <= release.context <= 2**20
    assert release.licence
    assert release.template
    near = abs(release.size_b - release.parameters_b) / release.parameters_b
    assert near < 0.5, "what its name says and what it has"


def test_names_stand_once():
    assert len(NAMES) == len(RELEASES)


def test_what_is_offered_instead_is_in_the_table():
    assert {row.instead for row in UNTRAINED.values()} <= NAMES
    assert {key.split()[0] for key in UNTRAINED} <= set(FAMILIES)
    assert {DEFAULT_BASE_MODEL, SUGGESTED_MODEL} <= NAMES


def test_mistrals_instruct_models_of_7b():
    found = [
        r.version
        for r in RELEASES
        if r.family == "mistral" and (r.size_b, r.variant) == (7, "instruct")
    ]
    assert found == ["0.3", "0.2", "0.1"], "the newest first"


def test_the_first_of_each_family_has_a_reason():
    firsts = {r.family: r for r in reversed(RELEASES)}
    assert [r.name for r in firsts.values() if not r.why] == []
