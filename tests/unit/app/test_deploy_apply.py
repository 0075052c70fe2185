import pytest
from pydantic import SecretStr

from podtune.app import deploy_apply
from podtune.core.errors import ConflictError, DoubtfulError, SpecError
from podtune.providers.runpod import serverless_wire as wire
from podtune.testing.faults import FaultKind, FaultRule
from support.serverless_site import HERE, IMAGE, Site


def test_template_and_endpoint_are_made_and_a_second_time_nothing_is_sent():
    site = Site()
    first = site.deploy()
    assert site.writes == ["POST /v2/templates", "POST /v2/serverless"]
    assert first.written == 2
    (endpoint,) = site.endpoints()
    assert endpoint["id"] == first.endpoint_id
    assert endpoint["image"] == IMAGE
    assert endpoint["env"]["HF_HOME"] == "/runpod-volume/.cache/huggingface"
    second = site.deploy()
    assert (second.written, second.endpoint_id) == (0, first.endpoint_id)
    assert len(site.writes) == 2


def test_changed_limits_touch_the_endpoint_alone():
    site = Site()
    done = site.deploy()
    site.deploy(workers_max=3, idle_timeout_s=90)
    assert site.writes[2:] == [f"PATCH /v2/serverless/{done.endpoint_id}"]
    assert site.sent(site.writes[2]) == [{"workers": {"min": 0, "max": 3, "idleTimeout": 90}}]
    (endpoint,) = site.endpoints()
    assert endpoint["workers"] == {"min": 0, "max": 3, "idleTimeout": 90}
    (stored,) = site.cloud.account.endpoints.values()
    assert stored.version == 1
    site.deploy(workers_max=3, idle_timeout_s=90, timeout_s=3600)
    assert site.endpoints()[0]["timeout"] == 3_600_000
    assert site.endpoints()[0]["env"]["PODTUNE_JOB_TTL_S"] == "46800"
    assert site.plan(workers_max=3, idle_timeout_s=90, timeout_s=3600).is_nothing


def test_a_new_image_reaches_template_and_endpoint():
    site = Site()
    done = site.deploy()
    site.deploy(image="podtune/worker:2.0", env={"HF_HUB_OFFLINE": "1"})
    assert site.writes[2:] == [
        f"PATCH /v2/templates/{done.template_id}", f"PATCH /v2/serverless/{done.endpoint_id}",
    ]  # fmt: skip
    (endpoint,), (template,) = site.endpoints(), site.templates()
    assert endpoint["image"] == template["image"] == "podtune/worker:2.0"
    assert endpoint["env"]["HF_HUB_OFFLINE"] == "1"
    site.deploy(image="podtune/worker:2.0")
    assert "HF_HUB_OFFLINE" not in site.endpoints()[0]["env"]


def test_an_endpoint_that_somebody_changed_by_hand_is_set_again():
    site = Site()
    done = site.deploy()
    site.ask("PATCH", f"/v2/serverless/{done.endpoint_id}", {"workers": {"max": 0}, "env": {"PODTUNE_OWNER": "h4wx7npc"}})  # fmt: skip
    site.deploy()
    assert list(site.sent(site.writes[-1])[0]) == ["templateId", "workers"]
    (endpoint,) = site.endpoints()
    assert endpoint["workers"]["max"] == 2
    assert "MODEL_PATH" in endpoint["env"]


def test_a_volume_and_its_data_centre_can_be_taken_away():
    site = Site()
    volume = site.volume()
    site.deploy(volume=volume)
    assert site.endpoints()[0]["networkVolumes"] == [volume]
    site.deploy()
    assert site.endpoints()[0]["networkVolumes"] == []
    assert site.endpoints()[0]["dataCenterIds"] == []


