"""What `/v1/plans` answers: the plan whole, with nothing in it that is secret."""

from datetime import timedelta
from decimal import Decimal

from pydantic import SecretStr

from podtune.app.plan_offers import Offered
from podtune.app.ticket import Ticket, TicketState
from podtune.gateway import plans_form
from podtune.intake.understand import Option, Question
from support import build, rented_jobs

QUESTION = Question(
    field="dataset", text="which?", must=True,
    options=(Option(value="a.csv", label="a.csv", why="12 rows"),),
)  # fmt: skip


def ticket(*reasons):
    end = build.NOW + timedelta(minutes=15)
    return Ticket(SecretStr("ptp_x"), "abc", "d" * 64, Decimal(9), end, reasons)


def test_open_questions_and_no_plan():
    told = plans_form.answer(Offered(None, None, (QUESTION,), "train", {}, ("told",)))
    assert (told.plan, told.token, told.approval, told.fields) == (None, None, None, ())
    assert told.told == ("told",)
    assert told.questions[0].model_dump() == {
        "field": "dataset", "text": "which?", "must": True,
        "options": ({"value": "a.csv", "label": "a.csv", "why": "12 rows"},),
    }  # fmt: skip


def test_a_rented_plan_with_its_price_and_what_to_do():
    plan = rented_jobs.plan()
    told = plans_form.answer(Offered(plan, ticket("it may cost $9.00"), (), "train", {}))
    assert told.plan.digest == plan.digest
    assert told.price.max_usd == float(plan.price.max_usd)
    assert told.price.machines == len(plan.price.ladder)
    assert (told.token, told.approval.id, told.approval.needed) == ("ptp_x", "abc", True)
    assert "podtune approve abc" in told.approval.next
    assert {one.path for one in told.fields} == {note.path for note in plan.fields}


def test_a_callbacks_query_and_an_uploaded_files_place_are_not_shown():
    stated = {
        "deliver.callback_url": "https://x.example/hook?secret=planted",
        "data.source": "/home/f",
    }
    plan = build.plan(stated)
    told = plans_form.answer(Offered(plan, ticket(), (), "train", {"/home/f": "file-1"}))
    assert "planted" not in told.model_dump_json()
    fields = {one.path: one.value for one in told.fields}
    assert fields["data.source"] == "file-1"
    assert told.approval.next.startswith("POST /v1/plans/submit")


def test_an_estimate_has_no_token():
    told = plans_form.answer(Offered(build.plan(), None, (), "estimate", {}))
    assert (told.intent, told.token, told.price) == ("estimate", None, None)


def test_the_states_are_those_of_the_tickets():
    assert plans_form.PlanState.model_json_schema()["$defs"]["TicketState"]["enum"] == list(
        TicketState
    )
