"""Questions about data and plan: every choice is shown with its reason, and none is made."""

import pytest

from podtune.app.locate import Candidate, Located
from podtune.app.open_questions import (
    MOST_OPTIONS,
    about_data,
    chosen,
    in_order,
    of_error,
    picked,
    refuse_unasked,
)
from podtune.core.errors import DatasetError, SpecError
from podtune.intake.understood import Question


def candidate(name, score=4):
    return Candidate(
        source=f"/w/{name}", shown=name, why="its name says 'tickets'", score=score, size_bytes=2048,
        form="chat_messages", rows=12, is_whole=True,
    )  # fmt: skip


def located(*names, others=(), unfit=()):
    return Located(
        hint="my tickets", fitting=tuple(map(candidate, names)),
        others=tuple(map(candidate, others)), looked="looked in /w: 3 data files", unfit=unfit,
    )  # fmt: skip


def asked(found, *, is_taken=False):
    return about_data(found, "my tickets", is_taken=is_taken)


def test_candidates_are_options_with_their_reasons():
    question = asked(located("a.csv", "b.csv"))
    assert question.must
    assert question.text == "which of these is 'my tickets'?"
    assert [(o.value, o.label) for o in question.options] == [("/w/a.csv", "a.csv"), ("/w/b.csv", "b.csv")]  # fmt: skip
    assert question.options[0].why == "12 rows, 2 KiB, chat_messages; its name says 'tickets'"


@pytest.mark.parametrize(
    ("found", "is_taken", "words"),
    [
        (located("a.csv"), True, "a.csv is taken for 'my tickets'"),
        (located("a.csv"), False, "is this 'my tickets'?"),
        (located(others=["x.csv"]), False, "no name here fits 'my tickets'; is it one of these?"),
        (located(), False, "looked in /w: 3 data files; name a file or an address"),
        (located(unfit=["t.csv: empty"]), False, "(left out: t.csv: empty)"),
        (None, False, "where is 'my tickets'? An uploaded file or an address"),
    ],
)
def test_each_state_has_its_words(found, is_taken, words):
    question = asked(found, is_taken=is_taken)
    assert words in question.text
    assert question.must is not is_taken


def test_what_is_too_much_to_show_is_counted():
    question = asked(located(*(f"{n}.csv" for n in range(MOST_OPTIONS + 3))))
    assert len(question.options) == MOST_OPTIONS
    assert "(3 more are not shown: name the file)" in question.text


@pytest.mark.parametrize(("answer", "name"), [("2", "b.csv"), ("b.csv", "b.csv"), ("/w/a.csv", "a.csv")])  # fmt: skip
def test_an_answer_means_a_candidate(answer, name):
    assert chosen(answer, located("a.csv", "b.csv")).shown == name


@pytest.mark.parametrize("answer", ["0", "3", "c.csv", ""])
def test_another_answer_means_none(answer):
    assert chosen(answer, located("a.csv", "b.csv")) is None
    assert chosen(answer, None) is None


def test_what_a_plan_lacks_is_asked_with_its_suggestion():
    budget = of_error(SpecError("a ceiling", code="budget_needed", context={"suggested_usd": 3}))
    assert (budget.field, budget.options[0].value, budget.must) == ("budget", "3", True)
    model = of_error(SpecError("a model", code="model_needed", context={"suggested_model": "o/m"}))
    assert (model.field, model.options[0].value) == ("base_model", "o/m")


@pytest.mark.parametrize(
    ("choice", "field"),
    [("prompt_column", "data.columns.prompt"), ("speaker", "speaker"), ("sheet", "sheet")],
)
def test_an_open_choice_of_the_data_is_asked_and_answered_by_one_name(choice, field):
    context = {"choice": choice, "taken": "a", "others": ["b"]}
    question = of_error(DatasetError("which?", code="choice_needed", context=context))
    assert (question.field, [o.value for o in question.options]) == (field, ["a", "b"])
    (path,) = picked({field: "b", "elsewhere": "x"})
    assert path == (field if field.startswith("data.") else f"data.{field}")


def test_any_other_error_is_no_question():
    assert of_error(SpecError("no", code="unknown_gpu")) is None


def test_what_must_be_said_comes_first_and_each_field_once():
    def question(field, must):
        return Question(field=field, text=str(must), must=must)

    found = in_order([question("a", False), question("b", True), question("a", True)])
    assert [(q.field, q.must) for q in found] == [("b", True), ("a", False)]


def test_a_name_of_no_question_is_refused_and_the_nearest_named():
    refuse_unasked(
        {"dataset": "a", "budget": "1", "speaker": "x", "data.columns.prompt": "q", "epochs": "2"}
    )
    with pytest.raises(SpecError) as caught:
        refuse_unasked({"dataset": "a", "budgett": "1"})
    assert (caught.value.code, caught.value.hint) == ("bad_answer", "did you mean 'budget'?")
