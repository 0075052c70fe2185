"""Every field that a sentence can state has its home."""

import json

import pytest

from podtune.core.spec import field_paths
from podtune.intake.homes import HINTS, HOMES, RENTED_ONLY, Kind

PATHS = {*field_paths(), "data.columns.prompt", "data.columns.completion"}


@pytest.mark.parametrize("field", sorted(HOMES))
def test_a_home_is_a_path_of_the_spec_or_words(field):
    home = HOMES[field]
    assert set(home.paths) <= PATHS
    if home.kind in (Kind.SPEC, Kind.MADE, Kind.MODEL, Kind.ASKED, Kind.LOCATOR):
        assert home.paths
    else:
        assert home.words
        assert not home.paths


def test_one_value_has_one_home():
    plain = [home.paths[0] for home in HOMES.values() if home.kind is Kind.SPEC]
    assert len(plain) == len(set(plain))


def test_the_fields_of_the_request_schema_are_all_there(root):
    found = root.parent / "shared" / "nlp" / "requests-dev.jsonl"
    if not found.is_file():
        pytest.skip("the request schema lies beside the tree where it was built, and not here")
    with found.open(encoding="utf-8") as lines:
        assert set(json.loads(next(lines))["expect"]) == set(HOMES)


def test_what_hints_at_a_machine_is_a_field():
    assert set(HOMES) >= HINTS >= RENTED_ONLY
