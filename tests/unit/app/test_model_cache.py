"""Plans of model caches; carried out: tests/contract/test_model_cache.py."""

from decimal import Decimal

import pytest

from podtune.app.cache_machine import Tools
from podtune.app.cache_records import CacheRecords
from podtune.app.model_cache import CacheWish, ModelCache
from podtune.app.settings import runpod_access
from podtune.core.cache_filling import Seal
from podtune.core.errors import BalanceError, NoCapacityError, SpecError
from podtune.providers.runpod import volumes
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.storage.access import HubAccess
from podtune.storage.hub_model_files import ModelListing
from support.caches import make_model
from support.hub_server import HubServer

MODEL = "org/Tiny-Model"


@pytest.fixture
def cache(tmp_path, settings, account):
    with (
        HubServer({MODEL: make_model(tmp_path / "model")}) as hub,
        RunPodClient(runpod_access()) as client,
    ):
        yield ModelCache(settings, client, ModelListing(HubAccess(None, hub.url)))


def test_a_plan_names_everything_and_makes_nothing(cache, account, settings):
    plan = cache.prepare(CacheWish(MODEL)).plan
    assert (plan.files, plan.weight_files, plan.is_filled) == (6, 2, False)
    assert plan.folder == "/runpod-volume/models/Tiny-Model"
    assert plan.machines[0].id == "cpu5c"
    assert plan.machine_usd_p50 < plan.machine_usd_most
    assert plan.hours_most == 6.0
    assert account.account.volumes == {}
    assert account.account.pods == {}
    assert not settings.home.exists()


def test_a_budget_bounds_the_machine(cache):
    plan = cache.prepare(CacheWish(MODEL, budget_usd=Decimal("0.10"))).plan
    assert plan.machine_usd_most <= Decimal("0.10")
    small = cache.prepare(CacheWish(MODEL, budget_usd=Decimal("0.0001"))).plan
    assert any("second run" in words for words in small.notices)


@pytest.mark.parametrize(
    "wish",
    [{"hours": 0}, {"hours": 49}, {"budget_usd": Decimal(-1)}, {"budget_usd": Decimal("NaN")}],
)
def test_numbers_that_cannot_be_meant(cache, wish):
    with pytest.raises(SpecError) as caught:
        cache.prepare(CacheWish(MODEL, **wish))
    assert caught.value.code == "bad_option"


def test_a_note_of_the_same_files_rents_nothing(cache, settings, account):
    wish = CacheWish(MODEL)
    first = cache.prepare(wish)
    made = volumes.make(cache._client, "org-model-cache", 10, "EU-RO-1")
    seal = Seal(
        model=MODEL, commit=first.files.commit, bytes=1, files=first.files.files, sealed_at=""
    )
    CacheRecords(settings.home).note(made.id, "Tiny-Model", seal)
    again = cache.prepare(wish).plan
    assert (again.is_filled, again.machines, again.machine_usd_most) == (True, (), Decimal(0))
    assert not cache.prepare(wish._replace(look=True)).plan.is_filled
    other = seal.model_copy(update={"commit": "d" * 40})
    CacheRecords(settings.home).note(made.id, "Tiny-Model", other)
    assert not cache.prepare(wish).plan.is_filled


def test_nothing_free_where_the_volume_is(cache, account):
    account.catalogue.cpus.clear()
    for gpu in list(account.catalogue.rows):
        account.catalogue.set_stock(gpu, {"US-TX-3": "NONE"})
    with pytest.raises(NoCapacityError):
        cache.prepare(CacheWish(MODEL, region="US-TX-3"))


def test_a_hub_of_this_machine_is_out_of_a_real_pods_reach(cache, monkeypatch, settings):
    monkeypatch.setenv("RUNPOD_REST_BASE_URL", "https://api.example/v2")
    with RunPodClient(runpod_access()) as real:
        far = ModelCache(settings, real, cache._listing)
        with pytest.raises(SpecError) as caught:
            far._refuse_out_of_reach()
    assert caught.value.code == "store_out_of_reach"


def test_an_account_without_money_makes_no_volume(cache, account, settings):
    prepared = cache.prepare(CacheWish(MODEL))
    account.account.spent_usd = account.account.options.balance_usd
    client = cache._client
    tools = Tools(RunPodProvider(client, settings), client.access, CacheRecords(settings.home))
    with pytest.raises(BalanceError):
        cache.carry_out(CacheWish(MODEL), prepared, tools)
    assert account.account.volumes == {}
