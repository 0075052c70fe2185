import pytest

from podtune.testing.pods import MAX_ENV, NO_CAPACITY
from support.stand_in import Desk, order


def test_a_new_pod_is_provisioning_and_tells_its_environment_in_clear():
    desk = Desk()
    response = desk.ask("POST", "/v2/pods", order(env={"TOKEN": "secret"}))
    pod = response.json()
    assert response.status == 201
    assert pod["status"] == "PROVISIONING"
    assert pod["actions"] == ["stop", "terminate"]
    assert pod["env"] == {"TOKEN": "secret"}
    assert pod["cost"] == 0.4
    assert pod["runtime"] is None
    assert pod["startedAt"] is None


def test_a_running_pod_has_a_runtime_and_a_stopped_one_costs_nothing():
    desk = Desk()
    pod_id = desk.running(ports=["8466/http", "22/tcp"])
    desk.clock.advance(5)
    pod = desk.pod(pod_id)
    assert pod["runtime"] == {
        "uptime": 12,
        "gpus": [{"util": 94, "memoryUtil": 41}],
        "cpu": {"util": 12},
        "memory": {"util": 30},
        "ports": [
            {"private": 8466, "public": None, "type": "http", "ip": None},
            {"private": 22, "public": None, "type": "tcp", "ip": None},
        ],
    }
    assert pod["ssh"]["direct"]["host"] == "127.0.0.1"
    stopped = desk.act(pod_id, "stop").json()
    assert (stopped["status"], stopped["cost"], stopped["runtime"]) == ("EXITED", 0, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"gpu": {"id": "NVIDIA A40"}},  # no count: the scheduler matches no machine
        {"gpu": {"id": "NVIDIA B200", "count": 1}},  # stock NONE
        {"gpu": {"id": "NVIDIA A40", "count": 9}, "cloud": "COMMUNITY"},
        {"dataCenterIds": ["EU-RO-1"]},  # does not carry the GPU
        {"gpu": {"id": "NVIDIA A40", "count": 1, "allowedCudaVersions": ["11.8"]}},
        {"gpu": {"id": "NVIDIA A40", "count": 1, "minCudaVersion": "13.1"}},
        {"gpu": {"id": "NVIDIA A40", "count": 11}},
    ],
)
def test_no_room_has_one_text(wrong):
    desk = Desk()
    response = desk.ask("POST", "/v2/pods", order(**wrong))
    assert response.status == 400
    assert response.json()["detail"] == NO_CAPACITY
    assert desk.listed() == []


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"gpu": {"id": "NVIDIA Z99", "count": 1}}, 400, "not found"),
        ({"cpu": {"id": "cpu3c", "vcpuCount": 2}}, 400, "exactly one of gpu or cpu"),
        ({"env": {f"V{n}": "" for n in range(MAX_ENV + 1)}}, 400, "at most 50"),
        ({"gpu": {"id": "NVIDIA A40", "count": 1, "allowedCudaVersions": ["12.8"],
                  "minCudaVersion": "12.8"}}, 400, "mutually exclusive"),
        ({"templateId": "none"}, 404, "template not found"),
        ({"mounts": {"network": [{"volumeId": "none", "path": "/w"}]}}, 400, "volume not found"),
        ({"gpuTypeIds": ["NVIDIA A40"]}, 422, "Request validation failed."),
        ({"mounts": {"persistent": {"size": 9, "path": "/w"}}}, 422, "Request validation failed."),
        ({"args": ["bash", "-c", "x"]}, 422, "Request validation failed."),
    ],
)  # fmt: skip
def test_what_is_refused(wrong, status, said):
    desk = Desk()
    response = desk.ask("POST", "/v2/pods", order(**wrong))
    assert response.status == status
    assert said in response.json()["detail"]
    assert desk.listed() == []


def test_neither_gpu_nor_cpu_and_no_image():
    desk = Desk()
    without_gpu = {k: v for k, v in order().items() if k != "gpu"}
    assert desk.ask("POST", "/v2/pods", without_gpu).status == 400
    without_image = {k: v for k, v in order().items() if k != "image"}
    response = desk.ask("POST", "/v2/pods", without_image)
    assert response.json()["errors"] == ["$: missing properties: 'image'"]


def test_an_hour_must_be_covered_and_the_limit_kept():
    desk = Desk(balance_usd="0.39")
    assert desk.ask("POST", "/v2/pods", order()).status == 402
    desk = Desk(spend_limit_usd="0.79")
    desk.create()
    assert desk.ask("POST", "/v2/pods", order()).status == 402


def test_a_new_pod_may_be_unknown_and_unlisted_for_a_while():
    desk = Desk(transient_404_s=5, listing_lag_s=8)
    pod_id = desk.create()
    assert desk.ask("GET", f"/v2/pods/{pod_id}").status == 404
    assert desk.ask("DELETE", f"/v2/pods/{pod_id}").status == 404
    desk.clock.advance(5)
    assert desk.ask("GET", f"/v2/pods/{pod_id}").status == 200
    assert desk.listed() == []
    desk.clock.advance(3)
    assert desk.listed() == [pod_id]


