"""Workers come, go and crash by the clock; no process runs here."""

import pytest

from podtune.testing.serverless.endpoint import IDLE_CAPS
from podtune.testing.serverless.worker import WorkerState
from support.serverless import ServerlessDesk, endpoint


def desk_of(**values):
    given = {"workers_max": 3, "idle_timeout_s": 10, **values}
    return ServerlessDesk(endpoint(**given))


def fleet(desk):
    return desk.serverless.line(desk.host.endpoint("ep1")).fleet


def states(desk):
    it = fleet(desk)
    return [it.state(worker).value for worker in it.workers.values()]


def started(desk):
    return [pod for event, pod in desk.host.executor.events if event == "start"]


def test_no_worker_without_a_job():
    desk = desk_of()
    desk.advance(3600)
    assert states(desk) == []


def test_a_job_brings_a_worker_after_its_boot():
    desk = desk_of()
    job_id = desk.run()
    assert states(desk) == ["INITIALIZING"]
    assert started(desk) == []
    desk.advance(3)
    (worker,) = started(desk)
    assert states(desk) == ["INITIALIZING"]
    assert desk.take(worker).json()["id"] == job_id
    assert states(desk) == ["RUNNING"]
    desk.done(job_id, {"output": 1}, worker)
    assert states(desk) == ["IDLE"]


def test_min_workers_are_there_without_a_job():
    desk = desk_of(workers_min=2)
    desk.advance(0)
    assert states(desk) == ["INITIALIZING"] * 2
    desk.advance(3)
    for worker in started(desk):
        desk.take(worker)
    desk.advance(3600)
    assert states(desk) == ["IDLE"] * 2


def test_a_low_priority_job_starts_no_worker():
    desk = desk_of()
    job_id = desk.run(policy={"lowPriority": True})
    desk.advance(600)
    assert states(desk) == []
    assert desk.status(job_id)["status"] == "IN_QUEUE"


def test_a_further_worker_comes_when_jobs_wait_longer_than_the_delay():
    desk = desk_of(queue_delay_s=4)
    jobs = [desk.run() for _ in range(4)]
    desk.advance(3)
    (first,) = started(desk)
    assert desk.take(first).json()["id"] == jobs[0]
    desk.advance(1)
    assert len(states(desk)) == 1
    desk.advance(1)
    assert len(states(desk)) == 2
    desk.advance(4)
    assert len(states(desk)) == 2
    desk.advance(1)
    assert len(states(desk)) == 3
    desk.advance(60)
    assert len(states(desk)) == 3  # workers.max


@pytest.mark.parametrize(("jobs", "workers"), [(1, 1), (2, 1), (3, 2), (9, 3)])
def test_scaling_by_request_count(jobs, workers):
    desk = desk_of(queue_delay_s=None, request_count=2)
    for _ in range(jobs):
        desk.run()
    assert len(states(desk)) == workers


def test_an_idle_worker_leaves():
    desk = desk_of()
    job_id = desk.run()
    desk.advance(3)
    (worker,) = started(desk)
    held = desk.take(worker)
    desk.done(job_id, {"output": 1}, worker)
    held = desk.take(worker)
    assert held.later is not None
    desk.advance(9.5)
    assert states(desk) == ["IDLE"]
    desk.advance(1)
    assert ("stop", worker) in desk.host.executor.events
    assert held.later().status == 204  # so that the SDK hears its SIGTERM
    desk.advance(0.1)
    assert states(desk) == []
    assert ("remove", worker) in desk.host.executor.events


def test_a_busy_worker_stays():
    desk = desk_of()
    job_id = desk.run()
    desk.advance(3)
    (worker,) = started(desk)
    desk.take(worker)
    for _ in range(20):
        desk.advance(10)
        desk.ping(worker, job_id=job_id)
    assert states(desk) == ["RUNNING"]


def test_a_crashed_worker_is_unhealthy_and_starts_again_later_and_later():
    desk = desk_of()
    job_id = desk.run()
    desk.advance(3)
    (worker,) = started(desk)
    pauses = []
    for _ in range(3):
        desk.host.executor.codes[worker] = 1
        desk.advance(0.1)
        assert states(desk) == ["UNHEALTHY"]
        before = len(started(desk))
        pause = 0
        while len(started(desk)) == before:
            desk.advance(1)
            pause += 1
        pauses.append(pause)
    assert pauses == [1, 2, 4]
    assert states(desk) == ["UNHEALTHY"]
    assert desk.take(worker).json()["id"] == job_id
    assert states(desk) == ["RUNNING"]