@pytest.mark.parametrize("route", ["create_template", "create_endpoint"])
@pytest.mark.parametrize("kind", [FaultKind.AFTER_EFFECT, FaultKind.WRONG_BODY, FaultKind.RESET])
def test_a_create_whose_answer_was_lost_is_found_by_its_name(route, kind):
    site = Site(FaultRule(kind=kind, route=route, nth=(1,)))
    done = site.deploy()
    assert site.writes == ["POST /v2/templates", "POST /v2/serverless"]
    assert [e["id"] for e in site.endpoints()] == [done.endpoint_id]
    assert [t["id"] for t in site.templates()] == [done.template_id]


def test_a_create_that_came_to_nothing_is_not_sent_again_by_itself():
    site = Site(FaultRule(kind=FaultKind.BEFORE_EFFECT, route="create_endpoint", nth=(1,)))
    with pytest.raises(DoubtfulError, match="after 10 s") as caught:
        site.deploy()
    assert "run the same command again" in (caught.value.hint or "")
    assert site.writes.count("POST /v2/serverless") == 1
    site.deploy()
    assert len(site.endpoints()) == 1


def test_what_was_made_since_the_plan_is_not_made_twice():
    site = Site()
    planned = site.plan()
    site.deploy()
    with pytest.raises(ConflictError, match="a moment ago"):
        deploy_apply.apply(site.client, planned, HERE, pause=site.pause)
    assert len(site.templates()) == 1


def test_a_refusal_says_what_runpod_says():
    site = Site()
    planned = site.plan()
    bad = planned.endpoint.model_copy(update={"data_center_ids": ("XX-YY-9",)})
    with pytest.raises(SpecError, match="unknown data center"):
        deploy_apply.apply(site.client, planned._replace(endpoint=bad), HERE, pause=site.pause)


def test_credentials_are_stored_under_the_name_and_used():
    site = Site()
    here = HERE._replace(registry_login=(SecretStr("me"), SecretStr("dckr_pat_PLANTED")))
    assert site.deploy(here).written == 3
    assert site.sent("POST /v2/registries") == [
        {"name": "podtune-lora-trainer", "username": "me", "password": "dckr_pat_PLANTED"}
    ]
    (registry,) = site.cloud.account.registries
    assert site.templates()[0]["registry"] == site.endpoints()[0]["registry"] == registry
    assert site.deploy(here).written == 0


def test_an_endpoint_that_does_not_tell_its_container_follows_its_template():
    site = Site()
    made = site.deploy()
    planned = site.plan(image="podtune/worker:2.0")
    silent = wire.Endpoint(
        made.endpoint_id, planned.wish.name, gpu=wire.EndpointGpu(("AMPERE_80",), 1)
    )
    told = [change for change in planned.changes if change.kind == "template"]
    blind = planned._replace(found_endpoint=silent, changes=tuple(told))
    deploy_apply.apply(site.client, blind, HERE, pause=site.pause)
    assert site.endpoints()[0]["image"] == "podtune/worker:2.0"


@pytest.mark.parametrize(
    "changed",
    [
        {"scaling": {"type": "REQUEST_COUNT", "requestCount": 3}},
        {"scaling": {"type": "QUEUE_DELAY", "queueDelay": 9}},
        {"gpu": {"pools": ["ADA_24"], "count": 2}},
        {"timeout": 0},
        {"flashboot": "OFF"},
        {"dataCenterIds": ["EU-RO-1"]},
        {"image": "other/image:1"},
        {"disk": 99},
        {"env": {"PODTUNE_OWNER": "h4wx7npc", "ADDED": "x"}},
    ],
)
def test_whatever_was_changed_by_hand_is_set_back(changed):
    site = Site()
    done = site.deploy()
    before = site.endpoints()
    answer = site.ask("PATCH", f"/v2/serverless/{done.endpoint_id}", changed)
    assert answer.status == 200, answer.json()
    assert site.endpoints() != before
    site.deploy(gpus=("A100 80GB",))
    assert site.endpoints() == before
    assert site.plan(gpus=("A100 80GB",)).is_nothing
