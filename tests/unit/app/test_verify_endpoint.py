import pytest

from podtune.app import verify_plan
from podtune.app.verify_endpoint import verify
from podtune.app.verify_following import Watch
from podtune.app.verify_plan import Asked
from podtune.core.errors import UnavailableError
from podtune.providers.runpod import endpoints
from podtune.testing.faults import FaultKind, FaultRule
from support.serverless_site import HandWorker, Site, result, update

NAME = "podtune-lora-trainer"
DATA = "https://data.example.org/rows.jsonl"


def trains(job):
    return [update(10), update(10), update(50), {"output": result(job)}]


def run(site, said=None, **asked):
    site.deploy()
    planned = verify_plan.plan(
        Asked(NAME, **{"dataset_url": DATA, **asked}),
        endpoints.listed(site.client), endpoints.cards(site.client), site.client.access.jobs_url,
    )  # fmt: skip
    said = said if said is not None else []
    watch = Watch(tell=said.append, pause=site.pause, clock=site.seconds)
    return verify(site.client, site.queue, planned, watch)


def told(found):
    return {check.name: check.ok for check in found.checks}


def open_jobs(site):
    (endpoint_id,) = site.cloud.account.endpoints
    health = site.queue.health(endpoint_id)
    return health.jobs.in_queue + health.jobs.in_progress


def test_an_endpoint_that_trains_passes_every_check():
    worker = HandWorker(trains)
    said = []
    site = Site(worker=worker)
    found = run(site, said)
    assert found.ok, found
    assert list(told(found)) == [
        "accepted: {id, status: IN_QUEUE}", "status form", "completed", "result form",
        "second job accepted", "cancelled", "cancel heard",
    ]  # fmt: skip
    assert "IN_PROGRESS: 50 %" in said
    assert any(text.startswith("IN_QUEUE: ") for text in said)
    site.pause(1)
    assert len(worker.stopped) == 1
    assert open_jobs(site) == 0


def test_limits_are_sent_with_every_job():
    site = Site(worker=HandWorker(trains))
    run(site)
    (endpoint_id,) = site.cloud.account.endpoints
    bodies = site.sent(f"POST /ai/v2/{endpoint_id}/run")
    assert len(bodies) == 2
    assert all(b["policy"] == {"executionTimeout": 600_000, "ttl": 1_500_000} for b in bodies)
    assert bodies[0]["input"]["job_id"] != bodies[1]["input"]["job_id"]


def failed(found, name):
    (check,) = [check for check in found.checks if check.name == name]
    assert not check.ok
    assert not found.ok
    return check


def test_a_status_in_another_form_fails():
    def script(job):
        return [update(30), update(20), {"step": 5}, {"output": result(job)}]

    check = failed(run(Site(worker=HandWorker(script))), "status form")
    assert "progress fell from 30 to 20" in check.detail
    assert "status is missing" in check.detail


def test_completed_without_an_output_is_a_failure():
    check = failed(run(Site(worker=HandWorker(lambda _: [update(5), {}]))), "completed")
    assert "without an output" in check.detail


def test_a_result_nested_twice_fails():
    def script(job):
        return [{"output": {"output": result(job)}}]

    assert "nested" in failed(run(Site(worker=HandWorker(script))), "result form").detail


def test_a_typed_failure_is_told_with_its_advice():
    def script(_):
        output = update(
            5, status="failed", error_code="download_failed", error_message="404 of the data",
            advice="check the address",
        )  # fmt: skip
        return [{"output": output, "error": "download_failed"}]

    check = failed(run(Site(worker=HandWorker(script))), "completed")
    assert (check.detail, check.hint) == (
        "FAILED: download_failed: 404 of the data",
        "check the address",
    )


def test_a_job_that_does_not_end_is_timed_out():
    site = Site(worker=HandWorker(lambda _: [update(1), None]))
    found = run(site, run_s=60)
    assert "TIMED_OUT" in failed(found, "completed").detail
    assert open_jobs(site) == 0


def test_no_capacity_is_told_and_the_job_is_taken_back():
    site = Site(FaultRule(kind=FaultKind.CAPACITY_DROUGHT))
    said = []
    found = run(site, said, queue_s=120)
    check = failed(found, "taken by a worker")
    assert "no card of the endpoint's pools is free" in check.detail
    assert "--gpu" in check.hint
    assert open_jobs(site) == 0


def test_a_crash_loop_is_told_apart_and_not_waited_out():
    site = Site()
    site.cloud.executor.poll = lambda _: 1
    found = run(site, queue_s=900)
    check = failed(found, "taken by a worker")
    assert "fail as they start" in check.detail
    assert site.seconds() < 400
    assert open_jobs(site) == 0