def test_a_worker_that_ended_well_starts_again_healthy():
    desk = desk_of()
    desk.run()
    desk.advance(3)
    (worker,) = started(desk)
    desk.host.executor.codes[worker] = 0
    desk.advance(0.1)
    assert states(desk) == ["INITIALIZING"]
    desk.advance(1)
    assert started(desk) == [worker, worker]


def test_a_killed_workers_job_is_given_out_once_more():
    desk = desk_of()
    job_id = desk.run()
    desk.advance(3)
    (worker,) = started(desk)
    desk.take(worker)
    desk.host.executor.codes[worker] = 137
    desk.advance(2)
    assert desk.status(job_id)["status"] == "IN_PROGRESS"  # nobody has missed it yet
    assert desk.settle(desk.take(worker), 60).status == 204
    assert desk.settle(desk.take(worker), 60).json()["id"] == job_id
    assert desk.status(job_id)["retries"] == 1


def test_a_worker_that_does_not_let_go_of_a_stopped_job_is_started_anew():
    desk = desk_of(idle_timeout_s=3600)
    job_id = desk.run(policy={"executionTimeout": 5000})
    desk.advance(3)
    (worker,) = started(desk)
    desk.take(worker)
    desk.advance(5)
    assert desk.status(job_id)["status"] == "TIMED_OUT"
    assert states(desk) == ["RUNNING"]
    desk.ping(worker, job_id=job_id)  # a plain `def` handler: it goes on
    desk.advance(30)
    desk.advance(1)
    assert started(desk) == [worker, worker]


@pytest.mark.parametrize("word", ["ping", "take", "done"])
def test_a_worker_that_let_go_of_a_stopped_job_stays(word):
    desk = desk_of(idle_timeout_s=3600)
    job_id = desk.run()
    desk.advance(3)
    (worker,) = started(desk)
    desk.take(worker)
    desk.post(f"ep1/cancel/{job_id}")
    if word == "ping":
        desk.ping(worker)
    elif word == "take":
        desk.take(worker)
    else:
        desk.done(job_id, {"output": 1}, worker)
    assert states(desk) == ["IDLE"]
    desk.advance(120)
    assert started(desk) == [worker]


def test_a_refreshed_worker_starts_anew_after_its_job():
    desk = desk_of()
    job_id = desk.run()
    desk.advance(3)
    (worker,) = started(desk)
    desk.take(worker)
    desk.done(job_id, {"output": 1, "stopPod": True}, worker)
    assert states(desk) == ["INITIALIZING"]
    desk.advance(1)
    assert desk.host.executor.events == [("start", worker), ("stop", worker), ("start", worker)]


def test_the_sdks_own_checks_make_a_worker_unhealthy():
    desk = desk_of()
    desk.run()
    desk.advance(3)
    (worker,) = started(desk)
    desk.ping(worker, status="unhealthy", check="disk", reason="4 % free")
    assert states(desk) == ["UNHEALTHY"]


def test_an_image_that_cannot_be_pulled_keeps_a_worker_initialising():
    desk = desk_of(image="nobody/nothing:1")
    desk.host.executor.unpullable.add("nobody/nothing:1")
    desk.run()
    desk.advance(3600)
    assert states(desk) == ["INITIALIZING"]
    assert started(desk) == []
    (worker,) = fleet(desk).workers.values()
    assert any("no such image" in line.text for line in worker.log.last(10))


def test_without_a_machine_a_worker_is_throttled():
    desk = desk_of(has_capacity=False)
    desk.run()
    desk.advance(60)
    assert states(desk) == ["THROTTLED"]
    desk.host.change("ep1", has_capacity=True)
    desk.advance(1)
    assert states(desk) == ["INITIALIZING"]
    assert len(started(desk)) == 1


def test_a_changed_endpoint_replaces_idle_workers():
    desk = desk_of(workers_min=1, idle_timeout_s=3600)
    desk.advance(0)
    desk.advance(3)
    (worker,) = started(desk)
    desk.take(worker)
    desk.host.change("ep1", version=2, image="podtune/worker:2")
    desk.advance(1)
    assert ("stop", worker) in desk.host.executor.events
    desk.advance(5)
    assert started(desk)[1:] == list(fleet(desk).workers)
    assert desk.host.executor.specs[started(desk)[1]].image == "podtune/worker:2"


