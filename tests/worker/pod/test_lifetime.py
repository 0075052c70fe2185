import pytest
from hypothesis import given
from hypothesis import strategies as st

import orders as order_book
from lifetime import FOR_EVER_S, SKEW_S, Lifetime
from podtune.core import limits
from podtune.core.handover import pod_environment

START = 1_800_000_000.0


def made(monotonic, wall=START, **figures):
    told = {
        "DEADLINE": START + 3600,
        "STARTED": START,
        "MAX_USD": "1",
        "USD_PER_HOUR": "2",
        **figures,
    }
    environment = pod_environment(job="demo", attempt=1, token="t", figures=told)
    return Lifetime(order_book.read(environment), monotonic=monotonic, wall=lambda: wall)


def test_the_allowance_for_clocks_is_the_one_that_the_ceiling_keeps_money_for():
    assert SKEW_S == limits.SKEW_S < limits.DEFAULTS.overrun_reserve_s


def test_money_ends_before_the_deadline():
    life = made(lambda: 7.0)
    assert life.money_left_s() == 1800
    assert life.left_s() == 1800
    assert life.deadline_left_s() == 3600


def test_no_price_is_no_limit():
    assert made(lambda: 7.0, USD_PER_HOUR="0").money_left_s() == FOR_EVER_S
    assert made(lambda: 7.0, MAX_USD="0").left_s() == 3600


@pytest.mark.parametrize(("wall", "left"), [(START + 600, 1200), (START - 600, 1800)])
def test_the_time_before_counts_but_never_backwards(wall, left):
    assert made(lambda: 0.0, wall=wall).money_left_s() == left


@given(
    wall=st.floats(-1e6, 1e6), elapsed=st.floats(0, 1e6),
    usd=st.decimals("0.01", "100", places=2), price=st.decimals("0.01", "10", places=2),
)  # fmt: skip
def test_it_never_outlives_money_or_deadline(wall, elapsed, usd, price):
    at = [0.0]
    life = made(lambda: at[0], wall=START + wall, MAX_USD=usd, USD_PER_HOUR=price)
    at[0] = elapsed
    assert life.left_s() <= 3600 - elapsed
    assert life.left_s() <= float(usd / price) * 3600 - elapsed + 1e-3


def test_an_earlier_deadline_that_was_handed_over_counts(tmp_path):
    life = made(lambda: 0.0, MAX_USD="0")
    orders = life._orders._replace(workspace=tmp_path)
    life = Lifetime(orders, monotonic=lambda: 7.0, wall=lambda: START)
    orders.watch.mkdir(parents=True)
    assert life.left_s() == 3600
    for text, left in ((str(START + 600.0), 600), (str(START + 9000), 3600), ("soon", 3600)):
        orders.shortened.write_text(text)
        assert life.left_s() == left
