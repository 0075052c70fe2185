"""A curve as a picture that needs no script: axes, lines, and the same figures for a table.

The plot is a box of 1000 x 1000 that a browser stretches; labels stand around it as text, so they keep their
size on a phone. Knows nothing of trainings.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from podtune.gateway.dashboard.curves import Point, thinned

BOX: Final = 1000
"""Width and height of the plot in its own units."""
TICKS: Final = 4
"""Steps of the axis of values, about."""
TABLE_ROWS: Final = 12
FEW: Final = 40
"""Up to so many points of a curve are shown as dots besides."""


class Line(NamedTuple):
    """One curve of a chart."""

    name: str
    path: str
    """SVG path data within the box."""
    dots: str
    """The same for its points, where they are few."""
    last: str
    """Its newest figure, in words."""


class Chart(NamedTuple):
    """A picture of curves that share their axes."""

    id: str
    title: str
    lines: Sequence[Line]
    values: Sequence[str]
    """Labels of the axis of values, the highest first, at equal distances."""
    steps: Sequence[str]
    """Labels of the axis of steps, at equal distances."""
    summary: str
    """The picture in words, for those who do not see it."""
    names: Sequence[str]
    table: Sequence[tuple[int, Sequence[str]]]
    """Some steps with the figures of every curve."""
    data: str
    """JSON for the pointer's readout: the curves with x and y in the box, step and figure in words."""


def draw(name: str, title: str, curves: Mapping[str, Sequence[Point]]) -> Chart | None:
    """The chart of some curves; None where they have no point at all.

    Args:
        name: By which the page knows it.
        title: Above it, with the unit.
        curves: Name for people -> points in the order of steps.
    """
    drawn = {label: thinned(points) for label, points in curves.items() if points}
    if not drawn:
        return None
    steps = [p.step for points in drawn.values() for p in points]
    low, high, stride = axis([p.value for points in drawn.values() for p in points])
    first, last = min(steps), max(steps)
    box = _Box(first, max(last, first + 1), low, high)
    ticks = round((high - low) / stride)
    return Chart(
        id=name,
        title=title,
        lines=[_line(label, points, box) for label, points in drawn.items()],
        values=[figure(high - n * stride, stride) for n in range(ticks + 1)],
        steps=_step_labels(first, last),
        summary=f"{title}: " + "; ".join(_told(label, points) for label, points in drawn.items()),
        names=list(drawn),
        table=_table(drawn),
        data=json.dumps([_data(label, points, box) for label, points in drawn.items()]),
    )


def axis(values: Sequence[float]) -> tuple[float, float, float]:
    """Lowest and highest mark of an axis, and their distance; round figures. Zero where it is near.

    >>> axis([3.2, 0.9]), axis([100.0, 98.0]), axis([5.0])
    ((0.0, 4.0, 1.0), (98.0, 100.0, 0.5), (0.0, 6.0, 2.0))
    """
    low, high = min(values), max(values)
    if 0 <= low <= 0.4 * high or low == high:
        low = min(0.0, low)
    span = (high - low) or 1.0
    stride = _round_up(span / TICKS)
    start, end = math.floor(low / stride + 1e-9), math.ceil(high / stride - 1e-9)
    return start * stride, max(end, start + 1) * stride, stride


def figure(value: float, stride: float | None = None) -> str:
    """A figure as a label: as many places as the stride needs, or three that count.

    >>> figure(0.5, 0.25), figure(2.0, 1.0), figure(5.5), figure(0.000013), figure(1234567.0), figure(0.0002, 5e-5)
    ('0.50', '2', '5.50', '0.0000130', '1,234,567', '0.00020')
    """
    value = value or 0.0  # no negative zero
    if stride is None:
        places = 2 - math.floor(math.log10(abs(value))) if value else 0
        return f"{value:,.{min(12, max(0, places))}f}"
    exponent = math.floor(math.log10(stride) + 1e-9)
    places = max(0, -exponent + (round(stride / 10**exponent, 6) % 1 != 0))
    return f"{value:,.{min(places, 12)}f}"


class _Box(NamedTuple):
    first: int
    last: int
    low: float
    high: float

    def at(self, point: Point) -> tuple[float, float]:
        x = BOX * (point.step - self.first) / (self.last - self.first)
        y = BOX * (1 - (point.value - self.low) / (self.high - self.low))
        return round(x, 1), round(y, 1)


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 times a power of ten.

    >>> _round_up(0.3), _round_up(7.0)
    (0.5, 10.0)
    """
    power = 10.0 ** math.floor(math.log10(value))
    factor = next(f for f in (1.0, 2.0, 2.5, 5.0, 10.0) if f * power >= value * (1 - 1e-9))
    return factor * power


def _line(label: str, points: Sequence[Point], box: _Box) -> Line:
    places = [box.at(point) for point in points]
    path = "M" + "L".join(f"{x} {y}" for x, y in places)
    dots = "".join(f"M{x} {y}h0" for x, y in places) if len(places) <= FEW else ""
    return Line(label, path, dots, figure(points[-1].value))


def _step_labels(first: int, last: int) -> list[str]:
    """Three marks where there is a whole one in the middle, else the ends.

    >>> _step_labels(1, 9), _step_labels(1, 10), _step_labels(4, 4)
    (['1', '5', '9'], ['1', '10'], ['4', '5'])
    """
    last = max(last, first + 1)
    middle = [(first + last) // 2] if (first + last) % 2 == 0 else []
    return [f"{step:,}" for step in (first, *middle, last)]


def _told(label: str, points: Sequence[Point]) -> str:
    if len(points) == 1:
        return f"{label} {figure(points[0].value)} at step {points[0].step}"
    return (
        f"{label} from {figure(points[0].value)} at step {points[0].step} "
        f"to {figure(points[-1].value)} at step {points[-1].step}"
    )


def _table(curves: Mapping[str, Sequence[Point]]) -> list[tuple[int, Sequence[str]]]:
    by_step = [dict(points) for points in curves.values()]
    sparse = {step for known in by_step if len(known) <= TABLE_ROWS for step in known}
    every = sorted({step for known in by_step for step in known})
    stride = max(1, math.ceil(len(every) / TABLE_ROWS))
    shown = sorted(sparse | set(every[::stride]) | {every[-1]})
    return [
        (step, [figure(known[step]) if step in known else "" for known in by_step])
        for step in shown
    ]


def _data(label: str, points: Sequence[Point], box: _Box) -> dict[str, object]:
    return {
        "name": label,
        "points": [[*box.at(point), point.step, figure(point.value)] for point in points],
    }
