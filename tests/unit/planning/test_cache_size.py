"""How large a volume is for a model, and what it costs."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.planning import cache_size

QWEN3_NEXT = 159_000_000_000


def test_the_reference_model_of_80_b():
    assert cache_size.volume_gb(QWEN3_NEXT) == 220
    assert cache_size.least_gb(QWEN3_NEXT) == 163  # specification B's 200 GB hold it


def test_others_on_the_volume_count():
    assert cache_size.volume_gb(QWEN3_NEXT, 16_000_000_000) == 240
    assert cache_size.least_gb(QWEN3_NEXT, 16_000_000_000) == 179


@pytest.mark.parametrize(
    ("size", "usd"), [(10, "0.70"), (220, "15.40"), (999, "69.93"), (1000, "50.00")]
)
def test_a_month_costs(size, usd):
    assert cache_size.usd_per_month(size) == Decimal(usd)


@given(st.integers(0, 3 * 10**12), st.integers(0, 10**12))
def test_what_is_chosen_is_never_too_small(model, others):
    chosen = cache_size.volume_gb(model, others)
    assert chosen % 10 == 0
    assert chosen >= cache_size.least_gb(model, others) >= 10
    assert chosen * cache_size.GB >= model + others
