from decimal import Decimal

import pytest

from podtune.app import cache_volumes
from podtune.app.cache_records import CacheRecords, Run
from podtune.core.cache_filling import Seal
from podtune.core.errors import ConflictError, NotFoundError, SpecError, UnavailableError
from podtune.testing.faults import FaultKind, FaultRule
from support.serverless_site import Site


@pytest.fixture
def records(tmp_path):
    return CacheRecords(tmp_path)


def fill(records, volume, model="Qwen/Qwen3-8B"):
    records.note(volume, "m", Seal(model=model, commit="a" * 40, bytes=16_400_000_000, files=()))


def test_what_is_a_cache_and_what_it_holds_and_costs(records):
    site = Site()
    filled, named, other = site.volume("mine"), site.volume("qwen-model-cache"), site.volume("data")
    fill(records, filled)
    site.deploy(volume=named)
    there = {one.id: one for one in cache_volumes.listed(site.client, records)}
    assert set(there) == {filled, named}
    assert other not in there
    assert [(m.model, m.gb) for m in there[filled].models] == [("Qwen/Qwen3-8B", 16.4)]
    assert there[filled].usd_per_month == Decimal("14.00")
    assert there[named].endpoints == ("podtune-lora-trainer",)
    assert there[named].delete_with == f"podtune runpod uncache {named}"


def test_an_account_without_volumes_is_asked_once(records):
    site = Site()
    assert cache_volumes.listed(site.client, records) == ()
    assert len(site.requests) == 1


def test_one_is_found_by_id_or_name(records):
    site = Site()
    first = site.volume()
    assert cache_volumes.find(site.client, records, first).id == first
    assert cache_volumes.find(site.client, records, "qwen-model-cache").id == first
    site.volume()
    with pytest.raises(ConflictError, match="2 model caches"):
        cache_volumes.find(site.client, records, "qwen-model-cache")


def test_another_volume_is_never_taken_for_one(records):
    site = Site()
    number = site.volume("customer-data")
    for wanted in (number, "customer-data", "../x"):
        with pytest.raises(NotFoundError):
            cache_volumes.find(site.client, records, wanted)
    assert number in site.cloud.account.volumes


def test_one_that_an_endpoint_uses_is_refused(records):
    site = Site()
    site.deploy(volume=site.volume())
    with pytest.raises(ConflictError, match="podtune-lora-trainer") as raised:
        cache_volumes.find(site.client, records, "qwen-model-cache")
    assert raised.value.code == "volume_in_use"


def test_it_is_deleted_seen_to_be_gone_and_forgotten(records):
    site = Site()
    number = site.volume()
    fill(records, number)
    cache_volumes.delete(
        site.client, records, cache_volumes.find(site.client, records, number), pause=site.pause
    )
    assert site.cloud.account.volumes == {}
    assert records.noted(number) == {}


def test_one_that_is_being_filled_is_left(records):
    site = Site()
    found = cache_volumes.find(site.client, records, site.volume())
    with records.alive(Run(job="j", volume=found.id, model="a/b")):
        with pytest.raises(ConflictError) as raised:
            cache_volumes.delete(site.client, records, found, pause=site.pause)
        assert raised.value.code == "volume_busy"
        assert found.id in site.cloud.account.volumes


def test_what_runpod_refuses_is_told(records):
    site = Site()
    found = cache_volumes.find(site.client, records, site.volume())
    body = {"name": "p", "image": "i", "gpu": {"id": "NVIDIA A100 80GB PCIe", "count": 1},
            "mounts": {"network": [{"volumeId": found.id, "path": "/workspace"}]}}  # fmt: skip
    assert site.ask("POST", "/v2/pods", body).status == 201
    with pytest.raises(SpecError, match="attached"):
        cache_volumes.delete(site.client, records, found, pause=site.pause)


def test_one_that_stays_is_no_success(records):
    site = Site(FaultRule(kind=FaultKind.BEFORE_EFFECT, route="delete_volume"))
    found = cache_volumes.find(site.client, records, site.volume())
    with pytest.raises(UnavailableError):
        cache_volumes.delete(site.client, records, found, pause=site.pause)
    assert found.id in site.cloud.account.volumes
