"""Machines without a card, as RunPod's catalogue has them."""

from datetime import UTC, datetime
from decimal import Decimal

import httpx2

from podtune.core.offer import Stock
from podtune.providers.runpod import cpus
from support.runpod_account import Account, client, problem

CALL = "GET /v2/catalog/cpus"
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def flavour(number, price=0.03, level="HIGH", vcpu=(2, 32), **changes):
    return {
        "id": number, "name": "Compute", "group": "G", "vcpu": {"min": vcpu[0], "max": vcpu[1]},
        "ramGbPerVcpu": 2, "price": {"securePerVcpu": price, "serverlessPerVcpu": price},
        "dataCenters": [{"id": "EU-RO-1", "name": "R", "availability": level}], **changes,
    }  # fmt: skip


def offers(*rows, answer=None):
    account = Account()
    account.answer(CALL, answer or httpx2.Response(200, json={"cpus": list(rows)}))
    found = cpus.offers(client(account), vcpus=4, region="EU-RO-1", disk_gb=10, now=NOW)
    return account, found


def test_the_cheapest_comes_first_with_the_price_of_its_cores():
    account, found = offers(flavour("dear", 0.05), flavour("cheap", 0.03, "LOW"))
    assert [one.offer.gpu for one in found] == ["cheap", "dear"]
    assert (found[0].vcpus, found[0].offer.usd_per_hour) == (4, Decimal("0.12"))
    assert found[0].offer.stock is Stock.LOW
    assert found[0].offer.disk_usd_per_hour > 0
    assert dict(account.requests[0].url.params) == {"include": "AVAILABILITY", "product": "POD"}


def test_what_cannot_be_had_is_left_out():
    _, found = offers(
        flavour("none", level="NONE"),
        flavour("free of charge", 0),
        flavour("elsewhere", dataCenters=[]),
        flavour("too small", vcpu=(2, 2)),
        flavour("only large", vcpu=(8, 32)),
    )
    assert [(one.offer.gpu, one.vcpus) for one in found] == [("only large", 8)]


def test_an_interface_without_such_a_list_has_none():
    assert offers(answer=problem(404, "not found"))[1] == []
