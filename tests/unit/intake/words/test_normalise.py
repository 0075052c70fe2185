# ruff: noqa: RUF001 - signs of other scripts are what is read here
"""Plain text, the way back, and what is hidden."""

import pytest

from podtune.intake.words.normalise import fold, normalise


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ("５０元", "50元"),
        ("10⁻⁴", "10^-4"),
        ("½ epoch", " 1/2 epoch"),
        ("“a”", '"a"'),
        ("1\u202f500", "1 500"),
        ("e\u0301poque", "époque"),
    ],
)
def test_plain(request_, text):
    assert normalise(request_).text == text


@pytest.mark.parametrize(
    "request_", ["a\u200bb", "a\u202eb", "m\u0456stral", "\u00adx", "a\U000e0041"]
)
def test_hidden(request_):
    assert normalise(request_).is_suspicious


@pytest.mark.parametrize(
    "request_", ["👩\u200d💻 hello", "❤\ufe0f", "naïve café", "客服 chats", "line\nline"]
)
def test_not_hidden(request_):
    assert not normalise(request_).is_suspicious


def test_the_way_back():
    found = normalise("５０ €\u200b x")
    assert found.origin(found.text.index("x")) == 6


def test_folding_keeps_the_length():
    assert fold("ÉPOQUE Straße") == "epoque straße"
