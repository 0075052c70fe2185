from decimal import Decimal

import pytest

from podtune.app import undeploy
from podtune.app.deploy import Here
from podtune.core.errors import ConflictError, UnavailableError
from podtune.providers.runpod.queue import Policy
from podtune.testing.faults import FaultKind, FaultRule
from support.serverless_site import OWNER, Site

NAME = "podtune-lora-trainer"


def find(site, name=NAME):
    return undeploy.find(site.client, site.queue, name, OWNER)


def end(site):
    return undeploy.end(site.client, find(site), pause=site.pause)


def test_workers_endpoint_and_template_end_in_this_order_and_the_volume_stays():
    site = Site()
    volume = site.volume()
    made = site.deploy(volume=volume)
    site.requests.clear()
    done = end(site)
    endpoint = f"/v2/serverless/{made.endpoint_id}"
    assert site.writes == [f"PATCH {endpoint}", f"DELETE {endpoint}", f"DELETE /v2/templates/{made.template_id}"]  # fmt: skip
    assert site.sent(f"PATCH {endpoint}") == [{"workers": {"min": 0, "max": 0}}]
    assert (site.endpoints(), site.templates()) == ([], [])
    (kept,) = done.volumes
    assert (kept.id, kept.usd_per_month) == (volume, Decimal("14.00"))
    assert volume in site.cloud.account.volumes


def test_nothing_there_is_success_and_sends_nothing():
    site = Site()
    assert find(site).is_nothing
    assert end(site).endpoints == ()
    assert site.writes == []


def test_what_is_not_ours_is_left_alone():
    site = Site()
    site.deploy(Here(owner="k2m9q4tx"))
    site.requests.clear()
    with pytest.raises(ConflictError, match="k2m9q4tx") as caught:
        find(site)
    assert "left alone" in (caught.value.hint or "")
    assert site.writes == []


def test_another_name_is_not_touched():
    site = Site()
    site.deploy()
    site.deploy(name="brightrun-lora-trainer")
    end(site)
    assert [e["name"] for e in site.endpoints()] == ["brightrun-lora-trainer"]


def test_jobs_that_would_be_cancelled_are_counted():
    site = Site()
    made = site.deploy()
    site.queue.run(made.endpoint_id, {"x": 1}, Policy(60, 600))
    counts = find(site).jobs
    assert counts is not None
    assert counts.in_queue == 1


def test_a_delete_that_does_nothing_is_not_believed():
    site = Site(FaultRule(kind=FaultKind.NO_EFFECT, route="delete_endpoint"))
    site.deploy()
    with pytest.raises(UnavailableError) as caught:
        end(site)
    assert caught.value.code == "still_there"
    assert len(site.templates()) == 1


def test_a_delete_that_was_not_answered_is_asked_again():
    site = Site(FaultRule(kind=FaultKind.AFTER_EFFECT, route="delete_endpoint", nth=(1,)))
    site.deploy()
    assert len(end(site).endpoints) == 1
    assert site.endpoints() == []


def test_what_somebody_deleted_meanwhile_is_gone():
    site = Site()
    made = site.deploy()
    found = find(site)
    site.ask("DELETE", f"/v2/serverless/{made.endpoint_id}")
    site.ask("DELETE", f"/v2/templates/{made.template_id}")
    assert undeploy.end(site.client, found, pause=site.pause).endpoints == (made.endpoint_id,)


def test_without_the_job_api_nothing_is_said_of_jobs():
    site = Site(FaultRule(kind=FaultKind.BEFORE_EFFECT, route="serverless_health"))
    site.deploy()
    assert find(site).jobs is None
