from decimal import Decimal

import httpx2
import pytest

from podtune.core.errors import UnavailableError
from podtune.providers.runpod.audit import Kind, inventory
from support.runpod_account import Account, client, pod, problem

EMPTY = {
    "GET /v2/network-volumes": {"networkVolumes": []},
    "GET /v2/serverless": {"endpoints": []},
    "GET /v2/templates": {"templates": []},
}


def account(*pods, **lists):
    made = Account(*pods)
    for call, body in {**EMPTY, **lists}.items():
        made.answer(call, body if isinstance(body, httpx2.Response) else httpx2.Response(200, json=body))  # fmt: skip
    return made


def test_all_four_kinds_are_found_by_their_names():
    made = account(
        pod("p1", "pt-abc-job-2-x1800000000"),
        pod("p2", "somebody-elses"),
        pod("p3", "pt-abc-job-1-x1800000000", "TERMINATED"),
        **{
            "GET /v2/network-volumes": {"networkVolumes": [
                {"id": "v1", "name": "pt-abc-job-1", "size": 100, "dataCenter": "EU-RO-1"}, {"id": "v2", "name": "data"}]},
            "GET /v2/serverless": {"endpoints": [
                {"id": "e1", "name": "pt-abc-serverless", "workers": {"min": 0, "max": 3}}, {"id": "e2"}]},
            "GET /v2/templates": {"templates": [{"id": "t1", "name": "pt-abc-job-1"}, {"id": "t2", "name": "t"}]},
        },
    )  # fmt: skip
    seen = inventory(client(made))
    assert [(f.kind, f.id) for f in seen.found] == [
        (Kind.POD, "p1"),
        (Kind.VOLUME, "v1"),
        (Kind.ENDPOINT, "e1"),
        (Kind.TEMPLATE, "t1"),
    ]
    first, volume, endpoint, _ = seen.found
    assert (first.owner, first.job, first.attempt, first.usd_per_hour) == ("abc", "job", 2, Decimal("0.4"))  # fmt: skip
    assert first.deadline is not None
    assert volume.usd_per_hour == Decimal("0.009723")
    assert (endpoint.owner, endpoint.status) == (None, "0-3 workers")
    assert seen.problems == ()


def test_what_was_deployed_under_a_name_of_its_own_is_found_by_its_maker():
    env = {"PODTUNE_OWNER": "abc", "SECRET": "planted"}
    made = account(
        **{
            "GET /v2/serverless": {"endpoints": [{"id": "e1", "name": "trainer", "env": env}]},
            "GET /v2/templates": {"templates": [{"id": "t1", "name": "trainer", "env": env}, {"id": "t2", "env": {}}]},
        }
    )  # fmt: skip
    seen = inventory(client(made))
    assert [(f.kind, f.id, f.owner) for f in seen.found] == [
        (Kind.ENDPOINT, "e1", "abc"),
        (Kind.TEMPLATE, "t1", "abc"),
    ]
    assert "planted" not in seen.model_dump_json()


def test_a_key_that_may_see_pods_only_still_shows_the_pods():
    made = account(
        pod("p1", "pt-abc-job-2-x1"), **{"GET /v2/serverless": problem(403, "access denied")}
    )
    seen = inventory(client(made))
    assert len(seen.found) == 1
    assert len(seen.problems) == 1
    assert "endpoints were not looked at" in seen.problems[0]


def test_without_the_pods_there_is_no_audit():
    made = account()
    made.answer("GET /v2/pods", *[problem(503)] * 4)
    with pytest.raises(UnavailableError):
        inventory(client(made))
