"""An offer's money is exact and never negative; nothing unknown is taken."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from podtune.core.offer import Offer, Stock
from support import build

USD = st.decimals(0, 1000, places=6)


@given(USD, USD)
def test_an_hour_costs_machine_and_disks_together(machine, disks):
    offer = build.offer(usd=str(machine), disk_usd_per_hour=str(disks))
    assert isinstance(offer.hourly, Decimal)
    assert offer.hourly == machine + disks >= 0


@pytest.mark.parametrize(
    "changes",
    [
        {"usd_per_hour": Decimal("-0.01")},
        {"disk_usd_per_hour": Decimal("-0.01")},
        {"usd_per_hour": Decimal("NaN")},
        {"count": 0},
        {"vram_gib": 0},
        {"stock": "plenty"},
        {"spot": True},
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(changes):
    with pytest.raises(ValidationError):
        build.offer(**changes)


def test_an_offer_survives_being_written_to_the_cent():
    offer = build.offer(usd="0.123456", regions=("EU-RO-1",), stock=Stock.LOW)
    assert Offer.model_validate_json(offer.model_dump_json()) == offer
