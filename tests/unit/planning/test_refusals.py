"""Refusals say what it would cost and what would do, and hold the table for machines."""

import pytest

from podtune.core.errors import SpecError
from podtune.core.offer import Stock
from support import build, renting


def refused(stated=None, offers=renting.OFFERS, **changes):
    with pytest.raises(SpecError) as caught:
        renting.plan(renting.given(stated, **changes), offers)
    return caught.value


def test_what_fits_no_card_says_what_it_needs_and_what_would_do():
    error = refused({"adapter.bits": 16}, [build.offer("NVIDIA RTX A4000", 16)])
    assert error.code == "nothing_fits"
    assert "needs 18.7 GiB, has 16.0 GiB" in error.message
    assert "smaller base model" in str(error.hint)
    (row,) = error.context["offers"]
    assert row["needed_bytes"] > 16 * 1024**3


def test_nothing_to_be_had_says_why_for_each():
    error = refused({"where.gpu": "A40"}, [build.offer(stock=Stock.NONE), *renting.OFFERS[5:]])
    assert error.code == "nothing_fits"
    assert "none free now: A40" in error.message
    assert "not asked for" not in error.message


def test_no_offer_at_all_is_said():
    assert "no offer at all" in refused(offers=[]).message


def test_many_names_of_one_reason_are_cut():
    offers = [build.offer(f"NVIDIA X{n}", 4, name=f"X{n}") for n in range(9)]
    assert "X0, X1, X2, X3 ..." in refused(offers=offers).message


def test_a_ceiling_too_low_names_the_cheapest_and_a_better_ceiling():
    error = refused({"where.max_usd": 0.01})
    assert error.code == "ceiling_too_low"
    assert "$0.01 is too low" in error.message
    assert "RTX A5000: about $0." in error.message
    assert "--budget 1" in str(error.hint)
    assert error.context["suggested_usd"] == 1
    assert error.context["offers"]


@pytest.mark.parametrize("usd", [0, 0.009])
def test_a_ceiling_under_a_cent_is_too_low(usd):
    assert refused({"where.max_usd": usd}, offers=[build.offer(usd="0.001")]).code == (
        "ceiling_too_low"
    )


def test_hours_too_few_name_the_fastest():
    error = refused({"where.max_hours": 0.01})
    assert error.code == "hours_too_few"
    assert "H100 80GB HBM3: about" in error.message
    assert "where.max_hours" in str(error.hint)


def test_no_ceiling_gives_the_figures_and_one_that_would_do():
    error = refused({"where.max_usd": None})
    assert error.code == "budget_needed"
    assert "about $0." in error.message
    assert str(error.hint).startswith("--budget 1")
    assert error.context["suggested_usd"] == 1
    assert float(str(error.context["usd_p90"])) > float(str(error.context["usd_p50"])) > 0
