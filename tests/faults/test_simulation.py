"""Schedules of the simulation in CI: the first 300 seeds, and every one that ever found something."""

import pytest

from faults import campaign
from faults.schedule import draw, from_json, to_json
from faults.stage import Stage

SCHEDULES = 300
PIECE = 20

FOUND = {
    "a second machine that RunPod made for one order was not ended while the job ran, nor metered": (
        '[[0, "offers", {"gpus": ["NVIDIA L40S", "NVIDIA A40"]}], [0, "ceiling", {"usd": 0.25, "hours": 4}],'
        ' [0, "cloud", {"listing_lag_s": 9, "removal_lag_s": 5}],'
        ' [0, "fault", {"kind": "duplicate", "route": "create_pod", "nth": [1]}]]'
    ),
    "a clock set back hid what a machine had cost": (
        '[[0, "fault", {"kind": "eviction", "seconds": 20, "nth": [1]}], [64.0, "jump", {"by_s": -3600}]]'
    ),
    "a clock set forward ended a training": '[[30.0, "jump", {"by_s": 86400}]]',
    "an order whose DELETE was answered by nobody counted as never made": (
        '[[0, "fault", {"kind": "delay", "route": "create_pod", "nth": [1], "is_before": false,'
        ' "seconds": 70}], [0, "fault", {"kind": "reset", "route": "delete_pod", "times": 1}]]'
    ),
    "a price that rose was metered without the disks": (
        '[[0, "ceiling", {"usd": 1, "hours": 0.4}], [0, "script", {"nth": 1, "misfortune": "silence"}],'
        ' [0, "price", {"times": 2.5}]]'
    ),
    "a price that rose passed the ceiling once driver and machine were alone": (
        '[[0, "offers", {"gpus": ["NVIDIA L40S"]}], [0, "ceiling", {"usd": 0.25, "hours": 4}],'
        ' [0, "price", {"times": 2.5}], [35.9, "kill", {"point": 1, "back_s": 7200}]]'
    ),
    "a driver that was frozen appended events that another had taken in": (
        '[[0, "script", {"nth": 1, "steps": 20, "step_s": 10}], [40, "second", {}],'
        ' [45, "freeze", {"point": 2, "for_s": 120}]]'
    ),
}
"""What a schedule found -> the schedule, shortened by hand or by hypothesis."""


@pytest.fixture(scope="module")
def stage():
    with Stage() as made, made.playing():
        yield made


@pytest.mark.parametrize("first", range(0, SCHEDULES, PIECE))
def test_the_invariants_hold_after_every_schedule(stage, first):
    tally = campaign.run(range(first, first + PIECE), stage)
    assert tally.failures == []
    assert tally.schedules == PIECE


@pytest.mark.parametrize("what", FOUND)
def test_what_a_schedule_once_found_stays_mended(stage, what):
    _, wrong = campaign.play(stage, from_json(FOUND[what]))
    assert wrong == {}


def test_a_seed_is_the_same_schedule_and_the_same_story_each_time(stage):
    first, again = (campaign.play(stage, draw(11))[0] for _ in range(2))
    assert to_json(draw(11)) == to_json(draw(11))
    assert first is not None
    assert again is not None
    assert first.ledger.machines == again.ledger.machines
    assert [(e.time, e.message) for e in first.rows.log] == [
        (e.time, e.message) for e in again.rows.log
    ]


def test_a_schedule_is_replayed_from_its_text(stage):
    schedule = draw(3)
    assert from_json(to_json(schedule)) == schedule
