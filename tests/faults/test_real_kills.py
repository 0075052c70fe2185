"""`kill -9` of real drivers: a sample of what `make faults` does at every point."""

import pytest

from faults.armed_driver import CHANGING
from faults.counts import Counts
from faults.real_kills import STORIES, pairs_of, runs, spread

POINTS = [(f"point {number}", 1) for number in range(100)]


@pytest.mark.timeout(300)
def test_i1_to_i5_hold_whichever_point_a_driver_is_killed_at():
    played = runs(STORIES, singles=3, pairs=1)
    wrong = [(run.story, run.died_at, run.found) for run in played if run.found]
    assert not wrong, wrong
    counts = Counts()
    for run in played:
        counts = counts.plus(run.counts)
    assert counts.bad == {}
    missed = [point for run in played for point in run.missed]
    assert counts.kills >= 20 - len(missed)
    assert len(missed) <= 4, "points are what every run passes"
    assert counts.recoveries >= 5, "the lost machine is replaced in every run of its story"
    told = {
        story.name: {name for name, _ in run.points}
        for story, run in zip(STORIES, played[:5], strict=True)
    }
    for name in (
        "before POST /v2/pods in launch", "after POST /v2/pods 201 in launch", "before record_instance",
        "after DELETE /v2/pods/* 204 in terminate", "before take", "after delivered",
    ):  # fmt: skip
        assert any(name in points for points in told.values()), name
    assert "after POST /v2/pods 502 in launch" in told["answer lost"]


def test_a_sample_is_spread_over_all_points():
    assert spread(POINTS, 4) == [POINTS[0], POINTS[25], POINTS[50], POINTS[75]]
    assert spread(POINTS, None) == POINTS


def test_pairs_are_in_order_and_the_same_each_time():
    drawn = pairs_of(POINTS, 50)
    assert all(POINTS.index(first) < POINTS.index(second) for first, second in drawn)
    assert drawn == pairs_of(POINTS, 50)


def test_a_point_has_the_same_name_in_every_run():
    path = "/proxy/ab12cd34ef56gh-8466/checkpoints/checkpoint-12/adapter_model.safetensors"
    assert CHANGING.sub("*", path) == "/proxy/*-8466/checkpoints/checkpoint-*/*"
