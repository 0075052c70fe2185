import threading

from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.faults import FaultKind, FaultRule
from podtune.testing.http import Request, json_response
from podtune.testing.routes import Door, Route
from support.stand_in import Desk, order


def test_the_same_seed_gives_the_same_cloud():
    def run(seed):
        desk = Desk(seed=seed, faults=[FaultRule(kind=FaultKind.AFTER_EFFECT, probability=0.5)])
        for number in range(20):
            desk.ask("POST", "/v2/pods", order(name=f"p{number}", gpu="Stand-in CPU"))
            desk.clock.advance(1)
        pods = [(pod.id, pod.data_center) for pod in desk.cloud.account.pods.values()]
        return pods, desk.cloud.history

    assert run(3) == run(3)
    assert run(3) != run(4)


def test_the_proxy_needs_no_key_and_leads_into_the_pod():
    desk = Desk()
    pod_id = desk.create()
    url = f"/proxy/{pod_id}-8466/status?a=1"
    assert desk.cloud.handle(Request.of("GET", url)).status == 502
    desk.clock.advance(10)
    response = desk.cloud.handle(Request.of("GET", url))
    assert response.content() == b"from the pod"
    assert "x-request-id" not in response.headers
    got = desk.pods.requests[0]
    assert got[:2] == (pod_id, 8466)
    assert (got[2].path, got[2].query) == ("/status", {"a": ["1"]})
    desk.cloud.handle(Request.of("PUT", f"/proxy/{pod_id}-8466", {}, b"x"))
    assert desk.pods.requests[1][2].path == "/"
    for other in (f"/proxy/{pod_id}-22/", "/proxy/none-8466/", "/proxy/x/"):
        assert desk.cloud.handle(Request.of("GET", other)).status == 404


def test_the_proxy_does_not_hold_the_lock():
    desk = Desk()
    pod_id = desk.running()
    inside = []

    def slow(pod, port, request):
        other = threading.Thread(target=lambda: inside.append(desk.listed()))
        other.start()
        other.join(5)
        return json_response({})

    desk.pods.request = slow
    desk.ask("GET", f"/proxy/{pod_id}-8466/")
    assert inside == [[pod_id]]


def test_other_parts_take_part():
    desk, seen = Desk(), []
    desk.cloud.attach(lambda: seen.append("tick"), lambda: seen.append("close"))
    desk.cloud.mount(
        [
            Route(
                "GET", "/jobs/{id}", lambda call: json_response(dict(call.params)), "job", Door.OPEN
            )
        ]
    )
    assert desk.cloud.handle(Request.of("GET", "/jobs/7", {"user-agent": "x"})).json() == {
        "id": "7"
    }
    desk.cloud.close()
    assert seen == ["tick", "close"]


def test_a_pods_script_may_call_back():
    desk = Desk()
    pod_id = desk.running()
    poll = desk.pods.poll

    def ends_itself(pod):
        desk.ask("DELETE", f"/v2/pods/{pod}")
        return poll(pod)

    desk.pods.poll = ends_itself
    desk.cloud.tick()
    desk.pods.poll = poll
    assert desk.ask("GET", f"/v2/pods/{pod_id}").status == 404
    assert desk.listed() == []


def test_close_leaves_nothing():
    desk = Desk()
    made = [desk.running(), desk.create()]
    desk.cloud.close()
    assert desk.listed() == []
    assert desk.pods.removed == made


def test_options_may_change_while_it_runs():
    desk = Desk()
    desk.cloud.options = desk.cloud.options.model_copy(update={"base_url": "http://127.0.0.1:5"})
    desk.running()
    assert desk.pods.started[0].env["RUNPOD_REST_BASE_URL"] == "http://127.0.0.1:5/v2"


def test_many_threads_make_many_pods():
    cloud = Cloud(VirtualClock())
    desk = Desk()
    desk.cloud = cloud
    cloud.options = cloud.options.model_copy(update={"balance_usd": 1000})
    threads = [
        threading.Thread(
            target=lambda: [
                desk.ask("POST", "/v2/pods", order(gpu="Stand-in CPU")) for _ in range(10)
            ]
        )
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(desk.listed())) == 80
