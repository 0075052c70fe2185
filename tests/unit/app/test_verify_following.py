import pytest

from podtune.app import verify_plan
from podtune.app.verify_following import HOPELESS_S, Follower, Watch
from podtune.app.verify_plan import Asked
from podtune.providers.runpod import endpoints
from podtune.testing.faults import FaultKind, FaultRule
from support.serverless_site import HandWorker, Site, result, update

NAME = "podtune-lora-trainer"


def follower(site, **asked):
    site.deploy()
    said, checks = [], []
    planned = verify_plan.plan(
        Asked(NAME, **asked), endpoints.listed(site.client), endpoints.cards(site.client), "http://127.0.0.1"
    )  # fmt: skip
    watch = Watch(said.append, checks.append, site.pause, site.seconds)
    made = Follower(site.client, site.queue, planned, watch)
    return made, made.submit(planned.given, "accepted"), said, checks


def never(_):
    return False


def test_each_check_is_told_as_soon_as_it_is_decided():
    site = Site()
    made, job, _, checks = follower(site)
    assert job is not None
    assert [(check.name, check.ok) for check in checks] == [("accepted", True)]
    assert job.id in checks[0].detail
    made.check("x", False, "key rpa_PLANTEDSECRET0123456789 " + "y" * 900, "do this")
    assert "PLANTED" not in checks[1].detail
    assert len(checks[1].detail) <= 400
    assert checks[1].hint == "do this"


def test_a_job_is_watched_until_enough_is_seen():
    site = Site(worker=HandWorker(lambda job: [update(10), update(20), None]))
    made, job, said, _ = follower(site)
    seen = made.until(job, lambda one: one.has_output)
    assert seen is not None
    assert seen.is_running
    assert said[-1] == "IN_PROGRESS: 10 %"


def test_a_status_that_repeats_is_said_once():
    site = Site(worker=HandWorker(lambda job: [update(10)] * 6 + [{"output": result(job)}]))
    made, job, said, checks = follower(site)
    assert made.until(job, never) is not None
    assert said.count("IN_PROGRESS: 10 %") == 1
    assert checks[-1].detail == "1 updates seen, progress to 10 %"


def test_a_crash_loop_is_given_up_after_a_minute():
    site = Site()
    site.cloud.executor.poll = lambda _: 1
    made, job, said, checks = follower(site)
    assert made.until(job, never) is None
    assert "fail as they start" in checks[-1].detail
    assert HOPELESS_S <= site.seconds() < 3 * HOPELESS_S
    assert any("fail as they start" in text for text in said)


def test_a_job_that_runpod_deleted_is_told():
    site = Site()
    made, job, _, checks = follower(site)
    (endpoint_id,) = site.cloud.account.endpoints
    site.ask("GET", f"/ai/v2/{endpoint_id}/status/{job.id}?ttl=1")
    site.pause(1)
    assert made.until(job, never) is None
    assert "does not know the job" in checks[-1].detail


def test_a_job_that_cannot_be_cancelled_is_told():
    site = Site(FaultRule(kind=FaultKind.BEFORE_EFFECT, route="serverless_cancel"))
    made, job, said, _ = follower(site)
    made.release(job)
    assert "could not be cancelled" in said[-1]
    made.release(None)


@pytest.mark.parametrize("kind", [FaultKind.BEFORE_EFFECT])
def test_without_a_look_at_the_workers_the_queue_is_waited_out(kind):
    site = Site(FaultRule(kind=kind, route="list_workers"))
    made, job, _, checks = follower(site, queue_s=30)
    assert made.until(job, never) is None
    assert "cannot be looked at" in checks[-1].detail
