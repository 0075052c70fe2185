"""Plans of rented jobs and what every card means for one, through the stand-in cloud."""

import pytest
from pydantic import SecretStr

from podtune.app import planner, renting
from podtune.app.offers import Shop
from podtune.core.errors import CredentialsError, SpecError, UnsupportedError
from podtune.core.spec import Place
from podtune.intake.resolve import resolve
from podtune.planning.cards import STAND_IN_CPU
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.testing.cloud import Cloud
from podtune.testing.transport import transport
from support import homes


@pytest.fixture
def user(tmp_path):
    homes.model(tmp_path / "model")
    homes.data(tmp_path)
    return tmp_path


@pytest.fixture
def shop(user):
    client = RunPodClient(RunPodAccess(SecretStr("rpa_test")), transport=transport(Cloud()))
    yield Shop(homes.settings(user), client)
    client.close()


def planned(user, shop, **stated):
    fields = {key.replace("__", "."): value for key, value in stated.items()}
    request = planner.source_request(
        str(user / "tickets.jsonl"),
        {
            "base_model.name": str(user / "model"),
            "where.on": "runpod",
            "where.max_usd": 2,
            **fields,
        },
    )
    settings = homes.settings(user)
    return renting.plan(planner.gather(request, *resolve(request), settings), shop)


def test_a_plan_is_priced_and_holds_its_ladder(user, shop):
    plan = planned(user, shop)
    assert plan.price.first.offer.gpu == STAND_IN_CPU
    assert plan.device.kind == "cpu"
    assert 0 < plan.usd < 2
    assert plan.spec.where.on is Place.RUNPOD
    assert plan.tokens.exact
    assert plan.base_model.location == str(user / "model")


def test_the_same_request_gives_the_same_digest(user, shop):
    assert planned(user, shop).digest == planned(user, shop).digest


def test_a_card_asked_for_is_the_one(user, shop):
    plan = planned(user, shop, where__gpu="a40")
    assert [rung.offer.gpu for rung in plan.price.ladder] == ["NVIDIA A40"]
    assert plan.device.kind == "cuda"
    assert plan.spec.training.precision == "bf16"


@pytest.mark.parametrize(("token", "warned"), [("", True), ("hf_x", False)])
def test_the_hub_store_says_when_this_machine_must_stay_on(user, shop, monkeypatch, token, warned):
    monkeypatch.setenv("PODTUNE_POD_HF_TOKEN", token)
    words = planned(user, shop, deliver__store="hf").warnings
    assert any("must stay on" in w for w in words) is warned


def test_a_key_of_another_form_is_told_and_used(user, shop, monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", "rp_abcdefghijk")
    (told,) = (w for w in planned(user, shop).warnings if "RUNPOD_API_KEY" in w)
    assert "tried as it is" in told
    assert "abcdefghijk" not in told


def test_a_network_volume_is_no_store(user, shop):
    with pytest.raises(UnsupportedError, match="network volume"):
        planned(user, shop, deliver__store="volume")


def test_all_cards_without_a_job(user, shop):
    found = renting.cards(homes.settings(user), shop, None)
    assert not found.has_job
    assert "NVIDIA B200" in {v.offer.gpu for v in found.verdicts}
    assert "NVIDIA B200" not in {v.offer.gpu for v in found.usable}
    assert all(v.rung is None for v in found.verdicts)


def test_all_cards_for_a_job_need_no_ceiling(user, shop):
    request = renting.asked(str(user / "tickets.jsonl"), str(user / "model"), ["training.epochs=2"])
    found = renting.cards(homes.settings(user), shop, request)
    assert found.has_job
    assert found.usable
    assert all(v.rung is not None and v.plan is not None for v in found.usable)
    assert found.verdicts[0].plan.spec.training.epochs == 2


def test_for_a_look_the_default_model_will_do(user, shop, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    request = renting.asked(str(user / "tickets.jsonl"), None, ["base_model.source=package"])
    found = renting.cards(homes.settings(user), shop, request)
    assert "those of HuggingFaceTB/SmolLM2-135M-Instruct" in found.warnings[0]
    assert found.usable


def test_an_unknown_card_is_told(user, shop):
    request = renting.asked(
        str(user / "tickets.jsonl"), str(user / "model"), ["where.gpu=RTX 4900"]
    )
    with pytest.raises(SpecError, match="did you mean RTX 4090"):
        renting.cards(homes.settings(user), shop, request)


def test_no_job_is_asked_for_without_data():
    assert renting.asked(None, None, None) is None
    with pytest.raises(SpecError) as caught:
        renting.asked(None, "org/model", None)
    assert "--fits" in str(caught.value.hint)


def test_without_a_key_there_is_no_shop(tmp_path, monkeypatch):
    monkeypatch.delenv("RUNPOD_API_KEY", raising=False)
    with (
        pytest.raises(CredentialsError, match="RUNPOD_API_KEY is not set"),
        renting.shop(homes.settings(tmp_path)),
    ):
        pass


def test_a_shop_is_opened_at_the_address_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", "rpa_x")
    monkeypatch.setenv("RUNPOD_REST_BASE_URL", "http://192.0.2.1/v2")
    with (
        pytest.raises(SpecError, match="nothing is sent over http"),
        renting.shop(homes.settings(tmp_path)),
    ):
        pass
