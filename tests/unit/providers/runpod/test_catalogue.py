import json
from datetime import timedelta
from decimal import Decimal

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import CredentialsError, UnavailableError
from podtune.core.offer import Stock
from podtune.providers.runpod import catalogue
from podtune.providers.runpod.catalogue import Wanted, disk_usd_per_hour, offers
from support.runpod_account import START, Account, Time, client, problem

CALL = "GET /v2/catalog/gpus"


def gpu(number="NVIDIA A40", **changes):
    return {
        "id": number,
        "name": number.removeprefix("NVIDIA "),
        "pool": None,
        "manufacturer": "NVIDIA",
        "memory": 48,
        "secure": True,
        "community": True,
        "price": {"secure": 0.4, "community": 0.3},
        "maxCount": {"secure": 8, "community": 4},
        "availability": "HIGH",
        "dataCenters": [
            {"id": "US-KS-2", "name": "US Kansas 2", "availability": "HIGH"},
            {"id": "EU-RO-1", "name": "EU Romania 1", "availability": "LOW"},
            {"id": "CA-MTL-1", "name": "CA Montreal 1", "availability": "NONE"},
        ],
        "cudaVersions": [{"version": "12.8", "available": True}, {"version": "13.0", "available": False}],
        **changes,
    }  # fmt: skip


def catalogue_of(*gpus):
    account = Account()
    account.answer(CALL, *[httpx2.Response(200, json={"gpus": list(gpus)}) for _ in range(9)])
    return account


def found(*gpus, wanted=None, **options):
    return offers(client(catalogue_of(*gpus)), wanted or Wanted(), clock=Time().now, **options)


def test_availability_is_asked_for_with_its_product_and_count():
    account = catalogue_of()
    offers(client(account), Wanted(count=2, min_cuda="12.8"))
    assert dict(account.requests[0].url.params) == {
        "include": "AVAILABILITY",
        "product": "POD",
        "cloud": "SECURE",
        "count": "2",
        "minCudaVersion": "12.8",
    }


def test_a_card_becomes_an_offer():
    (offer,) = found(gpu())
    assert (offer.gpu, offer.name, offer.count, offer.vram_gib) == ("NVIDIA A40", "A40", 1, 48)
    assert (offer.usd_per_hour, offer.cloud, offer.stock) == (Decimal("0.4"), "secure", Stock.HIGH)
    assert (offer.regions, offer.cuda) == (("EU-RO-1", "US-KS-2"), ("12.8",))
    assert (offer.fetched_at, offer.is_snapshot) == (START, False)
    assert offer.disk_usd_per_hour == disk_usd_per_hour(70)


def test_secure_alone_unless_said_otherwise():
    assert [o.cloud for o in found(gpu())] == ["secure"]
    both = found(gpu(), wanted=Wanted(clouds=("secure", "community")))
    assert [(o.cloud, o.usd_per_hour) for o in both] == [
        ("community", Decimal("0.3")),
        ("secure", Decimal("0.4")),
    ]


def test_two_cards_cost_twice():
    (offer,) = found(gpu(), wanted=Wanted(count=2))
    assert offer.usd_per_hour == Decimal("0.8")


@pytest.mark.parametrize("changes", [
    {"secure": False}, {"price": {"secure": 0, "community": 1}}, {"price": {"secure": None}}, {"price": None},
    {"price": {"secure": "NaN"}}, {"price": {"secure": -1}}, {"memory": None}, {"memory": 0},
    {"maxCount": {"secure": 0, "community": 8}},
])  # fmt: skip
def test_what_has_no_price_or_is_not_there_is_no_offer(changes):
    assert found(gpu(**changes)) == []


@pytest.mark.parametrize(
    ("level", "stock"),
    [("NONE", Stock.NONE), ("LOW", Stock.LOW), ("MEDIUM", Stock.MEDIUM), ("HIGH", Stock.HIGH), (None, Stock.LOW), ("PLENTY", Stock.LOW)],
)  # fmt: skip
def test_stock(level, stock):
    assert found(gpu(availability=level))[0].stock is stock


@pytest.mark.parametrize(
    ("region", "stock"),
    [("US-KS-2", Stock.HIGH), ("EU-RO-1", Stock.LOW), ("CA-MTL-1", Stock.NONE), ("XX", Stock.NONE)],
)
def test_the_stock_of_a_region_counts_where_one_is_asked_for(region, stock):
    assert found(gpu(), wanted=Wanted(region=region))[0].stock is stock


