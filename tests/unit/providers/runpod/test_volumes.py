import json

import httpx2
import pytest

from podtune.core.errors import SpecError, UnavailableError
from podtune.providers.runpod import volumes
from support.runpod_account import Account, client, problem

LIST = "GET /v2/network-volumes"
THERE = [
    {"id": "agv6w2qcg7", "name": "data", "size": 100, "dataCenter": "EU-RO-1", "type": "STANDARD"},
    {"id": "v2", "name": "twice", "size": 10, "dataCenter": "EU-RO-1", "type": "STANDARD"},
    {"id": "v3", "name": "twice", "size": 10, "dataCenter": "US-KS-2", "type": "STANDARD"},
]


@pytest.fixture
def account():
    made = Account()
    made.answer(LIST, httpx2.Response(200, json={"networkVolumes": THERE}))
    return made


@pytest.mark.parametrize("wanted", ["agv6w2qcg7", "data"])
def test_a_volume_is_found_by_id_and_by_name(account, wanted):
    assert volumes.find(client(account), wanted, "EU-RO-1").id == "agv6w2qcg7"


def test_without_a_region_it_is_where_it_is(account):
    assert volumes.find(client(account), "v3").data_center == "US-KS-2"


def test_a_volume_in_another_data_centre_is_refused_naming_its_own(account):
    with pytest.raises(SpecError) as caught:
        volumes.find(client(account), "data", "US-KS-2")
    assert caught.value.code == "volume_elsewhere"
    assert "EU-RO-1" in caught.value.message
    assert caught.value.hint == "--set where.region=EU-RO-1"


def test_an_unknown_volume_names_those_that_are_there(account):
    with pytest.raises(SpecError) as caught:
        volumes.find(client(account), "nope")
    assert caught.value.code == "volume_unknown"
    assert "agv6w2qcg7 (data)" in caught.value.message


def test_a_name_of_two_is_unclear(account):
    with pytest.raises(SpecError) as caught:
        volumes.find(client(account), "twice")
    assert caught.value.code == "volume_unclear"
    assert "v2, v3" in caught.value.message


def test_making_and_deleting():
    account = Account()
    account.answer("POST /v2/network-volumes", httpx2.Response(201, json=THERE[0]))
    made = volumes.make(client(account), "data", 100, "EU-RO-1")
    assert made.id == "agv6w2qcg7"
    assert json.loads(account.requests[0].content) == {"name": "data", "size": 100, "dataCenter": "EU-RO-1"}  # fmt: skip
    account.answer("DELETE /v2/network-volumes/agv6w2qcg7", httpx2.Response(204), problem(404))
    volumes.delete(client(account), made.id)
    volumes.delete(client(account), made.id)
    account.answer("DELETE /v2/network-volumes/agv6w2qcg7", *[problem(500)] * 4)
    with pytest.raises(UnavailableError):
        volumes.delete(client(account), made.id)


def test_a_volume_is_found_by_its_only_name(account):
    found = volumes.named(client(account), "data")
    assert found
    assert found.id == "agv6w2qcg7"
    account.answer(LIST, httpx2.Response(200, json={"networkVolumes": THERE}))
    assert volumes.named(client(account), "agv6w2qcg7") is None


def test_a_name_of_two_is_not_guessed(account):
    with pytest.raises(SpecError) as caught:
        volumes.named(client(account), "twice")
    assert caught.value.code == "volume_unclear"


def test_a_volume_grows_by_its_size_alone():
    account = Account()
    grown = THERE[0] | {"size": 200}
    account.answer("PATCH /v2/network-volumes/agv6w2qcg7", httpx2.Response(200, json=grown))
    assert volumes.grow(client(account), "agv6w2qcg7", 200).size == 200
    assert json.loads(account.requests[0].content) == {"size": 200}
