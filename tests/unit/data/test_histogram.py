import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.data import histogram
from podtune.data.lengths import Estimate

sizes = st.lists(st.integers(0, 20_000), min_size=1, max_size=60)


def facts(rows, trained=0):
    return histogram.facts(Estimate(True, "counted with tiny", rows, trained))


def test_the_facts_of_a_few_rows():
    found = facts([10, 600, 3000, 5000], 7)
    assert {k: found[k] for k in ("exact", "basis", "rows", "total", "trained", "p50", "p95", "max")} == {
        "exact": True, "basis": "counted with tiny", "rows": 4, "total": 8610, "trained": 7, "p50": 600, "p95": 5000,
        "max": 5000,
    }  # fmt: skip
    assert found["over"] == {"512": 3, "1024": 2, "2048": 2, "4096": 1}


def test_no_rows():
    assert facts([]) == {"exact": True, "basis": "counted with tiny", "rows": 0}


@pytest.mark.parametrize(
    ("length", "bar"), [(0, 0), (64, 0), (65, 1), (4096, 6), (4097, 7), (10**6, 7)]
)
def test_a_bar_holds_its_upper_end(length, bar):
    assert [b["rows"] for b in histogram.bars([length])] == [int(i == bar) for i in range(8)]


@settings(deadline=None)
@given(sizes)
def test_every_row_is_in_one_bar(rows):
    found = histogram.bars(sorted(rows))
    assert sum(bar["rows"] for bar in found) == len(rows)
    assert [bar["up_to"] for bar in found] == [*histogram.BARS, None]


@settings(deadline=None)
@given(sizes, st.floats(0.001, 1))
def test_a_percentile_is_a_value_that_the_share_does_not_exceed(rows, share):
    ordered = sorted(rows)
    found = histogram.percentile(ordered, share)
    assert found in ordered
    assert sum(value <= found for value in rows) >= share * len(rows) - 1e-6
    assert sum(value < found for value in rows) <= share * len(rows)


@settings(deadline=None)
@given(sizes)
def test_what_a_limit_would_cut(rows):
    over = facts(rows)["over"]
    for limit in histogram.LIMITS:
        assert over.get(str(limit), 0) == sum(value > limit for value in rows)
