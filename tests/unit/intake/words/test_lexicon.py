"""The table of words: spelled as the reader sees them."""

import pytest

from podtune.intake.words.lexicon import PHRASES, Concept, phrases


def test_every_phrase_is_folded():
    for line in PHRASES.values():
        assert line == line.lower()
        assert not set("éèàüöäñçãõ'-_") & set(line)


@pytest.mark.parametrize(
    ("language", "words", "concept"),
    [("en", "at most", Concept.AT_MOST), ("de", "hochstens", Concept.AT_MOST), ("fr", "pas", Concept.NOT), ("es", "epocas", Concept.EPOCHS)],
)  # fmt: skip
def test_a_phrase(language, words, concept):
    parts = tuple(words.split())
    assert phrases(language)[parts[0]][parts] is concept


def test_a_word_of_one_language_is_none_of_another():
    assert ("pas",) not in phrases("en").get("pas", {})
