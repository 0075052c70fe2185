"""Curves as pictures: every point within the box, marks that are round, the same in words."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.gateway.dashboard import charts
from podtune.gateway.dashboard.curves import Point

VALUES = st.floats(-1e9, 1e9).filter(lambda v: v == 0 or abs(v) > 1e-9)


def points(*values):
    return [Point(n + 1, value) for n, value in enumerate(values)]


def test_without_a_point_there_is_no_picture():
    assert charts.draw("loss", "Loss", {"training": []}) is None


def test_a_picture_has_its_curves_and_their_newest_figure():
    chart = charts.draw(
        "loss", "Loss", {"training": points(4.0, 3.0, 1.0), "held-out": points(3.5)}
    )
    assert [(line.name, line.last) for line in chart.lines] == [
        ("training", "1.00"),
        ("held-out", "3.50"),
    ]
    assert (chart.values[0], chart.values[-1]) == ("4", "0")
    assert chart.steps == ["1", "2", "3"]
    assert "training from 4.00 at step 1 to 1.00 at step 3" in chart.summary
    assert "held-out 3.50 at step 1" in chart.summary
    assert chart.table == [(1, ["4.00", "3.50"]), (2, ["3.00", ""]), (3, ["1.00", ""])]
    assert chart.lines[0].path.startswith("M0.0 0.0L500.0 250.0L1000.0 750.0")


def test_the_readout_has_every_curve():
    chart = charts.draw("loss", "Loss", {"training": points(4.0, 3.0)})
    assert json.loads(chart.data)[0]["points"][1][2:] == [2, "3.00"]


def test_many_points_have_no_dots():
    assert not charts.draw("a", "A", {"a": points(*range(100))}).lines[0].dots


@given(st.lists(VALUES, min_size=1, max_size=50))
def test_every_point_is_within_the_box(values):
    chart = charts.draw("a", "A", {"a": points(*values)})
    numbers = [float(n) for n in re.findall(r"-?[\d.]+(?:e-?\d+)?", chart.lines[0].path)]
    assert all(0 <= n <= charts.BOX for n in numbers)
    assert 2 <= len(chart.values) <= 8


@given(st.lists(VALUES, min_size=1, max_size=20))
def test_an_axis_reaches_around_its_values(values):
    low, high, stride = charts.axis(values)
    slack = 1e-6 * max(1.0, abs(high), abs(low))
    assert low - slack <= min(values) <= max(values) <= high + slack
    assert stride > 0


@pytest.mark.parametrize("value", [0.0, -0.0])
def test_nothing_is_zero(value):
    assert charts.figure(value) == "0"
    assert charts.figure(value, 0.5) == "0.0"
