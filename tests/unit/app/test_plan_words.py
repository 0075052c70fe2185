"""A plan in words: every figure of the promise, and values as people read them."""

import pytest

from podtune.app import plan_words
from podtune.core.plan import FieldNote, Origin
from podtune.core.spec import CALLBACK
from podtune.planning.price import hours, money
from support import build, queued_jobs, renting

PLAN = renting.plan()


def lines(plan):
    return dict(plan_words.price_lines(plan))


def test_a_local_plan_has_no_money_lines():
    assert lines(build.plan()) == {}


def test_the_money_lines_hold_every_figure():
    first = PLAN.price.first
    cost = lines(PLAN)["cost"]
    for figure in (money(first.usd_p50), money(first.usd_p90), "never over $5.00", "RTX A5000"):
        assert figure in cost
    assert hours(first.hours_p50) in lines(PLAN)["time"]
    assert PLAN.time.basis in lines(PLAN)["time"]


def test_the_machine_is_said_with_its_life():
    machine = lines(PLAN)["machine"]
    assert "RTX A5000, secure cloud, 50 GB at /workspace" in machine
    assert hours(PLAN.price.life_hours(PLAN.price.first)) in machine
    kept = renting.plan(renting.given({"where.keep_on_failure_min": 20, "where.volume": "v1"}))
    assert "volume v1" in lines(kept)["machine"]
    assert "after a failure kept 20 min" in lines(kept)["machine"]


def test_the_direct_store_says_what_can_be_lost():
    said = lines(PLAN)["pick-up"]
    assert "must stay on" in said
    assert "$5.00 are used up, then it is lost" in said


@pytest.mark.parametrize(
    ("store", "words"), [("hf", "Hub"), ("s3", "bucket"), ("supabase", "Supabase")]
)
def test_other_stores_say_the_way(store, words):
    said = lines(renting.plan(renting.given({"deliver.store": store})))["pick-up"]
    assert words in said
    assert ("what was trained is lost" in said) is (store == "hf"), "the others take checkpoints"


def test_a_plan_says_its_price_once():
    assert [name for name, _ in plan_words.lines(PLAN)].count("cost") == 1
    assert dict(plan_words.lines(build.plan()))["cost"].startswith("$0.00")


def test_the_fields_that_people_look_for_and_all_that_was_stated():
    plan = build.plan({"training.weight_decay": 0.1})
    told = {note.path for note in plan_words.told_fields(plan.fields)}
    assert {"training.weight_decay", "base_model.name"} <= told
    assert len(plan_words.told_fields(plan.fields, all_fields=True)) == len(plan.fields)


def test_of_a_callback_the_query_is_left_out():
    address = FieldNote(
        path=CALLBACK, value="https://a.example/hook?token=s3cret", origin=Origin.STATED, why=""
    )
    assert "s3cret" not in str(plan_words.told_fields([address])[0].value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (False, "no"),
        (0.0002, "0.0002"),
        (5.0, "5"),
        ({"tokens": 256, "examples": None}, "tokens 256"),
        ({}, "none"),
        (["a", "b"], "a, b"),
        ("auto", "auto"),
        (3, "3"),
    ],
)
def test_values_as_people_read_them(value, text):
    assert plan_words.shown_value(value) == text


def test_paths_below_here_are_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert plan_words.shown_value(str(tmp_path / "a" / "b.jsonl")) == "a/b.jsonl"
    assert plan_words.shown_value("/somewhere/else") == "/somewhere/else"


@pytest.mark.parametrize(("store", "words"), [("s3", "bucket"), ("supabase", "Supabase")])
def test_a_job_for_an_endpoint_says_whose_worker_and_that_waiting_is_free(store, words):
    made = queued_jobs.plan()
    deliver = made.spec.deliver.model_copy(update={"store": store})
    made = made.model_copy(update={"spec": made.spec.model_copy(update={"deliver": deliver})})
    said = lines(made)
    assert "a worker of endpoint 4m7x2k9q: A100" in said["machine"]
    assert "waiting in the queue is free" in said["machine"]
    assert words in said["pick-up"]
    assert "may be off" in said["pick-up"]


@pytest.mark.parametrize(
    ("origin", "quote", "told"),
    [
        (Origin.STATED, None, ""),
        (Origin.STATED, "under $5", 'you said: "under $5"'),
        (Origin.ASSUMED, None, "because"),
        (Origin.ASSUMED, "Mistral", 'you said: "Mistral"; because'),
    ],
)
def test_why_a_field_is_as_it_is(origin, quote, told):
    note = FieldNote(path="where.max_usd", value=5, origin=origin, why="because", quote=quote)
    assert plan_words.reason(note) == told
