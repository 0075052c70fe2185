"""Money is asked for with its figures, and nothing is rented before somebody agreed."""

import io
import sys

import pytest
import typer

from podtune.cli import money
from podtune.cli.console import Output
from podtune.core.errors import SpecError
from support import build, renting


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self):
        return True


@pytest.fixture
def types(monkeypatch):
    """Lets somebody type lines."""
    return lambda text: monkeypatch.setattr(sys, "stdin", Terminal(text))


@pytest.fixture
def nobody(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO())


BUDGET = SpecError("a ceiling, please", code="budget_needed", context={"suggested_usd": 3})
MODEL = SpecError("a model, please", code="model_needed", context={"suggested_model": "org/m"})
OTHER = SpecError("no", code="unknown_gpu")


def test_only_what_a_person_can_answer_is_asked(types):
    types("")
    assert money.may_ask(BUDGET, Output.HUMAN)
    assert money.may_ask(MODEL, Output.HUMAN)
    assert not money.may_ask(OTHER, Output.HUMAN)
    assert not money.may_ask(BUDGET, Output.JSON)


def test_where_nobody_is_there_nobody_is_asked(nobody):
    assert not money.may_ask(BUDGET, Output.HUMAN)


@pytest.mark.parametrize(
    ("typed", "amount"),
    [("\n", 3.0), ("7.5\n", 7.5), ("$2\n", 2.0), ("lots\n0\n-1\nnan\n1e9\n4\n", 4.0)],
)
def test_a_ceiling_is_asked_until_it_is_one(types, capsys, typed, amount):
    types(typed)
    assert money.ask(BUDGET) == ("where.max_usd", amount)
    said = capsys.readouterr()
    assert "a ceiling, please" in said.err
    assert said.out.strip() == ""


@pytest.mark.parametrize(
    ("typed", "name"), [("\n", "org/m"), (" Qwen/Qwen3-4B \n", "Qwen/Qwen3-4B")]
)
def test_a_model_is_asked_with_a_suggestion(types, typed, name):
    types(typed)
    assert money.ask(MODEL) == ("base_model.name", name)


def test_a_local_plan_needs_no_consent(nobody):
    money.confirm(build.plan(), yes=False)


def test_yes_is_consent(nobody):
    money.confirm(renting.plan(), yes=True)


def test_where_nobody_can_agree_nothing_starts(nobody):
    plan = renting.plan()
    with pytest.raises(SpecError) as caught:
        money.confirm(plan, yes=False)
    assert caught.value.code == "confirm_needed"
    assert plan.digest[:12] in caught.value.message
    assert "never over $5.00" in caught.value.message
    assert "--yes" in str(caught.value.hint)


def test_the_question_holds_machine_figures_ceiling_and_plan(types, capsys):
    plan = renting.plan()
    types("y\n")
    money.confirm(plan, yes=False)
    asked = capsys.readouterr().err
    for words in (
        "RTX A5000",
        "others",
        plan.digest[:12],
        "about $0.",
        "p90 $0.",
        "$5.00",
        "[y/N]",
    ):
        assert words in asked


@pytest.mark.parametrize("typed", ["n\n", "\n"])
def test_no_and_nothing_are_no_consent(types, typed):
    types(typed)
    with pytest.raises(typer.Abort):
        money.confirm(renting.plan(), yes=False)


@pytest.mark.parametrize(("others", "words"), [(0, "Rent 2 x A40 for"), (1, "(or one other)")])
def test_the_question_says_how_many_would_do(types, capsys, others, words):
    price = build.price(*[build.offer(count=2) for _ in range(others + 1)])
    types("y\n")
    money.confirm(build.plan().model_copy(update={"price": price}), yes=False)
    assert words in capsys.readouterr().err


PUBLIC = {"deliver.public": True, "deliver.to": "hf://me/support-lora"}


def test_what_stays_private_needs_no_word(nobody):
    money.confirm_public(build.plan(), yes=False)


def test_yes_beside_a_stated_public_is_the_word(nobody):
    money.confirm_public(build.plan(PUBLIC), yes=True)


def test_publishing_needs_somebody_who_says_where(nobody):
    with pytest.raises(SpecError) as caught:
        money.confirm_public(build.plan(PUBLIC), yes=False)
    assert caught.value.code == "confirm_needed"
    assert "everybody will see me/support-lora" in caught.value.message


def test_the_repositorys_name_is_the_word(types, capsys):
    types("me/support-lora\n")
    money.confirm_public(build.plan(PUBLIC), yes=False)
    assert "samples of the data stay out" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["y\n", "\n", "me/other\n"])
def test_any_other_word_publishes_nothing(types, typed):
    types(typed)
    with pytest.raises(typer.Abort):
        money.confirm_public(build.plan(PUBLIC), yes=False)
