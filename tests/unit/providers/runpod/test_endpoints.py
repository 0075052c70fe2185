import httpx2
import pytest

from podtune.core.errors import CredentialsError, NoCapacityError, NotFoundError, SpecError
from podtune.providers.runpod import endpoints
from podtune.providers.runpod import serverless_wire as wire
from podtune.providers.runpod.endpoints import Wait, diagnose
from support.runpod_account import Account, client, problem
from support.serverless_site import Site

BODY = wire.EndpointBody(
    name="n", type="QUEUE", template_id="t", gpu=wire.Pools(pools=("AMPERE_80",))
)
TWO = wire.Endpoint("e", workers=wire.EndpointWorkers(0, 2, 60))


def account(call, *answers):
    seen = Account()
    seen.answer(call, *answers)
    return seen


def test_an_endpoint_is_made_listed_changed_and_deleted():
    site = Site()
    made = site.deploy()
    (listed,) = endpoints.listed(site.client)
    assert (listed.id, listed.name) == (made.endpoint_id, "podtune-lora-trainer")
    body = wire.EndpointBody(workers=wire.WorkerLimits(max=5))
    changed = endpoints.change(site.client, made.endpoint_id, body)
    assert changed.workers == wire.EndpointWorkers(0, 5, 60)
    assert endpoints.workers(site.client, made.endpoint_id).total == 0
    endpoints.delete(site.client, made.endpoint_id)
    endpoints.delete(site.client, made.endpoint_id)
    assert endpoints.listed(site.client) == []


def test_lists_are_read_to_their_end():
    site = Site(page_size=2)
    for number in range(5):
        site.deploy(name=f"e{number}")
    assert len(endpoints.listed(site.client)) == 5


@pytest.mark.parametrize("bad", ["", "a/b", "../pods", "a" * 65, "e?x=1"])
def test_nothing_odd_gets_into_an_address(bad):
    seen = Account()
    with pytest.raises(NotFoundError):
        endpoints.workers(client(seen), bad)
    assert seen.requests == []


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (400, SpecError, "runpod_rule"),
        (422, SpecError, "runpod_rule"),
        (403, CredentialsError, "key_scope"),
    ],
)
def test_a_refusal_is_no_lack_of_machines(status, error, code):
    seen = account("POST /v2/serverless", problem(status, "because"))
    with pytest.raises(error, match="because") as caught:
        endpoints.create(client(seen), BODY)
    assert not isinstance(caught.value, NoCapacityError)
    assert (caught.value.code, caught.value.context["status"]) == (code, status)


def test_a_change_of_what_is_gone_says_so():
    seen = account("PATCH /v2/serverless/e1", problem(404, "endpoint not found"))
    with pytest.raises(NotFoundError):
        endpoints.change(client(seen), "e1", wire.EndpointBody(timeout=5000))


def test_workers_of_an_answer_without_a_summary_are_none():
    seen = account("GET /v2/serverless/e1/workers", httpx2.Response(200, json={"workers": []}))
    assert endpoints.workers(client(seen), "e1").total == 0


@pytest.mark.parametrize(
    ("seen", "wait"),
    [
        (wire.WorkerSummary(), Wait.NOT_YET),
        (wire.WorkerSummary(throttled=1, total=1), Wait.NO_CAPACITY),
        (wire.WorkerSummary(unhealthy=1, throttled=1, total=2), Wait.CRASH_LOOP),
        (wire.WorkerSummary(initializing=1, throttled=1, total=2), Wait.STARTING),
        (wire.WorkerSummary(running=2, total=2), Wait.BUSY),
        (wire.WorkerSummary(running=1, unhealthy=1, total=2), Wait.BUSY),
        (wire.WorkerSummary(idle=1, total=1), Wait.NOT_YET),
    ],
)
def test_why_a_job_waits(seen, wait):
    found = diagnose(TWO, seen)
    assert found.wait is wait
    assert found.words
    assert found.is_hopeless == (wait is Wait.CRASH_LOOP)
    assert wait is not Wait.CRASH_LOOP or wait.value == "crash_loop"


def test_an_endpoint_that_was_switched_off_says_what_to_do():
    off = wire.Endpoint("e", workers=wire.EndpointWorkers(0, 0, 60))
    found = diagnose(off, wire.WorkerSummary())
    assert found.wait is Wait.SWITCHED_OFF
    assert found.wait.value == "workers_max_0"
    assert found.is_hopeless
    assert "podtune runpod deploy" in found.hint


def test_cards_carry_pool_price_and_stock():
    cards = {card.name: card for card in endpoints.cards(Site().client)}
    assert cards["A100 SXM"].pool == "AMPERE_80"
    assert cards["MI300X"].pool is None
    assert str(cards["H100 SXM"].price.serverless) == "4.18"
