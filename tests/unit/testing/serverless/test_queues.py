from datetime import timedelta

from podtune.testing.clock import START
from podtune.testing.serverless.queues import refusal
from support.serverless import ServerlessDesk, endpoint

DAY = 86_400


def test_an_endpoint_idle_for_a_week_keeps_its_jobs_waiting_for_ever():
    desk = ServerlessDesk(endpoint(workers_max=5))
    desk.advance(3 * DAY - 1)
    assert desk.host.endpoint("ep1").workers_max == 5
    desk.advance(1)
    assert desk.host.endpoint("ep1").workers_max == 2
    desk.advance(4 * DAY)
    assert desk.host.endpoint("ep1").workers_max == 0
    job_id = desk.run(policy={"ttl": 7 * DAY * 1000})
    desk.advance(2 * DAY)
    assert desk.status(job_id)["status"] == "IN_QUEUE"
    assert desk.get("ep1/health").json()["workers"]["initializing"] == 0


def test_a_cap_is_not_put_on_again_until_the_endpoint_was_used():
    desk = ServerlessDesk(endpoint(workers_max=5))
    desk.advance(3 * DAY)
    desk.host.change("ep1", workers_max=5)
    desk.advance(DAY)
    assert desk.host.endpoint("ep1").workers_max == 5
    desk.run()
    desk.advance(3 * DAY)
    assert desk.host.endpoint("ep1").workers_max == 2


def test_a_small_endpoint_is_not_raised_by_the_cap():
    desk = ServerlessDesk(endpoint(workers_max=1))
    desk.advance(3 * DAY)
    assert desk.host.endpoint("ep1").workers_max == 1


def test_a_deleted_endpoint_takes_its_workers_with_it():
    desk = ServerlessDesk(endpoint(workers_max=1))
    job_id = desk.run(webhook="http://127.0.0.1:9/done")
    desk.advance(3)
    (event,) = desk.host.executor.events
    del desk.host.endpoints["ep1"]
    desk.advance(0)
    assert desk.host.executor.events[-1] == ("remove", event[1])
    assert [(body["id"], body["status"]) for _, _, body in desk.posted] == [(job_id, "CANCELLED")]
    assert desk.get(f"ep1/status/{job_id}").status == 404


def test_endpoints_do_not_share_anything():
    desk = ServerlessDesk(endpoint("ep1", workers_max=1), endpoint("ep2", workers_max=1))
    job_id = desk.run(endpoint_id="ep1")
    assert desk.get(f"ep2/status/{job_id}").status == 404
    assert desk.settle(desk.take(endpoint_id="ep2"), 0) is None


def test_when_time_matters_next():
    desk = ServerlessDesk(endpoint(workers_max=1))
    assert desk.serverless.next_event() is None
    desk.run()
    assert desk.serverless.next_event() == START + timedelta(seconds=3)


def test_an_error_is_no_problem_document():
    answer = refusal(400, "no")
    assert answer.json() == {"error": "no"}
    assert answer.headers["content-type"] == "application/json"
