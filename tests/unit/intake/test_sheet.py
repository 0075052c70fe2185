"""What is gathered, and what an answer means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.intake.sheet import Sheet, picked
from podtune.intake.understood import Option, Question
from support.understanding import sheet

OPTIONS = (
    Option(value="runpod", label="a rented machine"),
    Option(value="local", label="this machine"),
)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        ("1", "runpod"),
        ("2", "local"),
        ("This machine", "local"),
        ("LOCAL", "local"),
        ("3", "3"),
        (" x ", "x"),
    ],
)
def test_an_answer_is_a_number_a_label_or_a_value(answer, value):
    assert picked(OPTIONS, answer) == value


@given(st.text(max_size=2000))
def test_any_answer_is_taken_or_refused(answer):
    try:
        assert picked(OPTIONS, answer)
    except SpecError as error:
        assert error.code == "bad_answer"  # noqa: PT017 - both ends are fine, nothing else is


def test_a_question_without_an_answer_stays_open():
    page = sheet("qwen3 4b on a.csv")
    question = Question(field="where", text="?", options=OPTIONS, must=True)
    assert page.ask(question) is None
    assert page.ask(question.model_copy(update={"must": False})) is None
    assert page.open_questions() == (question,), "once, the one that must be answered"


def test_an_answered_question_is_not_open():
    page = sheet("qwen3 4b on a.csv", where="2")
    assert page.ask(Question(field="where", text="?", options=OPTIONS, must=True)) == "local"
    assert page.open_questions() == ()


def test_what_is_said_carries_the_words_of_the_first_field_that_has_any():
    page = sheet("qwen3 4b on a.csv, 3 epochs")
    page.say("training.epochs", 3, "nothing", "epochs")
    page.assume("training.seed", 1, "why" * 400, "seed")
    assert page.quotes == {"training.epochs": "3 epochs"}
    assert len(page.assumed["training.seed"][1]) == 500


def test_remarks_stand_once_and_on_one_line():
    page = sheet("qwen3 4b on a.csv")
    page.tell("a\n b", "a b")
    assert page.told == ("a b",)


def test_lists_and_single_values_are_told_apart():
    parsed = sheet("qwen3 4b on a.csv").parsed
    for fields in ({"export": "gguf"}, {"where": ["local"]}):
        with pytest.raises(SpecError, match="confused"):
            Sheet(parsed._replace(fields=fields), "", {})
