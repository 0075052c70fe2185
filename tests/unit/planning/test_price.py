"""Money is exact, rounded up, never negative; durations have a p50 and a p90 above it."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from podtune.core.offer import Stock
from podtune.core.plan import TimeEstimate
from podtune.planning import price
from support import build, renting

HOURLY = st.decimals("0.0001", 100, places=4)
SECONDS = st.floats(0, 1e6)


def time(training=600.0, around=60.0):
    return TimeEstimate(
        training_s=training, around_s=around, tokens_per_second=1000, basis="assumed"
    )


NOTHING = price.Traffic(0, 0, 0)


@given(HOURLY, SECONDS)
def test_money_is_never_negative_never_a_float_and_never_too_little(hourly, seconds):
    cost = price.dollars(hourly, seconds)
    assert isinstance(cost, Decimal)
    assert cost >= 0
    assert cost >= hourly * Decimal(seconds) / 3600
    assert cost <= hourly * (Decimal(seconds) + 1) / 3600 + price.CENT_PART


@given(HOURLY, SECONDS, SECONDS)
def test_longer_costs_no_less(hourly, one, other):
    short, long = sorted((one, other))
    assert price.dollars(hourly, short) <= price.dollars(hourly, long)


@given(st.decimals(0, 100_000, places=4))
def test_a_suggested_ceiling_leaves_room_and_is_whole(p90):
    suggested = price.suggested_ceiling(p90)
    assert isinstance(suggested, int)
    assert suggested >= 1
    assert suggested >= p90 * price.MARGIN
    assert suggested <= max(3, 2 * p90 * price.MARGIN + 50)


@given(SECONDS, SECONDS, st.booleans())
def test_p90_is_never_under_p50(training, around, measured):
    billed = price.seconds(time(training, around), price.Traffic(10, 10, 10), measured=measured)
    assert billed.p90 >= billed.p50 >= training + around


def test_a_measured_speed_is_surer():
    guessed, measured = (
        price.seconds(time(), NOTHING, measured=measured) for measured in (False, True)
    )
    assert guessed.p50 == measured.p50
    assert guessed.p90 - measured.p90 == pytest.approx(
        (price.TRAINING_P90 - price.MEASURED_P90) * 600
    )


def test_all_that_is_billed_counts():
    billed = price.seconds(
        time(), price.Traffic(2_000_000_000, 40_000_000, 80_000_000), measured=True
    )
    fixed = price.START_S.p50 + price.INSTALL_S.p50 + price.END_S.p50
    assert billed.p50 == pytest.approx(600 + 60 + fixed + 10 + 10 + 10)


def test_a_model_of_the_hub_is_fetched_by_the_pod():
    moved = price.traffic(renting.QWEN3_8B, data_bytes=1000, adapter_parameters=100)
    assert moved.model_bytes == 16_400_000_000
    assert moved.sent_bytes == price.BUNDLE_BYTES + 1000
    assert moved.adapter_bytes == 400


def test_a_model_that_is_a_folder_here_is_sent():
    here = build.facts().model_copy(update={"source": "path", "download_bytes": None})
    moved = price.traffic(here, data_bytes=0, adapter_parameters=1)
    assert moved.model_bytes == 0
    assert moved.sent_bytes == price.BUNDLE_BYTES + 2 * here.total_parameters


def test_the_disk_holds_model_libraries_and_checkpoints():
    needed = price.volume_gb(renting.QWEN3_8B, adapter_parameters=40_000_000)
    assert needed == 34  # 1.2 x (16.4 + 3 x 12 x 0.04 + 10)


def rung(usd="0.40", seconds=3600.0, **changes):
    offer = build.offer(usd=usd, **changes)
    return price.rung(offer, build.device("cuda", 45), price.Range(seconds, 2 * seconds))


def test_a_rung_holds_hours_and_dollars_with_disks():
    made = rung(disk_usd_per_hour="0.01")
    assert (made.hours_p50, made.hours_p90) == (1.0, 2.0)
    assert (made.usd_p50, made.usd_p90) == (Decimal("0.4100"), Decimal("0.8200"))


def test_even_an_instant_takes_time():
    assert rung(seconds=0.0).hours_p50 > 0


@given(HOURLY, HOURLY, st.sampled_from([Stock.LOW, Stock.MEDIUM, Stock.HIGH]), st.floats(1, 1e5))
def test_the_cheaper_of_two_equals_counts_less(one, other, stock, seconds):
    assume(one != other)
    less, more = sorted((one, other))
    cheap, dear = (rung(str(usd), seconds, stock=stock) for usd in (less, more))
    assert price.score(cheap) <= price.score(dear)
    assert isinstance(price.score(cheap), Decimal)


def test_low_stock_counts_more():
    scores = [price.score(rung(stock=stock)) for stock in (Stock.HIGH, Stock.MEDIUM, Stock.LOW)]
    assert scores == sorted(set(scores))


def test_of_two_of_a_price_the_faster_counts_less():
    slow, fast = rung("0.10", 36_000.0), rung("1.00", 3600.0)
    assert slow.usd_p50 == fast.usd_p50
    assert price.score(fast) < price.score(slow)


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (Decimal("0.0001"), "$0.01"),
        (Decimal(0), "$0.00"),
        (Decimal("1234.5"), "$1,234.50"),
        (0.1, "$0.10"),
        (5.0, "$5.00"),
    ],
)
def test_dollars_in_words(amount, words):
    assert price.money(amount) == words


@pytest.mark.parametrize(
    ("hours", "words"),
    [(0.0001, "1 min"), (0.5, "30 min"), (1.4, "84 min"), (1.5, "1.5 h"), (23.96, "24 h")],
)
def test_hours_in_words(hours, words):
    assert price.hours(hours) == words


@given(SECONDS, st.integers(0, 10**9))
def test_the_way_to_the_end_is_a_part_of_what_is_billed(around, parameters):
    tail = price.tail_s(time(0, around), parameters)
    moved = price.Traffic(0, 0, price.ADAPTER_BYTES_PER_PARAMETER * parameters)
    assert around / 2 + price.END_S.p50 <= tail
    assert tail <= price.seconds(time(0, around), moved, measured=True).p50


@given(HOURLY, HOURLY)
def test_a_quote_error_is_a_share_of_the_quote(cost, quoted):
    error = price.quote_error(cost, quoted)
    assert error == pytest.approx(float(cost / quoted) - 1, abs=1e-4)
    assert price.quote_error(cost, Decimal(0)) is None


def test_a_quote_error_in_words():
    told = [price.off_by(error) for error in (0.5, -0.5, 0.004, 12.0)]
    assert told == ["50 % more", "50 % less", "just that", "1,200 % more"]


def test_a_worker_of_a_queue_is_billed_while_it_waits_for_the_next_job():
    pod = price.seconds(time(), NOTHING, measured=True)
    billed = [price.seconds(time(), NOTHING, measured=True, idle_s=s) for s in (0, 60)]
    assert billed[1].p50 - billed[0].p50 == billed[1].p90 - billed[0].p90 == 60
    assert billed[0].p50 == pod.p50 - price.INSTALL_S.p50 - price.END_S.p50, "nothing is installed"