def test_fewer_workers_when_the_endpoint_allows_fewer():
    desk = desk_of(workers_min=3, idle_timeout_s=3600)
    desk.advance(0)
    desk.advance(3)
    for worker in started(desk):
        desk.take(worker)
    desk.host.change("ep1", workers_min=0, workers_max=1)
    desk.advance(1)
    desk.advance(1)
    assert states(desk) == ["IDLE"]
    desk.host.change("ep1", workers_max=0)
    desk.advance(1)
    desk.advance(1)
    assert states(desk) == []


def test_workers_of_others_join_and_are_forgotten():
    desk = desk_of(workers_max=1)
    desk.take("by-hand")
    assert states(desk) == ["IDLE"]
    desk.advance(90)
    assert states(desk) == ["IDLE"]
    desk.advance(1)
    assert states(desk) == []
    assert desk.host.executor.events == []


def test_a_container_gets_the_endpoints_settings():
    desk = desk_of(
        args="python -u handler.py",
        env={"MODEL": "x", "RUNPOD_POD_ID": "not yours"},
        volume_id="vol-1",
        gpu_id="NVIDIA A40",
        gpu_count=1,
        disk_gb=7,
    )
    desk.run()
    desk.advance(3)
    (spec,) = desk.host.executor.specs.values()
    assert (spec.args, spec.disk_gb, spec.gpu_id) == ("python -u handler.py", 7, "NVIDIA A40")
    assert spec.env["MODEL"] == "x"
    assert spec.env["RUNPOD_POD_ID"] == spec.pod_id
    assert (spec.mount.path, spec.mount.key, spec.mount.is_network) == (
        "/runpod-volume",
        "vol-1",
        True,
    )


def test_output_of_a_container_goes_to_the_workers_log():
    desk = desk_of()
    desk.run()
    desk.advance(3)
    (worker,) = started(desk)
    desk.host.executor.printed[worker] = ["hello"]
    desk.advance(1)
    log = fleet(desk).workers[worker].log
    assert [line.text for line in log.last(10, ["container"])] == ["hello"]


def test_closing_removes_every_container():
    desk = desk_of(workers_min=2)
    desk.advance(0)
    desk.advance(3)
    desk.serverless.close()
    assert sorted(p for e, p in desk.host.executor.events if e == "remove") == sorted(started(desk))
    assert states(desk) == []


def test_states_are_those_of_the_rest_api():
    assert {state.value for state in WorkerState} == {
        "RUNNING",
        "IDLE",
        "INITIALIZING",
        "THROTTLED",
        "UNHEALTHY",
    }
    assert IDLE_CAPS[0][1] == 0


def test_a_worker_is_billed_from_its_start_to_its_end():
    desk = desk_of()
    job_id = desk.run()
    desk.advance(2.5)
    assert desk.host.charged == {}
    desk.advance(0.5)
    (worker,) = started(desk)
    desk.take(worker)
    desk.advance(20)
    desk.done(job_id, {"output": 1}, worker)
    desk.advance(5)
    desk.advance(5)
    desk.advance(1)
    assert states(desk) == []
    desk.advance(3600)
    assert desk.host.charged == {"ep1": 31}  # 20 s of work, 10 s idle, 1 s to end


def test_a_crashed_worker_and_one_of_others_cost_nothing():
    desk = desk_of(workers_min=1)
    desk.take("by-hand")
    desk.advance(60)
    assert desk.host.charged == {}
    desk = desk_of(workers_min=1)
    desk.advance(0)
    desk.advance(3)
    (worker,) = started(desk)
    desk.host.executor.codes[worker] = 1
    desk.advance(0)
    desk.advance(0.9)
    assert desk.host.charged == {}


def test_a_clock_that_leaps_from_event_to_event_sees_everything():
    desk = desk_of()
    job_id = desk.run()
    begun, seen = desk.now, []
    for _ in range(20):
        due = desk.serverless.next_event()
        if due is None:
            break
        desk.advance((due - desk.now).total_seconds())
        at = int((desk.now - begun).total_seconds())
        if started(desk) and not seen:
            (worker,) = started(desk)
            desk.take(worker)
            desk.done(job_id, {"output": 1}, worker)
        seen.append((at, tuple(states(desk))))
    # started; idle too long; ended, which is looked at once more; 30 minutes later the result
    assert seen == [(3, ("IDLE",)), (13, ("IDLE",)), (19, ()), (1803, ())]
