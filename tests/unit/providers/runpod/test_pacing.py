import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.providers.runpod.pacing import LONGEST_PAUSE_S, Pace, windows
from support.runpod_account import Time

HEADER = '"minute";r=0;t=12, "hour";r=2800;t=1812, "day";r=49500;t=45012'


def test_the_documented_header_is_read():
    assert [(w.name, w.remaining, w.resets_in_s) for w in windows(HEADER)] == [
        ("minute", 0, 12),
        ("hour", 2800, 1812),
        ("day", 49500, 45012),
    ]


@given(st.text(max_size=300))
def test_any_header_is_read_without_failing(text):
    assert all(w.remaining >= 0 for w in windows(text))


@pytest.mark.parametrize(
    ("header", "pause_s"),
    [
        (None, 0),
        ("junk", 0),
        ('"minute";r=60;t=50', 0),
        ('"minute";r=5;t=12', 2),
        ('"minute";r=0;t=3', 3),
        ('"minute";r=0;t=50', LONGEST_PAUSE_S),
        ('"minute";r=60;t=50, "hour";r=1;t=4', 2),
    ],
)
def test_the_last_requests_of_a_window_are_spread(header, pause_s):
    pace = Pace(Time().monotonic)
    pace.note(header)
    assert pace.pause_s() == pause_s


def test_a_window_that_began_anew_holds_nobody_up():
    time = Time()
    pace = Pace(time.monotonic)
    pace.note('"minute";r=0;t=12')
    time.seconds = 11
    assert pace.pause_s() == 1
    time.seconds = 12
    assert pace.pause_s() == 0


def test_an_answer_without_the_header_changes_nothing():
    pace = Pace(Time().monotonic)
    pace.note('"minute";r=0;t=3')
    pace.note(None)
    assert pace.pause_s() == 3
