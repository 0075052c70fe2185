"""A wish becomes a plan with a token, or a question: by fields here, by words where the words are tested."""

import pytest

from podtune.app.plan_offers import Offers, Wish, question_of
from podtune.app.plan_tickets import PlanTickets
from podtune.core.access import THIS_MACHINE
from podtune.core.errors import DatasetError, NotFoundError, SpecError
from support import desks, tickets


def no_file(name):
    raise NotFoundError(f"no file {name!r}", code="no_such_file")


@pytest.fixture
def mine(mine, office):
    """A request on data that was uploaded."""
    path = desks.uploaded(office.service)
    return lambda **stated: mine(**{"source": str(path)} | stated)


@pytest.fixture
def offers(office):
    return Offers(office.here, PlanTickets(office.submissions), no_file)


def wish(mine, answers=None, **stated):
    return Wish(None, mine(**stated).request.stated, answers or {})


def test_fields_become_a_plan_and_a_token_that_starts_it(offers, office, mine):
    found = offers.offer(wish(mine, training__epochs=2))
    assert (found.questions, found.intent) == ((), "train")
    assert found.ticket.digest == found.plan.digest
    made = PlanTickets(office.submissions)
    token = found.ticket.token.get_secret_value()
    job = made.submit(token, THIS_MACHINE, wait_s=60).job
    assert float(job.plan.spec.training.epochs) == 2
    assert tickets.row_of(office, found.ticket.approval_id).kind == "plans"


def test_answers_are_said_as_fields_are(offers, mine):
    found = offers.offer(wish(mine, {"training.epochs": 3}))
    assert float(found.plan.spec.training.epochs) == 3
    with pytest.raises(SpecError) as caught:
        offers.offer(wish(mine, {"training.epoch": 3}))
    assert caught.value.code == "unknown_field"


@pytest.mark.parametrize("field", ["data.source", "data.validation_source", "deliver.to"])
@pytest.mark.parametrize("of_gateway", ["rows.jsonl", "/etc/passwd", "~/x", "../*.csv", "a\0b"])
def test_no_path_of_the_gateway_s_machine_is_taken_whoever_asks(offers, mine, field, of_gateway):
    stated = {**mine().request.stated, field: of_gateway}
    with pytest.raises(SpecError) as caught:
        offers.offer(Wish(None, stated, {}))
    assert caught.value.code == "outside_workspace"
    assert "/v1/files" in caught.value.hint


def test_what_is_open_becomes_a_question(offers, office):
    rented = {"data.source": str(desks.uploaded(office.service)), "where.on": "runpod"}
    found = offers.offer(Wish(None, rented, {}))
    assert (found.plan, found.ticket) == (None, None)
    (question,) = found.questions
    assert (question.field, question.must) == ("base_model.name", True)


def test_what_is_wrong_is_an_error(offers, mine):
    with pytest.raises(NotFoundError):
        offers.offer(wish(mine, source="file-none"))
    with pytest.raises(SpecError):
        offers.offer(wish(mine, training__epochs=-1))


def test_an_uploaded_file_stands_where_its_id_stood(office, mine):
    path = desks.uploaded(office.service)
    offers = Offers(office.here, PlanTickets(office.submissions), {"file-1": path}.__getitem__)
    found = offers.offer(wish(mine, source="file-1"))
    assert found.plan.spec.data.source == str(path)
    assert found.uploads == {str(path): "file-1"}


@pytest.mark.parametrize(
    ("choice", "field"),
    [("prompt_column", "data.columns.prompt"), ("response_column", "data.columns.completion"), ("sheet", "data.sheet")],
)  # fmt: skip
def test_two_readings_of_the_data_are_asked_by_their_field(choice, field):
    context = {"choice": choice, "taken": "a", "others": ["b", "c"]}
    question = question_of(DatasetError("which", code="choice_needed", context=context))
    assert (question.field, [one.value for one in question.options]) == (field, ["a", "b", "c"])


def test_a_missing_ceiling_is_asked_for_and_other_errors_are_none():
    context = {"suggested_usd": "3"}
    assert (
        question_of(SpecError("cap", code="budget_needed", context=context)).options[0].value == "3"
    )
    assert question_of(SpecError("no", code="bad_spec")) is None
    assert question_of(SpecError("no", code="model_needed")) is None
