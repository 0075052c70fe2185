"""Schedules of hypothesis: the invariants hold, and what breaks them shrinks to the steps that matter."""

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from faults import campaign, mutants
from faults.schedule import Schedule, What, draw, from_json, to_json
from faults.stage import Stage
from faults.strategies import schedules, steps

CALM = settings(
    max_examples=15,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def stage():
    with Stage() as made, made.playing():
        yield made


@CALM
@given(steps())
def test_the_invariants_hold_for_free_schedules(stage, schedule):
    assert campaign.play(stage, schedule)[1] == {}


@given(schedules())
def test_parts_of_schedules_survive_json(schedule):
    assert from_json(to_json(schedule)) == schedule


def test_a_planted_bug_shrinks_to_the_step_that_shows_it(stage):
    quick = settings(
        CALM, max_examples=100, derandomize=True, phases=[Phase.generate, Phase.shrink]
    )

    def breaks(schedule: Schedule) -> bool:
        with mutants.r3_ambiguous_create_again():
            return campaign.play(stage, schedule)[1] != {}

    shortest = find(steps(), breaks, settings=quick)
    assert [step.what for step in shortest] == [What.FAULT]
    assert shortest[0].facts["kind"] == "after_effect"


def test_seeds_draw_every_kind_of_trouble():
    drawn = {step.what for seed in range(400) for step in draw(seed)}
    assert drawn == set(What)