def test_an_endpoint_without_workers_is_not_sent_a_job():
    site = Site()
    site.deploy()
    (endpoint_id,) = site.cloud.account.endpoints
    site.ask("PATCH", f"/v2/serverless/{endpoint_id}", {"workers": {"max": 0}})
    planned = verify_plan.plan(
        Asked(NAME), endpoints.listed(site.client), endpoints.cards(site.client), "http://127.0.0.1"
    )
    found = verify(site.client, site.queue, planned, Watch(lambda _: None, pause=site.pause))
    assert "7 days" in failed(found, "may have workers").detail
    assert found.job_id is None


def test_a_container_that_fails_shows_its_own_last_words():
    site = Site()
    site.cloud.executor.poll = lambda _: 1
    said = [
        "Traceback (most recent call last):",
        "\x1b[31mno module named runpod, key rpa_PLANTED0123456789",
    ]
    site.cloud.executor.lines = lambda _: [said.pop(0)] if said else []
    check = failed(run(site, queue_s=900), "taken by a worker")
    assert any(line.endswith("Traceback (most recent call last):") for line in check.lines)
    assert any("no module named runpod, key ***" in line for line in check.lines)
    assert "PLANTED" not in " ".join(check.lines)
    assert "\x1b" not in " ".join(check.lines)


def test_a_handler_that_is_not_ours_is_not_waited_for():
    site = Site(worker=HandWorker(lambda _: [{"step": n} for n in range(1000)]))
    found = run(site, first_status_s=20)
    check = failed(found, "status form")
    assert "in another form" in check.detail
    assert "podtune runpod image" in check.hint
    assert site.seconds() < 60
    assert open_jobs(site) == 0
    site = Site(worker=HandWorker(lambda _: [None]))
    assert "no update" in failed(run(site, first_status_s=20), "status form").detail
    assert site.seconds() < 60
    assert open_jobs(site) == 0


def refusing(**changes):
    def script(_):
        output = (
            update(0, status="failed", error_code="url_not_found", error_message="404") | changes
        )
        return [{"output": output, "error": "url_not_found: 404"}]

    return Site(worker=HandWorker(script))


def test_the_placeholder_is_answered_by_a_typed_refusal():
    site = refusing()
    found = run(site, dataset_url=verify_plan.DATASET_URL)
    assert found.ok, found
    assert list(told(found)) == ["accepted: {id, status: IN_QUEUE}", "answered by the worker"]
    assert "as it should" in found.checks[-1].detail
    assert open_jobs(site) == 0


def test_another_failure_or_form_is_none():
    other = run(refusing(error_code="worker_lost"), dataset_url=verify_plan.DATASET_URL)
    assert "worker_lost" in failed(other, "completed").detail
    odd = run(refusing(progress="much"), dataset_url=verify_plan.DATASET_URL)
    assert "progress" in failed(odd, "answered by the worker").detail
    assert "url_not_found" in failed(run(refusing()), "completed").detail


def test_a_job_too_quick_to_cancel_is_said():
    first = []

    def script(job):
        first.append(job)
        return trains(job) if len(first) == 1 else [{"output": result(job)}]

    check = failed(run(Site(worker=HandWorker(script))), "cancelled")
    assert "COMPLETED before" in check.detail


def test_a_worker_that_does_not_hear_the_cancel_is_told():
    calls = []

    def script(job):
        calls.append(job)
        return trains(job) if len(calls) == 1 else [None]

    worker = HandWorker(script)
    worker.hears = False
    check = failed(run(Site(worker=worker)), "cancel heard")
    assert "still busy after 30 s" in check.detail


def test_whatever_breaks_the_watching_takes_the_job_back():
    site = Site(worker=HandWorker(lambda _: [update(1), None]))
    site.deploy()

    def interrupted(seconds):
        site.pause(seconds)
        if site.seconds() > 20:
            raise KeyboardInterrupt

    planned = verify_plan.plan(
        Asked(NAME), endpoints.listed(site.client), endpoints.cards(site.client), "http://127.0.0.1"
    )
    with pytest.raises(KeyboardInterrupt):
        verify(site.client, site.queue, planned, Watch(lambda _: None, pause=interrupted, clock=site.seconds))  # fmt: skip
    assert open_jobs(site) == 0


def test_a_queue_that_does_not_answer_is_an_error_and_the_job_is_asked_to_end():
    site = Site(FaultRule(kind=FaultKind.BEFORE_EFFECT, route="serverless_status"))
    with pytest.raises(UnavailableError):
        run(site)
    assert any(call.startswith("POST /ai/v2/") and "/cancel/" in call for call in site.writes)


def test_a_lost_answer_to_run_is_told_and_not_sent_again():
    site = Site(FaultRule(kind=FaultKind.RESET, route="serverless_run", nth=(1,)))
    found = run(site)
    check = failed(found, "accepted: {id, status: IN_QUEUE}")
    assert "the job may run all the same" in check.detail
    assert sum(call.endswith("/run") for call in site.writes) == 1
