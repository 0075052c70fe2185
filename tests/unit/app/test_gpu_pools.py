from decimal import Decimal

import pytest

from podtune.app import gpu_pools
from podtune.core.errors import NoCapacityError, SpecError
from podtune.providers.runpod import endpoints
from podtune.testing.faults import FaultKind, FaultRule
from support.serverless_site import Site


@pytest.fixture(scope="module")
def cards():
    return endpoints.cards(Site().client)


def test_an_a100_with_80_gb_comes_first(cards):
    choice = gpu_pools.choose(cards, (), None)
    assert choice.pools == ("AMPERE_80",)
    assert choice.cards == ("A100 PCIe", "A100 SXM")
    assert choice.usd_per_hour == Decimal("2.72")
    assert choice.is_free


def test_an_h100s_pool_where_no_a100_is_free():
    drought = [FaultRule(kind=FaultKind.CAPACITY_DROUGHT, gpu="NVIDIA A100*")]
    choice = gpu_pools.choose(endpoints.cards(Site(*drought).client), (), None)
    assert choice.pools == ("ADA_80_PRO",)


def test_stock_is_that_of_the_data_centre(cards):
    assert gpu_pools.choose(cards, (), "EUR-IS-1").pools == ("ADA_80_PRO",)
    nowhere = gpu_pools.choose(cards, (), "EU-RO-1")
    assert (nowhere.pools, nowhere.is_free) == (("AMPERE_80",), False)


def test_other_cards_of_a_pool_are_left_out(cards):
    choice = gpu_pools.choose(cards, ("RTX 4090",), None)
    assert (choice.pools, choice.excluded) == (("ADA_24",), ("NVIDIA L4",))
    assert choice.usd_per_hour == Decimal("1.12")
    assert gpu_pools.choose(cards, ("RTX 4090", "L4"), None).excluded == ()


def test_a_pool_may_be_named_itself(cards):
    assert gpu_pools.choose(cards, ("ADA_24", "H100"), None).pools == ("ADA_24", "ADA_80_PRO")


def test_a_card_that_is_none_is_answered_with_its_like(cards):
    with pytest.raises(SpecError) as caught:
        gpu_pools.choose(cards, ("A1000",), None)
    assert caught.value.code == "gpu_unknown"
    with pytest.raises(SpecError) as pods_only:
        gpu_pools.choose(cards, ("MI300X",), None)
    assert pods_only.value.code == "gpu_not_serverless"


def test_a_catalogue_without_either_says_so(cards):
    with pytest.raises(NoCapacityError, match="A100 80GB nor H100"):
        gpu_pools.choose([card for card in cards if card.pool == "ADA_24"], (), None)


def test_what_an_endpoint_has_is_described_with_todays_price(cards):
    choice = gpu_pools.described(cards, ("ADA_24",), ("NVIDIA L4",))
    assert (choice.cards, choice.usd_per_hour) == (("RTX 4090",), Decimal("1.12"))
    assert gpu_pools.described(cards, ("GONE",), ()).usd_per_hour is None
