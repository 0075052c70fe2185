"""Which data centre a network volume is made in."""

import httpx2
import pytest

from podtune.core.errors import NoCapacityError, SpecError
from podtune.core.offer import Stock
from podtune.providers.runpod import centres, wire
from support.runpod_account import Account, client

CENTRES = ("EU-RO-1", "US-KS-2", "US-TX-3")


def card(number, name="", **stock):
    there = tuple(
        wire.DataCentreStock(place.replace("_", "-"), level) for place, level in stock.items()
    )
    return wire.GpuType(id=number, name=name or number, data_centers=there)


CARDS = (
    card("NVIDIA A100 80GB PCIe", US_KS_2="MEDIUM", CA_MTL_1="HIGH"),
    card("NVIDIA A100-SXM4-80GB", US_KS_2="LOW", US_TX_3="MEDIUM"),
    card("NVIDIA H100 80GB HBM3", EU_RO_1="HIGH"),
    card("NVIDIA B200"),
)


def test_most_of_the_first_card_wins_among_those_with_volumes():
    # two kinds of A100 in Kansas, one in Texas; Montreal has more and no volumes
    found = centres.choose(CARDS, CENTRES, ("A100 80GB", "H100"))
    assert (found.id, found.stock) == ("US-KS-2", Stock.MEDIUM)
    assert found.card == "NVIDIA A100 80GB PCIe"


def test_the_next_card_where_the_first_is_nowhere():
    found = centres.choose(CARDS, CENTRES, ("B200", "H100"))
    assert (found.id, found.card) == ("EU-RO-1", "NVIDIA H100 80GB HBM3")


def test_nothing_free_anywhere_is_said():
    with pytest.raises(NoCapacityError):
        centres.choose(CARDS, CENTRES, ("B200",))


def test_a_data_centre_that_was_asked_for_is_taken_with_or_without_stock():
    assert centres.choose(CARDS, CENTRES, ("A100",), "US-TX-3").stock is Stock.MEDIUM
    found = centres.choose(CARDS, CENTRES, ("A100",), "EU-RO-1")
    assert (found.id, found.stock) == ("EU-RO-1", Stock.NONE)


@pytest.mark.parametrize(
    ("wanted", "region", "code"),
    [(("RTX 9999",), None, "gpu_unknown"), (("A100",), "CA-MTL-1", "region_unknown")],
)
def test_what_is_not_there_is_refused(wanted, region, code):
    with pytest.raises(SpecError) as caught:
        centres.choose(CARDS, CENTRES, wanted, region)
    assert caught.value.code == code


def test_lists_are_read_as_the_interface_gives_them():
    account = Account()
    rows = [
        {"id": "US-KS-2", "name": "K", "networkVolumeTypes": ["STANDARD"]},
        {"id": "CA-MTL-1", "name": "M", "networkVolumeTypes": []},
    ]
    account.answer("GET /v2/catalog/datacenters", httpx2.Response(200, json={"dataCenters": rows}))
    account.answer("GET /v2/catalog/gpus", httpx2.Response(200, json={"gpus": [{"id": "A40"}]}))
    asked = client(account)
    assert centres.with_volumes(asked) == ["US-KS-2"]
    assert [gpu.id for gpu in centres.cards(asked)] == ["A40"]
    assert account.requests[-1].url.params["product"] == "SERVERLESS"
