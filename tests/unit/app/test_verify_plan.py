import json
import re
from decimal import Decimal

import pytest

from podtune.app import verify_plan
from podtune.app.verify_plan import Asked, another
from podtune.core.errors import NotFoundError, SpecError
from podtune.providers.runpod import endpoints
from podtune.providers.runpod import serverless_wire as wire
from support.serverless_site import KEY, Site

JOBS = "https://api.runpod.ai/v2"
ENDPOINT = wire.Endpoint(
    "4m7x2k9q", "trainer", "QUEUE", gpu=wire.EndpointGpu(("AMPERE_80",), 1),
    workers=wire.EndpointWorkers(0, 2, 60),
)  # fmt: skip


@pytest.fixture(scope="module")
def cards():
    return endpoints.cards(Site().client)


@pytest.fixture
def plan(cards):
    def planned(asked, there=(ENDPOINT,)):
        return verify_plan.plan(asked, there, cards, JOBS)

    return planned


def test_the_request_is_specification_bs_step_6_1(plan):
    planned = plan(Asked("trainer"))
    assert {k: v for k, v in planned.given.items() if k != "job_id"} == {
        "dataset_url": "https://example.com/test.json",
        "hyperparameters": {
            "base_model": "Qwen/Qwen3-8B", "learning_rate": 0.0002, "batch_size": 4,
            "num_epochs": 1, "lora_rank": 16,
        },
        "gpu_config": {"gpu_type": "H100", "num_gpus": 1},
    }  # fmt: skip
    assert planned.policy == (600, 1500)
    assert not planned.has_data
    assert any("placeholder" in words for words in planned.proves)
    whole = plan(Asked("trainer", dataset_url="https://x.example.org/d"))
    assert whole.has_data
    assert all("placeholder" not in words for words in whole.proves)


def test_the_curl_command_holds_the_whole_request_and_no_key(plan):
    planned = plan(Asked("4m7x2k9q"))
    assert planned.curl.startswith('curl -X POST "https://api.runpod.ai/v2/4m7x2k9q/run"')
    assert "Bearer $RUNPOD_API_KEY" in planned.curl
    assert KEY not in planned.curl
    body = json.loads(re.search(r"-d '(.*)'", planned.curl, re.DOTALL)[1])
    assert body == {
        "input": planned.given,
        "policy": {"executionTimeout": 600_000, "ttl": 1_500_000},
    }


def test_a_quote_in_an_address_cannot_leave_the_command(plan):
    planned = plan(Asked("trainer", dataset_url="https://x/'; true #"))
    assert "'\\''; true" in planned.curl


def test_the_price_is_the_most_it_can_cost_and_the_budget_holds(plan):
    # (120 boot + 600 run + 30 cancel + 60 idle) s at 2.72 $/h
    assert plan(Asked("trainer")).most_usd == Decimal("0.62")
    with pytest.raises(SpecError) as caught:
        plan(Asked("trainer", budget=Decimal("0.5")))
    assert caught.value.code == "over_budget"
    assert "--budget 0.62" in (caught.value.hint or "")
    two = wire.Endpoint("e", "two", gpu=wire.EndpointGpu(("AMPERE_80",), 2))
    assert plan(Asked("two", budget=Decimal(2)), (two,)).most_usd == Decimal("1.14")


def test_a_price_that_nobody_says_is_no_price(plan):
    bare = wire.Endpoint("e", "bare", gpu=wire.EndpointGpu(("GONE",), 1))
    with pytest.raises(SpecError) as caught:
        plan(Asked("bare"), (bare,))
    assert caught.value.code == "price_unknown"


def test_an_endpoint_is_found_by_id_or_by_name(plan):
    with pytest.raises(NotFoundError, match="4m7x2k9q"):
        plan(Asked("nothing"))
    with pytest.raises(SpecError, match="2 endpoints"):
        plan(Asked("trainer"), (ENDPOINT, ENDPOINT))
    balanced = wire.Endpoint("e", "lb", "LOAD_BALANCER")
    with pytest.raises(SpecError, match="no queue"):
        plan(Asked("lb"), (balanced,))


def test_bad_options_are_refused(plan):
    with pytest.raises(SpecError):
        plan(Asked("trainer", base_model="a b"))
    with pytest.raises(SpecError):
        plan(Asked("trainer", run_s=700_000, budget=Decimal(10_000)))


def test_every_job_has_a_name_of_its_own(plan):
    given = plan(Asked("trainer")).given
    assert another(given)["job_id"] != given["job_id"]
    assert re.fullmatch(r"verify-[a-z0-9]{8}", str(given["job_id"]))


def test_a_signature_is_sent_and_not_shown(plan):
    address = "https://x.supabase.co/d.jsonl?token=planted0123456789"
    planned = plan(Asked("trainer", dataset_url=address))
    assert planned.given["dataset_url"] == address
    assert "planted" not in planned.curl
