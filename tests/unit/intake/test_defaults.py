import pytest

from podtune.core.plan import Origin
from podtune.core.spec import AUTO, field_paths, flatten
from podtune.intake.defaults import DEFAULT_BASE_MODEL, SUGGESTED_MODEL, WHY, WHY_RENTED
from support import build

PLAN = build.plan()
ALWAYS_STATED = {"data.source"}
"""No plan without it."""


def decided_by_the_plan():
    spec = build.plan().spec
    assumed = {note.path for note in PLAN.fields if note.origin is Origin.ASSUMED}
    return {path for path in flatten(spec) if path in assumed and path not in WHY}


@pytest.mark.parametrize("path", WHY)
def test_every_reason_is_for_a_field_that_exists(path):
    assert path in field_paths()


@pytest.mark.parametrize("path", [p for p in field_paths() if p not in ALWAYS_STATED])
def test_every_field_nobody_stated_has_a_reason_in_the_plan(path):
    note = PLAN.note(path)
    assert note.why


def test_fields_without_a_reason_here_are_the_ones_that_the_plan_decides():
    assert set(field_paths()) - set(WHY) - ALWAYS_STATED == decided_by_the_plan()
    assert {"training.epochs", "adapter.bits", "training.save_steps"} <= decided_by_the_plan()


def test_what_the_plan_decides_is_settled_by_it():
    settled = flatten(PLAN.spec)
    assert [path for path in decided_by_the_plan() if settled[path] == AUTO] == []


def test_reasons_of_rented_machines_replace_others():
    assert set(WHY_RENTED) < set(WHY)


@pytest.mark.parametrize("why", [*WHY.values(), *WHY_RENTED.values()])
def test_reasons_are_short_and_no_sentences(why):
    assert 1 <= len(why) <= 100
    assert not why.endswith(".")


def test_reasons_stand_in_the_order_of_the_file():
    order = list(field_paths())
    positions = [order.index(path) for path in WHY]
    assert positions == sorted(positions)


def test_the_default_base_model_is_one_on_the_hub():
    owner, _, name = DEFAULT_BASE_MODEL.partition("/")
    assert owner
    assert "Instruct" in name


def test_a_model_worth_renting_for_is_another():
    assert "/" in SUGGESTED_MODEL
    assert SUGGESTED_MODEL != DEFAULT_BASE_MODEL
