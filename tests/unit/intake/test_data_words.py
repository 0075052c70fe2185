"""Names against descriptions: six languages, plurals, compounds, and nothing else."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.intake import data_words
from podtune.intake.data_words import FOLDER, SAME_THING, SAME_WORD, likeness, wish


def test_the_examples_hold():
    assert doctest.testmod(data_words).failed == 0


@pytest.mark.parametrize(
    ("hint", "name", "score"),
    [
        ("my support tickets", "support_tickets.csv", SAME_WORD + 1),
        ("my support tickets", "SupportTickets2026.jsonl", SAME_WORD + 1),
        ("my ticket export", "tickets.csv", SAME_WORD),
        ("our support tickets", "zendesk.json", SAME_THING),
        ("unsere Kundenanfragen", "kunden.csv", SAME_THING),
        ("nos conversations", "chat_log.txt", SAME_THING),
        ("nuestras conversaciones", "chats.jsonl", SAME_THING),
        ("le nostre domande", "faq.md", SAME_THING),
        ("as nossas perguntas", "faq.md", SAME_THING),
        ("les tickets du service client", "anfragen.csv", SAME_THING),
        ("my emails", "inbox.mbox", SAME_THING),
        ("my invoices", "tickets.csv", 0),
        ("my data", "data.csv", 0),
        ("our photos", "support.csv", 0),
    ],
)
def test_a_name_fits_by_its_words_and_what_they_mean(hint, name, score):
    assert likeness(name, (), wish(hint)).score == score


def test_a_folders_name_counts_less_and_says_so():
    found = likeness("2026.jsonl", ("exports", "tickets"), wish("my tickets"))
    assert found.score == FOLDER
    assert found.why == "its folder says 'tickets'"


def test_the_reason_names_both_words():
    assert likeness("zendesk.json", (), wish("tickets")).why == "says 'zendesk', as 'tickets'"


@pytest.mark.parametrize("hint", [None, "", "my data", "the files in the folder", "12345"])
def test_a_description_that_says_nothing_is_empty(hint):
    assert wish(hint).is_empty


def test_a_task_only_leans():
    wanted = wish("my export", "customer_support")
    assert wanted.is_empty
    assert wanted.leanings == {"support", "tickets"}


@given(st.text(max_size=300), st.text(max_size=100))
def test_any_text_has_a_score(hint, name):
    assert likeness(name, (name,), wish(hint)).score >= 0


def test_the_worst_text_is_read_within_bounds():
    assert likeness("a" * 100_000, (), wish("ä" * 100_000)).score in (0, SAME_WORD)
