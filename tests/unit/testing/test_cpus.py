"""Machines without a card in the stand-in cloud."""

import pytest

from podtune.testing import cpus
from podtune.testing.http import Refused
from support.stand_in import Desk, order


def bare(desk, **changes):
    wanted = {"id": "cpu5c", "vcpuCount": 4, **changes}
    body = {name: value for name, value in order(mounts={}).items() if name != "gpu"}
    return desk.ask("POST", "/v2/pods", body | {"cpu": wanted, "dataCenterIds": ["US-TX-3"]})


def test_one_is_ordered_and_told_with_its_flavour():
    desk = Desk()
    made = bare(desk).json()
    assert made["cpu"] == {"id": "cpu5c", "vcpuCount": 4, "memory": 8}
    assert "gpu" not in made
    assert (made["dataCenterId"], made["cudaVersion"], made["cost"]) == ("US-TX-3", None, 0.14)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vcpuCount": 6}, "power of two"),
        ({"vcpuCount": 64}, "power of two"),
        ({"id": "cpu9x"}, "not found"),
        ({"id": "cpu3c"}, "no longer any instances"),
    ],
    ids=["an odd size", "too large", "no such flavour", "not in that data centre"],
)
def test_what_cannot_be_had_is_refused(changes, words):
    answer = bare(Desk(), **changes)
    assert answer.status == 400
    assert words in answer.json()["detail"]


def test_stock_is_told_where_it_is_asked_for():
    desk = Desk()
    found = desk.ask("GET", "/v2/catalog/cpus?include=AVAILABILITY&product=POD").json()["cpus"]
    first = next(cpu for cpu in found if cpu["id"] == "cpu3c")
    assert first["availability"] == "HIGH"
    assert {c["id"]: c["availability"] for c in first["dataCenters"]} == dict(cpus.CPUS[0].stock)
    assert desk.ask("GET", "/v2/catalog/cpus?product=POD").status == 400


def test_the_data_centre_with_most_of_it_wins():
    row = cpus.CPUS[0]
    assert cpus.center_of(row, ()) == "EU-RO-1"
    assert cpus.center_of(row, ("US-KS-2",)) == "US-KS-2"
    assert cpus.center_of(row, ("EUR-IS-1",)) is None
    with pytest.raises(Refused):
        cpus.check(None, "cpu9x", 2)
