"""Money and time: ceilings as they were said, questions where they are none, never more than the words allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.intake import spending
from podtune.intake.words.parse import parse
from support.words import NOW


def money(text, **answers):
    return spending.money(parse(text, NOW), text, answers)


def time(text, **answers):
    return spending.time(parse(text, NOW).fields, answers, NOW)


def test_a_total_in_dollars_is_the_ceiling():
    found = money("qwen3 4b on rows.csv, under $5")
    assert found == ({"where.max_usd": 5}, {}, (), ())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("at most 8 €", "nothing is converted"),
        ("no more than $3.50/hr", "for an hour"),
        ("no more than $3.50/hr each, two H100s", "a card and hour"),
        ("money is no object", "no amount"),
        ("budget $5, don't spend more than $3", "there are two"),
    ],
)
def test_what_is_no_ceiling_is_asked(words, told):
    found = money(f"qwen3 4b on rows.csv, {words}")
    assert not found.stated
    assert not found.assumed
    (question,) = found.questions
    assert question.must
    assert question.field == "budget"
    assert told in question.text


def test_about_an_amount_is_confirmed_as_the_most():
    found = money("qwen3 4b on rows.csv, roughly $20")
    assert found.assumed["where.max_usd"][0] == 20
    (question,) = found.questions
    assert not question.must
    assert question.options[0].value == "20"


def test_nothing_said_is_nothing_found():
    assert money("qwen3 4b on rows.csv") == ({}, {}, (), ())


def test_an_answer_is_a_ceiling():
    assert money("qwen3 4b on rows.csv, at most 8 €", budget="$7.50").stated == {
        "where.max_usd": 7.5
    }
    with pytest.raises(SpecError, match="no amount of US dollars"):
        money("qwen3 4b on rows.csv", budget="as much as it takes")


@pytest.mark.parametrize("words", ["under $5", "roughly $5", "budget $9, don't spend more than $5"])
@given(answer=st.integers(0, 10**6))
def test_an_answer_never_raises_what_the_words_allow(words, answer):
    found = money(f"qwen3 4b on rows.csv, {words}", budget=str(answer))
    assert found.stated["where.max_usd"] == min(answer, 5)
    assert bool(found.told) == (answer > 5)


def test_the_lowest_of_two_amounts_is_offered():
    (question,) = money("budget $5, don't spend more than $3, qwen3 4b, a.csv").questions
    assert [o.value for o in question.options] == ["3"]


def test_hours_and_deadlines():
    assert time("qwen3 4b, a.csv, no longer than 90 minutes").stated == {"where.max_hours": 1.5}
    found = time("qwen3 4b, a.csv, must be done by tomorrow 9am")
    assert found.assumed["where.max_hours"][0] == 23
    assert found.questions[0].field == "deadline"
    assert not found.questions[0].must


def test_an_answer_about_a_deadline_never_goes_past_it():
    text = "qwen3 4b, a.csv, must be done by tomorrow 9am"
    assert time(text, deadline="4").stated == {"where.max_hours": 4}
    assert time(text, deadline="90 h").stated == {"where.max_hours": 23}
    with pytest.raises(SpecError, match="no number of hours"):
        time(text, deadline="soon")


def test_a_deadline_that_has_passed_is_asked():
    found = spending.time({"deadline": "2026-11-20"}, {}, NOW)
    assert not found.assumed
    assert found.questions[0].must
    assert spending.time({"deadline": "nonsense"}, {}, NOW).questions[0].must


def test_the_shorter_of_both_holds():
    found = spending.time({"deadline": "2026-11-22T20:00", "max_hours": 2}, {}, NOW)
    assert found.assumed["where.max_hours"][0] == 2
