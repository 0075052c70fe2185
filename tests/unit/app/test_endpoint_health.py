from podtune.app import endpoint_health
from podtune.providers.runpod import endpoints
from podtune.providers.runpod.endpoints import Wait
from podtune.testing.faults import FaultKind, FaultRule
from support.serverless_site import Site


def looped(*faults):
    """An endpoint whose container ends at each start."""
    site = Site(*faults)
    site.deploy()
    site.cloud.executor.poll = lambda _: 1
    said = ["no key hf_PLANTED0123456789 " + "y" * 400]
    site.cloud.executor.lines = lambda _: [said.pop()] if said else []
    (endpoint,) = endpoints.listed(site.client)
    site.ask("POST", f"/ai/v2/{endpoint.id}/run", {"input": {"a": 1}})
    for _ in range(20):
        site.pause(10)
    return site, endpoint


def test_workers_that_fail_are_told_with_their_masked_last_lines():
    site, endpoint = looped()
    found = endpoint_health.failing(site.client, endpoint, clock=site.seconds)
    assert found.diagnosis.wait is Wait.CRASH_LOOP
    assert found.lines
    assert all("no key ***" in line and "PLANTED" not in line for line in found.lines)
    assert all(len(line) < 230 for line in found.lines)


def test_an_endpoint_that_is_well_is_not_told():
    site = Site()
    site.deploy()
    (endpoint,) = endpoints.listed(site.client)
    assert endpoint_health.failing(site.client, endpoint, clock=site.seconds) is None
    assert endpoint_health.look(site.client, endpoint, clock=site.seconds) is None
    assert endpoint_health.failing(site.client, None) is None


def test_one_without_workers_is_deploys_own_matter():
    site = Site()
    site.deploy()
    (endpoint,) = endpoints.listed(site.client)
    site.ask("PATCH", f"/v2/serverless/{endpoint.id}", {"workers": {"max": 0}})
    (endpoint,) = endpoints.listed(site.client)
    assert endpoint_health.look(site.client, endpoint).diagnosis.wait is Wait.SWITCHED_OFF
    assert endpoint_health.failing(site.client, endpoint) is None


def test_what_cannot_be_asked_stops_nothing():
    site, endpoint = looped(FaultRule(kind=FaultKind.BEFORE_EFFECT, route="list_workers"))
    assert endpoint_health.failing(site.client, endpoint, clock=site.seconds) is None


def test_signs_that_move_a_cursor_are_not_shown():
    assert endpoint_health.shown("\x1b[2Ja\tb\r\n") == "[2Ja b"