def test_delete_answers_with_nothing_and_the_pod_is_gone():
    desk = Desk()
    pod_id = desk.running()
    response = desk.ask("DELETE", f"/v2/pods/{pod_id}")
    assert (response.status, response.body) == (204, b"")
    assert desk.listed() == []
    assert desk.ask("GET", f"/v2/pods/{pod_id}").status == 404
    assert desk.ask("DELETE", f"/v2/pods/{pod_id}").status == 404
    assert desk.act(pod_id, "terminate").status == 404


def test_lists_may_lag_behind_a_termination():
    desk = Desk(removal_lag_s=5)
    pod_id = desk.running()
    assert desk.act(pod_id, "terminate").status == 204
    listed = desk.ask("GET", "/v2/pods").json()["pods"]
    assert [(pod["id"], pod["status"], pod["cost"]) for pod in listed] == [
        (pod_id, "TERMINATED", 0)
    ]
    desk.clock.advance(5)
    assert desk.listed() == []


def test_unknown_query_parameters_are_ignored():
    desk = Desk()
    pod_id = desk.create()
    answer = desk.ask("GET", "/v2/pods?name=other&status=EXITED&includeClusterPods=true").json()
    assert [pod["id"] for pod in answer["pods"]] == [pod_id]


def test_prices_may_come_as_text():
    assert Desk(prices_as_text=True).ask("POST", "/v2/pods", order()).json()["cost"] == "0.40"


def test_a_network_volume_pins_the_pod_and_is_for_the_secure_cloud_only():
    desk = Desk()
    body = {"name": "v", "size": 50, "dataCenter": "US-KS-2"}
    volume = desk.ask("POST", "/v2/network-volumes", body).json()["id"]
    mounts = {"network": [{"volumeId": volume, "path": "/workspace"}]}
    pod = desk.pod(desk.create(mounts=mounts))
    assert pod["dataCenterId"] == "US-KS-2"
    assert pod["mounts"] == mounts
    other = desk.ask("POST", "/v2/pods", order(mounts=mounts, dataCenterIds=["CA-MTL-1"]))
    assert other.json()["detail"] == NO_CAPACITY
    community = desk.ask("POST", "/v2/pods", order(mounts=mounts, cloud="COMMUNITY"))
    assert "secure" in community.json()["detail"]
    both = {**mounts, "persistent": {"size": 10, "path": "/w"}}
    assert desk.ask("POST", "/v2/pods", order(mounts=both)).status == 400


def test_a_template_fills_what_the_body_leaves_out():
    desk = Desk()
    template = {
        "name": "t",
        "image": "mine",
        "env": {"A": "1", "B": "1"},
        "disk": 33,
        "mounts": {"persistent": {"size": 11, "path": "/t"}},
        "startJupyter": False,
        "allowedCudaVersions": ["12.8"],
    }
    template_id = desk.ask("POST", "/v2/templates", template).json()["id"]
    body = {
        "name": "p",
        "templateId": template_id,
        "gpu": {"id": "NVIDIA A40", "count": 1},
        "env": {"B": "2"},
    }
    pod = desk.ask("POST", "/v2/pods", body).json()
    assert pod["image"] == "mine"
    assert pod["env"] == {"A": "1", "B": "2"}
    assert pod["disk"] == 33
    assert pod["mounts"] == template["mounts"]
    assert pod["cudaVersion"] == "12.8"
    assert pod["template"] == template_id
    serverless = desk.ask("POST", "/v2/templates", template | {"serverless": True}).json()["id"]
    assert desk.ask("POST", "/v2/pods", body | {"templateId": serverless}).status == 422


def test_a_change_resets_a_running_pod():
    desk = Desk()
    pod_id = desk.running()
    path = f"/v2/pods/{pod_id}"
    renamed = desk.ask("PATCH", path, {"name": "other", "locked": True}).json()
    assert (renamed["name"], renamed["locked"]) == ("other", True)
    assert desk.pods.stopped == []
    assert desk.act(pod_id, "stop").status == 409
    desk.ask("PATCH", path, {"locked": False, "env": {"A": "2"}, "registry": None, "ports": []})
    assert desk.pods.stopped == [(pod_id, 5.0)]
    desk.clock.advance(2)
    assert desk.pod(pod_id)["env"] == {"A": "2"}
    assert desk.pods.started[-1].env["A"] == "2"
    wrong = {"mounts": {"network": [{"volumeId": "v", "path": "/w"}]}}
    assert desk.ask("PATCH", path, wrong).status == 400
    moved = {"mounts": {"persistent": {"size": 60, "path": "/w"}}, "globalNetworking": True}
    assert desk.ask("PATCH", path, moved).json()["globalNetworking"]["enabled"]


def test_names_may_repeat():
    desk = Desk()
    assert desk.create(name="same") != desk.create(name="same")
