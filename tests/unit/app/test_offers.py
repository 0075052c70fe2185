"""What can be rented, asked of the stand-in cloud: wishes, volumes, prices that are stored."""

from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from pydantic import SecretStr

from podtune.app.offers import Shop, furnished
from podtune.core.errors import CredentialsError, SpecError, UnavailableError
from podtune.core.plan import Origin
from podtune.core.request import TrainingRequest
from podtune.core.spec import WhereSpec
from podtune.intake.resolve import resolve
from podtune.planning.cards import STAND_IN_CPU
from podtune.providers.runpod import images
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.testing.cloud import Cloud
from podtune.testing.transport import transport
from support import build, homes, renting

START = datetime(2026, 11, 22, 12, tzinfo=UTC)


def shop(home, cloud=None, *, key="rpa_test", after=timedelta(0)):
    """A shop at a stand-in cloud, or at one that never answers."""

    def away(request):
        raise httpx2.ConnectError("no route", request=request)

    wire = transport(cloud) if cloud else httpx2.MockTransport(away)
    client = RunPodClient(RunPodAccess(SecretStr(key)), transport=wire, sleep=lambda seconds: None)
    return Shop(homes.settings(home), client, clock=lambda: START + after)


def where(**fields):
    return WhereSpec(on="runpod", **fields)


def test_offers_are_live_and_for_the_wish(tmp_path):
    market = shop(tmp_path, Cloud()).market(where(count=2, disk_gb=100, volume_gb=620))
    assert market.warnings == ()
    a40 = next(o for o in market.offers if o.gpu == "NVIDIA A40")
    assert (a40.count, a40.cloud, a40.is_snapshot) == (2, "secure", False)
    assert float(a40.usd_per_hour) == pytest.approx(0.80)
    assert float(a40.disk_usd_per_hour) == pytest.approx(0.1, abs=1e-5)
    assert market.wishes.least_cuda == images.min_cuda(images.DEFAULT)


def test_the_stand_ins_own_processor_is_among_them(tmp_path):
    market = shop(tmp_path, Cloud()).market(where())
    assert STAND_IN_CPU in {offer.gpu for offer in market.offers}


def test_secure_cloud_unless_somebody_says_otherwise(tmp_path):
    for cloud in ("secure", "community"):
        market = shop(tmp_path, Cloud()).market(where(cloud=cloud))
        assert {offer.cloud for offer in market.offers} == {cloud}


def test_an_image_we_know_nothing_of_filters_no_host(tmp_path):
    market = shop(tmp_path, Cloud()).market(where(image="me/mine:1"))
    assert market.wishes.least_cuda is None
    assert market.offers


def test_without_an_answer_stored_prices_are_used_and_say_their_age(tmp_path):
    live = shop(tmp_path, Cloud()).market(where())
    late = shop(tmp_path, after=timedelta(hours=3)).market(where())
    assert [o.gpu for o in late.offers] == [o.gpu for o in live.offers]
    assert all(o.is_snapshot for o in late.offers)
    (warning,) = late.warnings
    assert "3 h 00 min ago; they may have changed" in warning
    (fresh,) = shop(tmp_path, after=timedelta(minutes=5)).market(where()).warnings
    assert fresh.endswith("5 min 00 s ago")


def test_without_an_answer_and_nothing_stored_nothing_is_planned(tmp_path):
    with pytest.raises(UnavailableError):
        shop(tmp_path).market(where())


def test_a_rejected_key_says_so(tmp_path):
    with pytest.raises(CredentialsError) as caught:
        shop(tmp_path, Cloud(), key="nonsense").market(where())
    assert "nonsense" not in caught.value.message


def test_a_volume_pins_the_data_centre(tmp_path):
    cloud = Cloud()
    made = transport(cloud).handler(
        httpx2.Request(
            "POST",
            "https://api.runpod.io/v2/network-volumes",
            headers={"Authorization": "Bearer rpa_test", "User-Agent": "podtune/test"},
            json={"name": "models", "size": 50, "dataCenter": "US-KS-2"},
        )
    )
    number = made.json()["id"]
    market = shop(tmp_path, cloud).market(where(volume=number))
    assert market.wishes.volume_region == "US-KS-2"
    with pytest.raises(SpecError) as caught:
        shop(tmp_path, cloud).market(where(volume=number, region="EU-RO-1"))
    assert caught.value.code == "volume_elsewhere"


def furnish(facts=renting.QWEN3_8B, **stated):
    fields = {"data.source": "x.jsonl", "base_model.name": "o/m", "where.on": "runpod"}
    fields |= {key.replace("__", "."): value for key, value in stated.items()}
    spec, notes = resolve(TrainingRequest(stated=fields))
    return furnished(spec, notes, facts), notes


def test_the_image_is_named_in_the_plan():
    spec, notes = furnish()
    assert spec.where.image == images.DEFAULT
    assert notes["where.image"].value == images.DEFAULT
    assert notes["where.image"].origin is Origin.ASSUMED
    assert furnish(where__image="me/mine:1")[0].where.image == "me/mine:1"


def large():
    return renting.QWEN3_8B.model_copy(update={"download_bytes": 140_000_000_000})


def test_the_disk_grows_with_the_model():
    assert furnish()[0].where.volume_gb == 50
    spec, notes = furnish(large())
    assert spec.where.volume_gb > 168
    assert notes["where.volume_gb"].value == spec.where.volume_gb
    assert notes["where.volume_gb"].why == "the base model alone takes 140 GB"


def test_a_stated_disk_that_is_too_small_is_refused():
    with pytest.raises(SpecError) as caught:
        furnish(large(), where__volume_gb=100)
    assert caught.value.code == "disk_too_small"
    assert f"volume_gb={caught.value.context['needed_gb']}" in str(caught.value.hint)
    assert furnish(large(), where__volume_gb=400)[0].where.volume_gb == 400


def test_full_training_needs_room_for_its_checkpoints():
    full, _ = furnish(adapter__kind="full")
    assert full.where.volume_gb > 3 * 12 * 8


def test_on_a_network_volume_nobody_looks_at_the_size():
    assert furnish(large(), where__volume="vol1")[0].where.volume_gb == 50


def test_facts_without_a_size_are_taken_as_16_bits():
    facts = build.facts().model_copy(update={"download_bytes": None})
    assert furnish(facts)[0].where.volume_gb == 50
