"""A candidate is a plain value with its place."""

from podtune.intake.words.candidates import Candidate


def test_it_holds_its_place():
    assert Candidate("epochs", 3, 4, 12)._replace(value=2) == ("epochs", 2, 4, 12)
