"""Tokens: numbers with values, phrases with concepts, languages by their small words."""

import pytest

from podtune.intake.words.lexicon import Concept
from podtune.intake.words.tokens import language_of, tokenise


def test_phrases_and_numbers():
    found = tokenise("no more than thirty-two epochs", "en")
    assert [t.concept for t in found] == [Concept.AT_MOST, None, Concept.EPOCHS]
    assert found[1].number.value == 32


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("train it on my files", "en"),
        ("bitte auf meinen daten", "de"),
        ("sur mes donnees", "fr"),
        ("con mis datos", "es"),
        ("sui miei dati", "it"),
        ("com os meus dados", "pt"),
        ("用我的数据", "zh"),
        ("データで", "ja"),
        ("3 x", "en"),
    ],
)
def test_language(text, language):
    assert language_of(text) == language


def test_units_glued_to_numbers_come_apart():
    assert [t.text for t in tokenise("48gb", "en")] == ["48", "gb"]


@pytest.mark.parametrize("words", ["a quarter of an epoch", "a quarter epoch of it", "un quart d'epoque"])  # fmt: skip
def test_a_part_of_an_epoch(words):
    first, *rest = tokenise(words, "en")
    assert first.number is None or first.number.value == 0.25
    assert Concept.EPOCHS in [t.concept for t in rest]
