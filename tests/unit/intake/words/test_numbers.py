"""Numbers by the habits of languages."""

import pytest

from podtune.intake.words.numbers import read_digits, read_words


@pytest.mark.parametrize(
    ("text", "language", "value"),
    [("1,500", "en", 1500), ("1.500", "de", 1500), ("0,0001", "de", 1e-4), ("0.0002", "de", 2e-4), ("1.234,5", "it", 1234.5), ("1,234.5", "en", 1234.5), ("2e-4", "en", 2e-4), ("5x10^-5", "en", 5e-5), (".05", "en", 0.05), ("1,234,567", "en", 1_234_567)],
)  # fmt: skip
def test_digits(text, language, value):
    assert read_digits(text, language).value == pytest.approx(value)


def test_what_habits_disagree_on_is_doubtful():
    assert read_digits("1.500", "en").is_doubtful
    assert not read_digits("1,500", "en").is_doubtful


@pytest.mark.parametrize(
    ("words", "language", "value"),
    [("thirty two", "en", 32), ("two hundred and five", "en", 205), ("zweiunddreissig", "de", 32), ("quatre vingt dix", "fr", 90), ("soixante et onze", "fr", 71), ("treinta y dos", "es", 32), ("trentadue", "it", 32), ("trinta e dois", "pt", 32), ("三十二", "zh", 32), ("two thousand", "en", 2000)],
)  # fmt: skip
def test_words(words, language, value):
    split = words.split()
    assert read_words(split, language) == (value, len(split))


@pytest.mark.parametrize("words", ["second time", "a", "once more", "due tomorrow"])
def test_no_words(words):
    assert read_words(words.split(), "en") is None
