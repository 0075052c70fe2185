"""The speed of the last run, remembered for the next plan."""

import json

import pytest

from podtune.app import speed
from podtune.planning.duration import Work, flop_per_token
from support import build, renting

PLAN = build.plan()
PER_TOKEN = flop_per_token(PLAN.base_model, Work("fp32", 1))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "speed.json"


def test_before_a_first_run_nothing_is_known(path):
    assert speed.reached(path) == {}


def test_a_run_is_remembered_as_operations(path):
    speed.remember(path, PLAN, 200.0, 80)
    assert speed.reached(path) == {"cpu-2-fp32": 200.0 * PER_TOKEN}


def test_the_next_plan_uses_it(path):
    speed.remember(path, PLAN, 200.0, 80)
    again = build.plan(reached_speeds=speed.reached(path))
    assert again.time.tokens_per_second == pytest.approx(200.0)


def test_devices_are_kept_apart_and_the_last_run_counts(path):
    other = build.plan(device=build.device(cores=8))
    speed.remember(path, PLAN, 100.0, 80)
    speed.remember(path, other, 400.0, 80)
    speed.remember(path, PLAN, 200.0, 80)
    assert speed.reached(path) == {"cpu-2-fp32": 200 * PER_TOKEN, "cpu-8-fp32": 400 * PER_TOKEN}


def test_the_speed_is_that_of_one_device(path):
    card = build.device("cuda").model_copy(update={"count": 4})
    four = build.plan({"where.count": 4, "training.packing": False}, device=card)
    speed.remember(path, four, 400.0, 80)
    (reached,) = speed.reached(path).items()
    assert reached[0].startswith("test cuda-fp16-2^")
    assert reached[1] == pytest.approx(100.0 * PER_TOKEN)


def test_a_later_rung_is_remembered_as_what_it_was(path):
    plan = renting.plan()
    last = plan.price.ladder[-1].device
    speed.remember(path, plan, 500.0, 80, last)
    (key,) = speed.reached(path)
    assert key.startswith(f"{last.name}-bf16-")


@pytest.mark.parametrize(("tokens", "steps"), [(200.0, 7), (0.0, 80), (-1.0, 80)])
def test_a_run_that_says_little_is_not_remembered(path, tokens, steps):
    speed.remember(path, PLAN, tokens, steps)
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "\x00"])
def test_a_damaged_file_is_as_none_and_is_replaced(path, content):
    path.write_text(content)
    assert speed.reached(path) == {}
    speed.remember(path, PLAN, 200.0, 80)
    assert speed.reached(path)


def test_only_positive_numbers_count(path):
    path.write_text(json.dumps({"a": "x", "b": -1, "c": None, "d": 5}))
    assert speed.reached(path) == {"d": 5.0}


def test_a_place_that_cannot_be_written_fails_nothing(tmp_path):
    speed.remember(tmp_path / "nowhere" / "speed.json", PLAN, 200.0, 80)
    assert not (tmp_path / "nowhere").exists()
