"""Tokens on the screen: which are trained on, and nothing that could harm a terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from podtune.cli import mask_view
from podtune.core.errors import SpecError


def token(text, trained=False):
    return {"text": text, "id": 1, "trained": trained}


def facts(**changes):
    document = {"tokens": [token("<user>why?"), token("so.", True)], "cut": None}
    return {
        "source": "/data/rows.jsonl", "model": "a/model", "takes_system": True, "rows": 2,
        "rows_left": 0, "examples": 2, "tokens": 40, "trained": 10, "longest": 30, "folded": 0, "missing": [],
        "findings": [], "kinds": [],
        "shown": [{"line": 3, "row": 2, "problem": None, "documents": [document]}],
        **changes,
    }  # fmt: skip


def shown(value, **options):
    stream = io.StringIO()
    mask_view.render(Console(file=stream, width=120, **options), value)
    return stream.getvalue()


def test_counts_stand_above_and_tokens_below():
    text = shown(facts())
    assert "2 rows as a/model sees them: 40 tokens, 10 trained on (25%), longest 30" in text
    assert "row 2, line 3: 2 tokens, 1 trained on" in text
    assert "<user>why?«so.»" in text


def test_without_colour_marks_stand_round_what_is_trained_on():
    tokens = [token("a", True), token("b", True), token("c"), token("d", True)]
    row = {"line": 1, "row": 1, "problem": None, "documents": [{"tokens": tokens, "cut": None}]}
    assert "«ab»c«d»" in shown(facts(shown=[row]))


def test_what_is_trained_on_is_underlined():
    text = shown(facts(), force_terminal=True, color_system="standard", no_color=False)
    assert "\x1b[4;32mso." in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows_left": 7}, "7 more are not shown"),
        ({"folded": 1}, "no system role: in 1 row"),
        ({"tokens": 0, "trained": 0, "shown": []}, "0 tokens"),
        (
            {
                "findings": [{"code": "too_long", "line": n} for n in range(1, 9)],
                "kinds": [{"code": "too_long", "rows": 8, "message": "more [x]", "advice": "less"}],
            },
            "too_long 8  more [x] line 1, 2, 3, 4, 5 ... - less",
        ),
        (
            {"shown": [{"line": 3, "row": 2, "problem": "refused [/]", "documents": []}]},
            "row 2, line 3: refused [/]",
        ),
        (
            {"shown": [{"line": 1, "row": 1, "problem": None,
                        "documents": [{"tokens": [token("x")], "cut": 512}]}]},
            "over 512",
        ),
    ],
)  # fmt: skip
def test_what_there_is_to_say_is_said(changes, words):
    assert words in shown(facts(**changes))


def test_a_long_row_is_cut_on_the_screen():
    tokens = [token("a")] * (mask_view.MOST_TOKENS + 5)
    row = {"line": 1, "row": 1, "problem": None, "documents": [{"tokens": tokens, "cut": None}]}
    assert "5 tokens more" in shown(facts(shown=[row])).replace("\n", " ")


def test_markup_and_control_characters_of_a_row_are_shown_as_they_are():
    row = {"line": 1, "row": 1, "problem": None, "documents": [
        {"tokens": [token("[bold]x[/bold]"), token("\x1b[2J\x9b"), token("a\n\tb")], "cut": None}]}  # fmt: skip
    text = shown(facts(shown=[row]))
    assert "[bold]x[/bold]" in text
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "a⏎" in text
    assert "⇥" in text


@pytest.mark.parametrize(
    ("text", "found"),
    [("1", (1,)), ("1-3", (1, 2, 3)), ("1-3,7", (1, 2, 3, 7)), (" 2 , 4 ", (2, 4)), ("3-2", ())],
)
def test_numbers_as_people_write_them(text, found):
    assert mask_view.numbers(text) == found


@pytest.mark.parametrize("text", ["", "x", "1-", "-1", "1,,2", "1-2-3", "1-101", "1-9999999999"])
def test_what_are_no_numbers(text):
    with pytest.raises(SpecError) as caught:
        mask_view.numbers(text)
    assert caught.value.code == "bad_option"


@given(st.text())
def test_whatever_a_token_is_no_control_character_reaches_the_terminal(text):
    seen = mask_view.visible(text)
    assert all(c in "\n\t" or c.isprintable() or ord(c) > 0x9F for c in seen)
