"""Negation reaches its clause, a correction makes the last word count, two words are a conflict."""

import pytest

from podtune.intake.words.candidates import Candidate
from podtune.intake.words.clauses import settle


@pytest.mark.parametrize(
    ("words", "family"),
    [
        ("not llama but mistral", "mistral"), ("kein Llama, sondern Mistral", "mistral"), ("mistral instead of llama", "mistral"),
        ("llama - no, mistral", "mistral"), ("use mistral, not llama", "mistral"), ("don't use llama. mistral", "mistral"), ("no Llama sino Mistral", "mistral"),
    ],
)  # fmt: skip
def test_what_is_refused_is_not_chosen(fields, words, family):
    assert fields(f"train {words} on rows.csv")["base_model_family"] == family


def test_the_last_word_after_a_correction():
    values = [Candidate("epochs", 3, 0, 5), Candidate("epochs", 2, 20, 25)]
    assert settle(values, [10]).chosen["epochs"].value == 2
    assert settle(values, []).conflicts == ["epochs"]
    assert settle([values[0], values[0]._replace(start=9)], []).chosen["epochs"].value == 3
