"""Plans of jobs for an endpoint of one's own, against the stand-in account."""

from decimal import Decimal

import pytest
from pydantic import SecretStr

from podtune.app import endpoint_renting
from podtune.app import settings as environment
from podtune.app.deploy_wish import DEFAULT_NAME
from podtune.app.settings import Settings
from podtune.core.errors import NotFoundError, PodtuneError, SpecError
from podtune.core.offer import Stock
from podtune.core.plan import Origin
from podtune.core.spec import ModelSource
from podtune.egress.s3 import S3Credentials
from podtune.storage.access import SupabaseAccess
from podtune.testing.faults import parse_rule
from support import renting
from support.serverless_site import HERE, OWNER, Site

QUEUE = {"where.on": "runpod-serverless"}


@pytest.fixture
def site():
    return Site()


@pytest.fixture(autouse=True)
def accounts(monkeypatch):
    """A bucket of one's own, unless a test takes it away; this installation's owner is the stand-in's."""
    found = {"s3": S3Credentials("key", SecretStr("secret")), "supabase": None, "endpoint": None}
    monkeypatch.setattr(environment, "s3_credentials", lambda: found["s3"])
    monkeypatch.setattr(environment, "supabase_access", lambda: found["supabase"])
    monkeypatch.setattr(environment, "runpod_endpoint", lambda: found["endpoint"])
    monkeypatch.setattr(endpoint_renting, "owner", lambda home: OWNER)
    return found


def settings(tmp_path, **changes):
    return Settings(home=tmp_path, **{"s3_bucket": "mine/prefix", **changes})


def plan(site, tmp_path, stated=None, *, config=None, **changes):
    given = renting.given({**QUEUE, **(stated or {})}, **changes)
    found = config or settings(tmp_path)
    return endpoint_renting.plan(given, site.client, found, site.clock.now)


def test_the_endpoint_of_this_installation_is_taken(site, tmp_path):
    made = site.deploy(HERE)
    found = plan(site, tmp_path)
    assert found.spec.where.endpoint == made.endpoint_id
    assert found.spec.deliver.store == "s3"
    offer = found.price.first.offer
    assert offer.name == "A100 PCIe or A100 SXM"
    assert offer.usd_per_hour == Decimal("2.72")
    assert offer.idle_s == 60
    assert found.note("where.endpoint").origin is Origin.ASSUMED
    assert any("1 min 00 s after the job" in text for text in found.warnings)
    assert any("no network volume" in text for text in found.warnings)


def test_idle_time_is_in_the_price(site, tmp_path):
    site.deploy(HERE, idle_timeout_s=30)
    short = plan(site, tmp_path).price.first
    site.deploy(HERE, idle_timeout_s=1800)
    long = plan(site, tmp_path)
    assert long.price.first.hours_p50 - short.hours_p50 == pytest.approx(1770 / 3600, abs=0.001)
    assert any("does not cover" in text for text in long.warnings)


def test_one_that_is_named_is_taken(site, tmp_path, accounts):
    made = site.deploy(HERE)
    for named in (made.endpoint_id, DEFAULT_NAME):
        assert (
            plan(site, tmp_path, {"where.endpoint": named}).spec.where.endpoint == made.endpoint_id
        )
    accounts["endpoint"] = made.endpoint_id
    assert plan(site, tmp_path).spec.where.endpoint == made.endpoint_id


def test_none_and_several_are_told(site, tmp_path):
    with pytest.raises(NotFoundError, match="of this installation") as raised:
        plan(site, tmp_path)
    assert "podtune runpod deploy" in raised.value.hint
    with pytest.raises(NotFoundError, match="'nosuch'"):
        plan(site, tmp_path, {"where.endpoint": "nosuch"})
    site.deploy(HERE)
    site.deploy(HERE, name="second")
    with pytest.raises(SpecError) as raised:
        plan(site, tmp_path)
    assert raised.value.code == "endpoint_unclear"


def test_one_that_may_have_no_worker_is_refused(site, tmp_path):
    site.deploy(HERE)
    (record,) = site.cloud.account.endpoints.values()
    record.settings["workers"] = {**record.settings["workers"], "max": 0}
    with pytest.raises(SpecError) as raised:
        plan(site, tmp_path)
    assert raised.value.code == "workers_max_0"


def test_as_many_cards_as_its_workers_have(site, tmp_path):
    site.deploy(HERE)
    with pytest.raises(SpecError) as raised:
        plan(site, tmp_path, {"where.count": 2})
    assert raised.value.code == "machine_unfit"


@pytest.mark.parametrize("store", ["direct", "hf"])
def test_a_store_that_gives_no_addresses_is_refused(site, tmp_path, store):
    site.deploy(HERE)
    with pytest.raises(SpecError) as raised:
        plan(site, tmp_path, {"deliver.store": store})
    assert raised.value.code == "unsupported_store"


def test_without_a_store_the_next_step_is_said(site, tmp_path, accounts):
    site.deploy(HERE)
    accounts["s3"] = None
    with pytest.raises(SpecError) as raised:
        plan(site, tmp_path)
    assert raised.value.code == "no_store"
    assert "PODTUNE_S3_BUCKET" in raised.value.hint


def test_supabases_addresses_limit_the_run(site, tmp_path, accounts):
    site.deploy(HERE)
    accounts["supabase"] = SupabaseAccess("https://x.supabase.co", SecretStr("key"))
    config = settings(tmp_path, s3_bucket="")
    found = plan(site, tmp_path, config=config)
    assert (found.spec.deliver.store, found.spec.where.max_hours) == ("supabase", 1.4)
    assert plan(site, tmp_path, {"where.max_hours": 1}, config=config).price.max_hours == 1
    with pytest.raises(SpecError) as raised:
        plan(site, tmp_path, {"where.max_hours": 2}, config=config)
    assert raised.value.code == "addresses_too_short"
    with pytest.raises(SpecError, match="Supabase"):
        plan(site, tmp_path, config=settings(tmp_path, s3_bucket="", queue_limit_s=7200))


def test_where_none_is_free_the_wait_is_told(site, tmp_path):
    site.deploy(HERE)
    for card in ("NVIDIA A100 80GB PCIe", "NVIDIA A100-SXM4-80GB"):
        site.cloud.faults.add(parse_rule(f"capacity_drought,gpu={card}"))
    found = plan(site, tmp_path)
    assert found.price.first.offer.stock is Stock.LOW
    assert any("waits up to 30 min" in text for text in found.warnings)


def test_the_packaged_model_is_not_there(site, tmp_path):
    site.deploy(HERE)
    given = renting.given(QUEUE)
    base = given.spec.base_model.model_copy(update={"source": ModelSource.PACKAGE})
    given = given._replace(spec=given.spec.model_copy(update={"base_model": base}))
    with pytest.raises(PodtuneError, match="packaged"):
        endpoint_renting.plan(given, site.client, settings(tmp_path))