def test_lists_that_are_left_out_are_empty():
    card = gpu()
    del card["dataCenters"], card["cudaVersions"], card["maxCount"]
    (offer,) = found(card)
    assert (offer.regions, offer.cuda) == ((), ())


def test_prices_may_be_text_and_the_cheapest_comes_first():
    dear, cheap = (
        gpu("NVIDIA B", price={"secure": "1.5"}),
        gpu("NVIDIA A", price={"secure": "0.25"}),
    )
    assert [o.usd_per_hour for o in found(dear, cheap)] == [Decimal("0.25"), Decimal("1.5")]


@given(st.integers(0, 10_000))
def test_disks_are_never_counted_too_cheap(size_gb):
    hourly = disk_usd_per_hour(size_gb)
    assert hourly * 720 >= Decimal("0.1") * size_gb
    assert hourly * 720 <= Decimal("0.1") * size_gb + Decimal("0.001")


def test_the_last_catalogue_serves_when_runpod_is_away(tmp_path):
    file, time = tmp_path / "catalogue.json", Time()
    account = Account()
    account.answer(CALL, httpx2.Response(200, json={"gpus": [gpu()]}))
    (live,) = offers(client(account), Wanted(), snapshot=file, clock=time.now)
    time.seconds = 3 * 3600
    account.answer(CALL, *[problem(503) for _ in range(4)])
    (stored,) = offers(client(account), Wanted(), snapshot=file, clock=time.now)
    assert stored.is_snapshot
    assert stored.fetched_at == START
    assert stored == live.model_copy(update={"is_snapshot": True})
    assert catalogue.oldest([live]) is None
    assert catalogue.oldest([live, stored]) == START


@pytest.mark.parametrize("wanted", [Wanted(count=2), Wanted(min_cuda="12.8"), Wanted(clouds=("community",))])  # fmt: skip
def test_a_catalogue_of_another_question_does_not_serve(tmp_path, wanted):
    file, account = tmp_path / "catalogue.json", Account()
    account.answer(CALL, httpx2.Response(200, json={"gpus": [gpu()]}), *[problem(503)] * 4)
    offers(client(account), Wanted(), snapshot=file)
    with pytest.raises(UnavailableError):
        offers(client(account), wanted, snapshot=file)


def test_a_catalogue_of_another_cloud_does_not_serve(tmp_path):
    """The stand-in's prices are never taken for RunPod's."""
    file = tmp_path / "catalogue.json"
    offers(client(catalogue_of(gpu()), rest_url="http://127.0.0.1:1/v2"), Wanted(), snapshot=file)
    account = Account()
    account.answer(CALL, *[problem(503)] * 4)
    with pytest.raises(UnavailableError):
        offers(client(account), Wanted(), snapshot=file)


@pytest.mark.parametrize("content", [b"", b"{}", b"junk", b'{"readings":{"x":1}}'])
def test_a_damaged_memory_is_none(tmp_path, content):
    file = tmp_path / "catalogue.json"
    file.write_bytes(content)
    account = catalogue_of(gpu())
    offers(client(account), Wanted(), snapshot=file)
    assert len(json.loads(file.read_bytes())["readings"]) == 1
    assert list(tmp_path.iterdir()) == [file]


def test_a_place_that_cannot_be_written_costs_nothing_but_the_memory(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert found(gpu(), snapshot=blocked / "catalogue.json")


def test_the_memory_is_bounded_and_keeps_the_newest(tmp_path):
    file, time = tmp_path / "catalogue.json", Time()
    for number in range(1, 15):
        time.seconds += 10
        offers(client(catalogue_of(gpu())), Wanted(count=number), snapshot=file, clock=time.now)
    kept = json.loads(file.read_bytes())["readings"]
    assert len(kept) == 12
    assert min(r["fetched_at"] for r in kept.values()) == (START + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")  # fmt: skip


def test_a_rejected_key_is_no_reason_to_look_into_the_memory(tmp_path):
    file, account = tmp_path / "catalogue.json", Account()
    account.answer(CALL, httpx2.Response(200, json={"gpus": [gpu()]}), problem(401))
    offers(client(account), Wanted(), snapshot=file)
    with pytest.raises(CredentialsError):
        offers(client(account), Wanted(), snapshot=file)
