"""Deadlines, counted from a Sunday at ten."""

import pytest


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("by tomorrow 9am", "2026-11-23T09:00"), ("by Friday noon", "2026-11-27T12:00"), ("before 6pm", "2026-11-22T18:00"), ("by 8am", "2026-11-23T08:00"), ("by 2026-12-01", "2026-12-01"), ("until Monday", "2026-11-23"),
        ("bis morgen 18 Uhr", "2026-11-23T18:00"), ("bis Freitag", "2026-11-27"), ("avant vendredi 17h", "2026-11-27T17:00"), ("d'ici demain 9h", "2026-11-23T09:00"), ("antes del lunes", "2026-11-23"), ("entro domani alle 9", "2026-11-23T09:00"),
        ("até sexta-feira às 18h", "2026-11-27T18:00"), ("明天9点前", "2026-11-23T09:00"), ("by Dec 3", "2026-12-03"), ("by 3 March", "2027-03-03"), ("I need it in 3 hours", "2026-11-22T13:00"), ("it has to be ready in two days", "2026-11-24"), ("ich brauche es in 90 Minuten", "2026-11-22T11:30"), ("j'en ai besoin dans 2 heures", "2026-11-22T12:00"),
    ],
)  # fmt: skip
def test_a_moment(fields, words, moment):
    found = fields(f"qwen3 8b on rows.csv, {words}")
    assert found["deadline"] == moment
    assert "max_hours" not in found


@pytest.mark.parametrize(
    "words",
    [
        "by 6",
        "tomorrow is Monday",
        "by 2026-13-45",
        "step by step",
        "tickets from before 2024-01-01",
        "orders placed before Friday",
        "we are open until 6pm",
        "train it in 3 hours",
    ],
)
def test_no_moment(fields, words):
    assert "deadline" not in fields(f"qwen3 8b on rows.csv, {words}")
