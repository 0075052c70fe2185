"""Spans of time as people write them."""

import pytest

from podtune.intake.words import timespans
from podtune.intake.words.parse import documented
from support.words import NOW


@pytest.mark.parametrize(
    ("words", "hours"),
    [
        ("90 min", 1.5), ("2h 30m", 2.5), ("2h30", 2.5), ("2 h 30", 2.5), ("1:30 h", 1.5), ("an hour", 1), ("an hour and a half", 1.5), ("one and a half hours", 1.5), ("two hours and a half", 2.5), ("1-2 hours", 2), ("half an hour", 0.5),
        ("anderthalb Stunden", 1.5), ("une heure et demie sur le pod", 1.5), ("hora y media en el pod", 1.5), ("un'ora e mezza su di", 1.5), ("uma hora e meia no pod", 1.5), ("1小时", 1),
    ],
)  # fmt: skip
def test_a_span(words, hours):
    found = timespans.read(documented(words, NOW).tokens, 0)
    assert found is not None
    assert found.hours == pytest.approx(hours)


@pytest.mark.parametrize("words", ["3 epochs", "1:30", "hours", "a train", "an"])
def test_no_span(words):
    assert timespans.read(documented(words, NOW).tokens, 0) is None


def test_a_part_of_an_hour_is_no_hour(fields):
    found = fields("stop after a quarter of an hour, qwen3 8b on rows.csv")
    assert "max_hours" not in found
