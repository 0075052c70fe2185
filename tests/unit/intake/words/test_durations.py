"""Spans that are limits."""

import pytest


@pytest.mark.parametrize(
    ("words", "hours"),
    [
        ("no longer than 90 minutes", 1.5), ("2h max", 2), ("at most 2 hours", 2), ("stop after 1h30", 1.5), ("max 2h 30m", 2.5), ("time limit 3 hours", 3), ("under half an hour", 0.5), ("within a day", 24),
        ("höchstens 2 Stunden", 2), ("2 heures max", 2), ("máximo 2 horas", 2), ("al massimo 2 ore", 2), ("no máximo 2 horas", 2), ("不超过2小时", 2), ("nicht länger als 45 Minuten", 0.75),
    ],
)  # fmt: skip
def test_a_limit(fields, words, hours):
    assert fields(f"qwen3 8b on rows.csv, {words}")["max_hours"] == pytest.approx(hours)


@pytest.mark.parametrize(
    "words",
    [
        "tickets of the last 24 hours",
        "it took 3 hours last week",
        "at least 2 hours",
        "jusqu'à 17h",
        "calls of up to 2 hours",
        "a bot that answers within 2 minutes",
    ],
)
def test_no_limit(fields, words):
    assert "max_hours" not in fields(f"qwen3 8b on rows.csv, {words}")
