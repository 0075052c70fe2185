"""Questions on a terminal: numbers or values, Enter for what is assumed; a typed error where nobody is."""

import io
import sys

import pytest
import typer

from podtune.cli import dialogue
from podtune.cli.console import Output
from podtune.core.errors import ConflictError, SpecError
from podtune.intake.understood import Option, Question
from support import homes


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self):
        return True


@pytest.fixture
def types(monkeypatch):
    """Lets somebody type lines."""
    return lambda text: monkeypatch.setattr(sys, "stdin", Terminal(text))


def asked(*values, must=True, field="dataset"):
    options = tuple(Option(value=f"/w/{v}", label=v, why="12 rows") for v in values)
    return Question(field=field, text="which one?", options=options, must=must)


NUMBERS = Question(
    field="budget", text="how much?", must=True,
    options=(Option(value="3", label="$3", why="suggested"), Option(value="7", label="$7")),
)  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("2\n", "/w/b.csv"), ("a.csv\n", "/w/a.csv"), ("A.CSV\n", "/w/a.csv"), ("/w/b.csv\n", "/w/b.csv"),
        ("other.csv\n", "other.csv"), ("\n3\n0\n1\n", "/w/a.csv"),
    ],
)  # fmt: skip
def test_a_number_a_name_or_another_value(types, capsys, typed, value):
    types(typed)
    assert dialogue.answer(asked("a.csv", "b.csv")) == value
    said = capsys.readouterr()
    assert said.out.strip() == ""
    for words in ("dataset", "which one?", "1 a.csv", "2 b.csv", "12 rows"):
        assert words in said.err


def test_a_file_s_name_looks_like_no_other_choice(types, capsys):
    types("1\n")
    assert dialogue.answer(asked("x\n  2 tickets.csv\x1b[31m", "b.csv")).startswith("/w/x")
    (shown,) = [one for one in capsys.readouterr().err.splitlines() if "tickets.csv" in one]
    assert shown.lstrip().startswith("1 x 2 tickets.csv")
    assert "\x1b[31m" not in shown


def test_what_must_be_said_is_not_taken_from_enter(types):
    types("\n\n")
    with pytest.raises(typer.Abort):
        dialogue.answer(asked("a.csv"))


def test_enter_takes_what_is_assumed(types):
    types("\n")
    assert dialogue.answer(asked("a.csv", must=False)) == "/w/a.csv"


@pytest.mark.parametrize(("typed", "value"), [("3\n", "3"), ("2\n", "2"), ("$7\n", "7")])
def test_amounts_are_typed_and_never_numbered(types, capsys, typed, value):
    types(typed)
    assert dialogue.answer(NUMBERS) == value
    assert "- $3" in capsys.readouterr().err


def test_nothing_foreign_moves_the_terminal(types, capsys):
    types("1\n")
    dialogue.answer(asked("\x1b[2Jevil\u202e.csv"))
    err = capsys.readouterr().err
    assert "\x1b[2J" not in err
    assert "\u202e" not in err


def test_several_are_asked_one_after_the_other(types):
    types("1\n\n")
    given = dialogue.answered(
        [asked("a.csv"), asked("m", must=False, field="base_model")], {"where": "local"}
    )
    assert given == {"where": "local", "dataset": "/w/a.csv", "base_model": "/w/m"}


def test_answers_beforehand():
    assert dialogue.said(None) == {}
    assert dialogue.said(["dataset=a=b.csv", " budget = 5 "]) == {
        "dataset": "a=b.csv",
        "budget": "5",
    }


@pytest.mark.parametrize("text", ["dataset", "=x", "dataset= ", "dataset=" + "x" * 1001])
def test_what_is_no_answer_is_told(text):
    with pytest.raises(SpecError) as caught:
        dialogue.said([text])
    assert caught.value.code == "bad_answer"


def test_where_nobody_is_there_what_must_be_said_is_listed_with_how():
    with pytest.raises(SpecError) as caught:
        dialogue.refuse_open(
            [asked("my file.csv"), NUMBERS, asked("m", must=False, field="base_model")]
        )
    error = caught.value
    assert error.code == "answers_needed"
    assert error.hint == "add --answer dataset='my file.csv' --answer budget=3"
    assert [q["field"] for q in error.context["questions"]] == ["dataset", "budget"]


def test_where_nobody_is_there_what_is_assumed_needs_a_word():
    with pytest.raises(SpecError) as caught:
        dialogue.refuse_open([asked("a.csv", must=False)], "d" * 64)
    assert caught.value.code == "confirm_needed"
    assert "--yes" in caught.value.hint
    assert caught.value.context["digest"] == "d" * 64


def test_a_plan_is_agreed_to_by_eight_letters_of_its_own_digest(tmp_path):
    plan = homes.rented_plan(tmp_path)
    dialogue.refuse_other(plan.digest[:8], plan)
    for other in ("", plan.digest[:7], "0" * 64 if plan.digest[0] != "0" else "1" * 64):
        with pytest.raises(ConflictError) as caught:
            dialogue.refuse_other(other, plan)
        assert caught.value.code == "plan_changed"
        assert plan.digest[:12] in caught.value.hint


def test_a_program_agrees_to_no_price_unasked(tmp_path, types):
    types("y\n")
    plan = homes.rented_plan(tmp_path)
    with pytest.raises(SpecError) as caught:
        dialogue.confirm_start(plan, Output.JSON, yes=False)
    assert caught.value.code == "confirm_needed"
    assert "never over $" in caught.value.message
    dialogue.confirm_start(plan, Output.HUMAN, yes=False)
    types("")
    dialogue.confirm_start(plan, Output.JSON, yes=True)


def test_nothing_open_is_nothing_to_refuse():
    dialogue.refuse_open([])


def test_only_a_person_is_asked(types, monkeypatch):
    types("")
    assert dialogue.may_ask(Output.HUMAN)
    assert not dialogue.may_ask(Output.JSON)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert not dialogue.may_ask(Output.HUMAN)
