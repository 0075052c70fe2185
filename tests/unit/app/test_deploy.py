import pytest
from pydantic import SecretStr

from podtune.app.deploy import Here, foreign
from podtune.core.errors import ConflictError, SpecError, UnavailableError
from podtune.providers.runpod import serverless_wire as wire
from podtune.testing.faults import FaultKind, FaultRule
from support.serverless_site import HERE, IMAGE, OWNER, SERVICE_KEY, Site


def test_a_plan_reads_and_writes_nothing():
    site = Site()
    planned = site.plan()
    assert site.writes == []
    assert [(c.kind, c.field) for c in planned.changes] == [
        ("template", "created"), ("endpoint", "created"),
    ]  # fmt: skip
    assert not planned.is_nothing


def test_the_values_are_those_of_specification_b():
    site = Site()
    volume = site.volume()
    planned = site.plan(volume="qwen-model-cache")
    told = planned.endpoint.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert told == {
        "name": "podtune-lora-trainer",
        "type": "QUEUE",
        "gpu": {"pools": ["AMPERE_80"], "count": 1, "excludedTypes": []},
        "workers": {"min": 0, "max": 2, "idleTimeout": 60},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4.0},
        "timeout": 43_200_000,
        "flashboot": "FLASHBOOT",
        "networkVolumes": [volume],
        "dataCenterIds": ["US-KS-2"],
    }
    template = planned.template.model_dump(mode="json", by_alias=True, exclude_none=True)
    env = template.pop("env")
    assert template == {
        "name": "podtune-lora-trainer", "image": IMAGE, "disk": 20, "serverless": True,
        "startSsh": False, "startJupyter": False,
    }  # fmt: skip
    assert env["MODEL_PATH"] == "/runpod-volume/models/Qwen3-Next-80B-A3B-Instruct"
    assert env["PODTUNE_OWNER"] == OWNER


def test_what_somebody_else_made_is_refused_unless_it_is_adopted():
    site = Site()
    site.ask("POST", "/v2/templates", {"name": "podtune-lora-trainer", "image": "x", "serverless": True})  # fmt: skip
    with pytest.raises(ConflictError, match="something else than podtune") as caught:
        site.plan()
    assert caught.value.code == "not_ours"
    assert "--adopt" in (caught.value.hint or "")
    done = site.deploy(adopt=True)
    (template,) = site.templates()
    assert (template["id"], template["env"]["PODTUNE_OWNER"]) == (done.template_id, OWNER)
    assert site.plan().is_nothing


def test_what_another_installation_made_is_named():
    site = Site()
    site.deploy(here=Here(owner="k2m9q4tx"))
    with pytest.raises(ConflictError, match="installation k2m9q4tx"):
        site.plan()


def test_two_of_one_name_are_nobodys_choice():
    site = Site()
    body = {"name": "podtune-lora-trainer", "image": "x", "serverless": True}
    ids = [site.ask("POST", "/v2/templates", body).json()["id"] for _ in range(2)]
    with pytest.raises(ConflictError) as caught:
        site.plan()
    assert all(number in caught.value.message for number in ids)


def test_pools_of_an_endpoint_stay_when_stock_changes():
    site = Site()
    site.deploy()
    for card in ("NVIDIA A100 80GB PCIe", "NVIDIA A100-SXM4-80GB"):
        site.cloud.catalogue.set_stock(card, {})
    planned = site.plan()
    assert planned.is_nothing
    assert any("in stock" in text for text in planned.warnings)


def test_a_volume_that_is_not_there_names_those_that_are():
    site = Site()
    site.volume("mine")
    with pytest.raises(SpecError, match="mine") as caught:
        site.plan(volume="theirs")
    assert "podtune runpod cache" in (caught.value.hint or "")
    with pytest.raises(SpecError) as elsewhere:
        site.plan(volume="mine", region="EU-RO-1")
    assert elsewhere.value.code == "volume_elsewhere"


def test_credentials_are_named_by_id_only():
    site = Site()
    made = site.ask("POST", "/v2/registries", {"name": "hub", "username": "u", "password": "p"})
    number = made.json()["id"]
    assert site.plan(registry_auth=number).template.registry == number
    with pytest.raises(SpecError) as caught:
        site.plan(registry_auth="hub")
    assert caught.value.hint == f"--registry-auth {number}"


def test_the_service_key_is_handed_over_with_a_warning_and_never_shown():
    site = Site()
    planned = site.plan(Here(OWNER, "https://x.supabase.co", SERVICE_KEY))
    assert any("opens everything" in text for text in planned.warnings)
    assert SERVICE_KEY.get_secret_value() not in repr(planned)
    assert SERVICE_KEY.get_secret_value() not in str(planned.changes)


def test_a_list_that_fails_concludes_nothing():
    site = Site(FaultRule(kind=FaultKind.BEFORE_EFFECT, route="list_endpoints"))
    with pytest.raises(UnavailableError):
        site.plan()
    assert site.writes == []


def test_warnings_say_what_costs_and_what_is_loose():
    site = Site()
    said = " ".join(site.plan(image="me/worker", workers_min=1).warnings)
    assert "day and night" in said
    assert "no release" in said
    assert "no --volume" in said


def test_a_thing_that_does_not_tell_its_variables_is_not_ours():
    assert foreign(wire.Endpoint(id="e", name="n"), "endpoint", OWNER) is not None
    mine = wire.Endpoint(id="e", name="n", env={"PODTUNE_OWNER": OWNER})
    assert foreign(mine, "endpoint", OWNER) is None


def test_a_login_is_stored_once():
    site = Site()
    login = (SecretStr("me"), SecretStr("dckr_pat_PLANTED"))
    here = HERE._replace(registry_login=login)
    assert site.plan(here).changes[0].kind == "credentials"
    site.deploy(here)
    again = site.plan(here)
    assert again.is_nothing
    assert "dckr_pat" not in repr(again)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        (
            {"type": "LOAD_BALANCER", "scaling": {"type": "REQUEST_COUNT", "requestCount": 1}},
            "no queue",
        ),
        ({"gpu": None, "cpu": [{"id": "cpu5c", "vcpuCount": 2}]}, "no GPU"),
    ],
)
def test_an_endpoint_of_another_kind_cannot_be_taken_over(changes, word):
    site = Site()
    body = {
        "name": "podtune-lora-trainer", "type": "QUEUE", "image": "x", "gpu": {"pools": ["AMPERE_80"]},
        "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4}, **changes,
    }  # fmt: skip
    made = site.ask("POST", "/v2/serverless", {k: v for k, v in body.items() if v is not None})
    assert made.status == 201, made.json()
    with pytest.raises(ConflictError, match=word) as caught:
        site.plan(adopt=True)
    assert caught.value.code == "wrong_kind"
