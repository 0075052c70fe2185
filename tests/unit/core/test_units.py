import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.units import GIB, MIB, count, duration, gib, short_count


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1024, "1 KiB"),
        (MIB - 1, "1024 KiB"),
        (MIB, "1 MiB"),
        (19_000_000, "18 MiB"),
        (GIB, "1.0 GiB"),
        (1.5 * GIB, "1.5 GiB"),
        (80 * GIB, "80.0 GiB"),
    ],
)
def test_gib(size, text):
    assert gib(size) == text


@given(st.integers(0, 2**50))
def test_gib_never_writes_an_ambiguous_unit(size):
    assert re.fullmatch(r"\d+ (?:B|KiB|MiB)|\d+\.\d GiB", gib(size))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3599, "59 min 59 s"),
        (3599.7, "1 h 00 min"),
        (3600, "1 h 00 min"),
        (7260, "2 h 01 min"),
        (100 * 3600, "100 h 00 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


@given(st.integers(0, 10**7))
def test_duration_loses_less_than_a_minute(seconds):
    numbers = [int(n) for n in re.findall(r"\d+", duration(seconds))]
    hours, minutes, rest = {
        "h": (numbers[0], numbers[-1], 0),
        "m": (0, numbers[0], numbers[-1]),
        "s": (0, 0, numbers[0]),
    }[re.search(r"[hms]", duration(seconds))[0]]
    assert 0 <= seconds - (3600 * hours + 60 * minutes + rest) < 60
    assert minutes < 60
    assert rest < 60


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (999, "999"), (1000, "1,000"), (1234567.4, "1,234,567")]
)
def test_count(number, text):
    assert count(number) == text


@given(st.integers(0, 10**15))
def test_count_keeps_every_digit(number):
    assert int(count(number).replace(",", "")) == number


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (900, "900"),
        (1000, "1.0 k"),
        (4_884_480, "4.9 M"),
        (134_515_008, "135 M"),
        (8_030_261_248, "8.0 B"),
        (70_553_706_496, "70.6 B"),
    ],
)
def test_short_count(number, text):
    assert short_count(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(999_999, "1.0 M"), (999_600_000, "1.0 B"), (999_499, "999 k")]
)
def test_short_count_rounds_into_the_next_unit_and_stays_at_three_digits(number, text):
    assert short_count(number) == text
