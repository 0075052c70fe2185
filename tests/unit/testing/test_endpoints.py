import pytest

from support.stand_in import Desk

BODY = {
    "name": "trainer",
    "type": "QUEUE",
    "image": "podtune/worker",
    "gpu": {"pools": ["AMPERE_80"]},
    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
}


def make(desk, **changes):
    body = {name: value for name, value in (BODY | changes).items() if value is not None}
    return desk.ask("POST", "/v2/serverless", body)


def test_an_endpoint_with_its_defaults():
    endpoint = make(Desk(base_url="http://127.0.0.1:9")).json()
    assert endpoint["workers"] == {"min": 0, "max": 3, "idleTimeout": 10}
    assert endpoint["timeout"] == 0  # documented 300000, observed 0 when omitted
    assert endpoint["flashboot"] == "OFF"
    assert endpoint["gpu"]["count"] == 1
    url = f"http://127.0.0.1:9/ai/v2/{endpoint['id']}"
    assert endpoint["requestUrls"]["run"] == f"{url}/run"
    assert endpoint["requestUrls"]["status"] == url + "/status/{job_id}"


@pytest.mark.parametrize(
    ("wrong", "status", "said"),
    [
        ({"gpu": {"pools": ["NVIDIA A40"]}}, 400, "pool ids"),
        ({"gpu": {"pools": []}}, 422, "Request"),
        ({"gpu": {"count": 1}}, 422, "Request"),
        ({"gpu": {"pools": ["HOPPER_141"], "excludedTypes": ["NVIDIA H200"]}}, 400, "no GPU type"),
        ({"gpu": {"pools": ["ADA_24"], "allowedCudaVersions": ["12.8"],
                  "minCudaVersion": "12.8"}}, 400, "exclusive"),
        ({"gpu": None}, 400, "exactly one"),
        ({"image": None}, 422, "Request"),
        ({"type": None}, 422, "Request"),
        ({"scaling": {"type": "REQUEST_COUNT", "requestCount": 1},
          "workers": {"idleTimeout": 5}}, 422, "Request"),
        ({"type": "LOAD_BALANCER"}, 422, "Request"),
        ({"dataCenterIds": ["MARS"]}, 400, "data center"),
        ({"networkVolumes": ["none"]}, 400, "volume"),
        ({"templateId": "none"}, 404, "template"),
        ({"workersMax": 3}, 422, "Request"),
    ],
)  # fmt: skip
def test_what_is_refused(wrong, status, said):
    response = make(Desk(), **wrong)
    assert response.status == status
    assert said in response.json()["detail"]


def test_kinds_of_endpoints():
    counted = make(Desk(), scaling={"type": "REQUEST_COUNT", "requestCount": 2}).json()
    assert counted["workers"] == {"min": 0, "max": 3}
    balancer = make(
        Desk(), type="LOAD_BALANCER", scaling={"type": "REQUEST_COUNT", "requestCount": 2}
    ).json()
    assert set(balancer["requestUrls"]) == {"base", "health"}
    cpu = make(Desk(), gpu=None, cpu=[{"id": "cpu3c", "vcpuCount": 4}]).json()
    assert cpu["cpu"] == [{"id": "cpu3c", "vcpuCount": 4, "memory": 8}]
    assert "gpu" not in cpu


def test_changes_make_releases():
    desk = Desk()
    path = f"/v2/serverless/{make(desk).json()['id']}"
    changed = desk.ask("PATCH", path, {"workers": {"max": 1}, "timeout": 600_000}).json()
    assert changed["workers"] == {"min": 0, "max": 1, "idleTimeout": 10}
    assert changed["timeout"] == 600_000
    desk.ask("PATCH", path, {"image": "other", "gpu": {"pools": ["ADA_24"]}})
    told = desk.ask("GET", f"{path}/releases").json()
    assert [release["version"] for release in told["releases"]] == [2, 1]
    assert {"field": "image", "old": "podtune/worker", "new": "other"} in told["releases"][0][
        "diff"
    ]
    assert told["rollout"]["percentOnLatest"] == 100
    wrong = {"cpu": [{"id": "cpu3c", "vcpuCount": 4}]}
    assert desk.ask("PATCH", path, wrong).status == 400
    assert desk.ask("PATCH", path, {"gpu": {"excludedTypes": ["NVIDIA L4"]}}).status == 422
    assert desk.ask("PATCH", path, {"type": "QUEUE"}).status == 422


def test_a_serverless_template_fills_and_changes():
    desk = Desk()
    settings = {"name": "t", "image": "mine", "env": {"A": "1"}, "serverless": True}
    template = desk.ask("POST", "/v2/templates", settings).json()["id"]
    endpoint = make(desk, image=None, templateId=template, env={"B": "2"}).json()
    assert (endpoint["image"], endpoint["env"]) == ("mine", {"A": "1", "B": "2"})
    assert "templateId" not in endpoint
    other = make(desk).json()["id"]
    changed = desk.ask("PATCH", f"/v2/serverless/{other}", {"templateId": template}).json()
    assert changed["image"] == "mine"
    pods_own = desk.ask("POST", "/v2/templates", {"name": "t", "image": "i"}).json()["id"]
    assert make(desk, templateId=pods_own).status == 422


def test_workers_are_told_by_whoever_runs_them():
    desk = Desk()
    path = f"/v2/serverless/{make(desk).json()['id']}"
    empty = desk.ask("GET", f"{path}/workers").json()
    assert empty["summary"]["total"] == 0
    workers = [
        {"id": "w1", "status": "RUNNING", "gpuCount": 1, "isStale": False, "version": 1},
        {"id": "w2", "status": "IDLE", "gpuCount": 1, "isStale": True, "version": 0},
    ]
    desk.cloud.account.workers_of = lambda endpoint: workers
    told = desk.ask("GET", f"{path}/workers").json()
    assert told["workers"] == workers
    assert told["summary"] == {
        "running": 1, "idle": 1, "initializing": 0, "throttled": 0, "unhealthy": 0, "total": 2,
    }  # fmt: skip
    assert desk.ask("GET", f"{path}/releases").json()["rollout"]["workersOnLatest"] == 1


def test_delete_is_told_to_the_queue():
    desk, told = Desk(), []
    desk.cloud.account.on_endpoint_deleted = told.append
    endpoint = make(desk).json()
    assert desk.ask("GET", "/v2/serverless").json()["endpoints"] == [endpoint]
    assert desk.ask("DELETE", f"/v2/serverless/{endpoint['id']}").status == 204
    assert [gone.id for gone in told] == [endpoint["id"]]
    assert desk.ask("GET", f"/v2/serverless/{endpoint['id']}").status == 404


def test_excluded_types_belong_to_the_pools_and_go_with_them():
    desk = Desk()
    wrong = make(desk, gpu={"pools": ["ADA_24"], "excludedTypes": ["NVIDIA L99"]})
    assert wrong.status == 400
    assert "L99" in wrong.json()["detail"]
    right = make(desk, gpu={"pools": ["ADA_24"], "excludedTypes": [" NVIDIA L4"]}).json()
    path = f"/v2/serverless/{right['id']}"
    same = desk.ask("PATCH", path, {"gpu": {"minCudaVersion": "12.8"}}).json()
    assert same["gpu"]["excludedTypes"] == [" NVIDIA L4"]
    other = desk.ask("PATCH", path, {"gpu": {"pools": ["ADA_24"]}}).json()
    assert other["gpu"]["excludedTypes"] == []
