"""The table of families: spelled as names are read, and each alias leads somewhere."""

from podtune.intake.words.families import ALIASES, FAMILIES


def test_names_are_small_and_aliases_lead_to_families():
    assert all(name == name.lower() for name in (*FAMILIES, *ALIASES))
    assert set(ALIASES.values()) <= set(FAMILIES)


def test_a_single_release_is_one_that_can_be_named():
    for row in FAMILIES.values():
        assert all(isinstance(word, str) for word in row.is_single)
