"""Separators and stop marks of the time before chat templates: found, and taken off with consent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import Message
from podtune.data.quality.suffixes import FEWEST, Suffixes, stripped

ROWS = [("Why is it so", "Because"), ("Where is it", "There"), ("How much", "Three euros")]


def row(question, answer):
    return (Message("user", question), Message("assistant", answer))


def seen(*rows):
    suffixes = Suffixes()
    for question, answer in rows:
        suffixes.see(row(question, answer))
    return suffixes


@pytest.mark.parametrize(
    "mark",
    ["\n\n###\n\n", " ->", "\n\n###", " =>", " ---", "\n<sep>", " |||", "\n~~~", "\n### END"],
)
def test_a_separator_of_all_prompts_is_found(mark):
    found = seen(*((q + mark, a) for q, a in ROWS))
    assert found.marks() == {"user": mark.strip()}
    assert found.found() == [("common_prompt_suffix", mark.strip())]


@pytest.mark.parametrize("mark", [" END", "\n###", " [END]", "<eos>", "</s>", "\nSTOP", "<|end|>"])
def test_a_stop_mark_of_all_answers_is_found(mark):
    found = seen(*((q, a + mark) for q, a in ROWS))
    assert found.found() == [("common_completion_suffix", mark.strip())]


@pytest.mark.parametrize("end", ["", ".", "?", "!", ")", " please", " thanks", "\n\nKind regards"])
def test_ends_that_are_words_or_one_sign_are_no_marks(end):
    assert seen(*((q + end, a + end) for q, a in ROWS)).found() == []


def test_words_that_end_alike_are_no_mark():
    assert seen(("AND", "x"), ("BAND", "y"), ("LAND", "z")).found() == []


def test_letters_before_the_mark_that_are_alike_do_not_count():
    assert seen(("one ###", "a"), ("done ###", "b"), ("gone ###", "c")).marks() == {"user": "###"}


def test_too_few_rows_agree_by_chance():
    assert seen(*((q + " ###", a) for q, a in ROWS[: FEWEST - 1])).found() == []


def test_one_row_without_the_mark_is_enough():
    assert seen(*((q + " ###", a) for q, a in ROWS), ("Why", "So")).found() == []


def test_no_rows():
    assert Suffixes().found() == []


@pytest.mark.parametrize(
    ("text", "bare"),
    [("Why\n\n###", "Why"), ("Why", "Why"), ("### Why", "### Why"), ("Why ######", "Why ###"),
     ("###", "###"), ("", "")],
)  # fmt: skip
def test_a_mark_is_taken_off_the_end_once_and_never_leaves_nothing(text, bare):
    messages = (Message("system", "x ###"), *row(text, "So. ###"))
    system, user, assistant = stripped(messages, {"user": "###"})
    assert (system.content, user.content, assistant.content) == ("x ###", bare, "So. ###")


def test_a_turn_that_only_calls_tools_stays():
    calling = Message("assistant", None, ({"function": {"name": "f", "arguments": "{}"}},))
    assert stripped((calling,), {"assistant": "END"}) == (calling,)


words = st.text(st.characters(whitelist_categories=["L", "N", "P", "Z"]), min_size=1).map(str.strip)


@given(st.lists(st.tuples(words, words), min_size=1, max_size=6))
def test_whatever_the_rows_what_is_found_ends_every_one(rows):
    for role, mark in seen(*rows).marks().items():
        texts = [question if role == "user" else answer for question, answer in rows]
        assert all(text.rstrip().endswith(mark) for text in texts)
