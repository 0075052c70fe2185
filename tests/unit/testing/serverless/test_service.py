"""The queue as a part of the whole cloud: endpoints come from REST v2, workers from its executor."""

import json
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.faults import FaultKind, FaultRule
from podtune.testing.http import Request, encode
from podtune.testing.options import CloudOptions
from podtune.testing.serverless.endpoint import BASE_PATH
from podtune.testing.serverless.service import CloudHost, attach
from support.serverless import Containers

KEY = "rpa_TEST"


class Desk:
    """A cloud with a queue, and a client of both."""

    def __init__(self, **options):
        self.executor = Containers()
        self.cloud = Cloud(VirtualClock(), 0, self.executor, **options)
        self.serverless = attach(self.cloud, post=lambda url, body, done: done(True))

    def ask(self, method, path, body=None, key=KEY):
        headers = {"authorization": f"Bearer {key}", "user-agent": "podtune-test"}
        content = encode(body) if body is not None else b""
        return self.cloud.handle(Request.of(method, path, headers, content))

    def advance(self, seconds):
        self.cloud.clock.advance(seconds)
        self.cloud.tick()

    def create(self, **values):
        given = {
            "name": "trainer",
            "type": "QUEUE",
            "image": "podtune/worker:1",
            "args": "python handler.py",
            "gpu": {"pools": ["AMPERE_24"], "count": 1},
            "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
            "workers": {"min": 0, "max": 2, "idleTimeout": 5},
            "env": {"MODEL": "x"},
            "timeout": 300_000,
        }
        answer = self.ask("POST", "/v2/serverless", {**given, **values})
        assert answer.status == 201, answer.json()
        return answer.json()

    def workers(self, endpoint_id):
        return self.ask("GET", f"/v2/serverless/{endpoint_id}/workers").json()


@pytest.fixture
def desk():
    return Desk()


def test_an_endpoints_addresses_lead_to_its_queue(desk):
    made = desk.create()
    base = desk.cloud.options.base_url
    assert made["requestUrls"]["run"] == f"{base}{BASE_PATH}/{made['id']}/run"
    path = made["requestUrls"]["run"].removeprefix(base)
    answer = desk.ask("POST", path, {"input": {"x": 1}})
    assert answer.status == 200
    status = made["requestUrls"]["status"].replace("{job_id}", answer.json()["id"])
    assert desk.ask("GET", status.removeprefix(base)).json()["status"] == "IN_QUEUE"


def test_what_rest_v2_set_is_what_the_queue_uses(desk):
    volume = desk.ask(
        "POST", "/v2/network-volumes", {"name": "v", "size": 10, "dataCenter": "EU-RO-1"}
    ).json()
    made = desk.create(networkVolumes=[volume["id"]], dataCenterIds=["EU-RO-1"], disk=30)
    endpoint = CloudHost(desk.cloud).endpoint(made["id"])
    assert (endpoint.workers_min, endpoint.workers_max, endpoint.idle_timeout_s) == (0, 2, 5)
    assert (endpoint.queue_delay_s, endpoint.timeout_ms) == (4, 300_000)
    assert (endpoint.image, endpoint.args) == ("podtune/worker:1", "python handler.py")
    assert endpoint.env == {"MODEL": "x"}
    assert (endpoint.gpu_id, endpoint.gpu_count) == ("NVIDIA RTX A5000", 1)
    assert (endpoint.data_center, endpoint.volume_id) == ("EU-RO-1", volume["id"])
    assert endpoint.disk_gb == 30
    assert endpoint.is_queue
    assert endpoint.has_capacity


def test_scaling_by_requests_has_no_delay_and_the_default_idle_timeout(desk):
    made = desk.create(
        scaling={"type": "REQUEST_COUNT", "requestCount": 3}, workers={"min": 0, "max": 2}
    )
    endpoint = CloudHost(desk.cloud).endpoint(made["id"])
    assert endpoint.queue_delay_s is None
    assert (endpoint.request_count, endpoint.idle_timeout_s) == (3, 10)


def test_a_worker_runs_and_shows(desk):
    made = desk.create()
    assert desk.workers(made["id"])["summary"]["total"] == 0
    desk.ask("POST", f"{BASE_PATH}/{made['id']}/run", {"input": {"x": 1}})
    desk.advance(0)
    assert desk.workers(made["id"])["summary"]["initializing"] == 1
    desk.advance(3)
    (spec,) = desk.executor.specs.values()
    assert spec.args == "python handler.py"
    assert spec.env["RUNPOD_WEBHOOK_GET_JOB"].startswith(
        f"{desk.cloud.options.base_url}{BASE_PATH}/{made['id']}/job-take/$ID?gpu="
    )
    path = f"{BASE_PATH}/{made['id']}/job-take/{spec.pod_id}"
    assert desk.ask("GET", path, key=spec.env["RUNPOD_AI_API_KEY"]).json()["input"] == {"x": 1}
    told = desk.workers(made["id"])
    assert told["summary"] == {
        "running": 1,
        "idle": 0,
        "initializing": 0,
        "throttled": 0,
        "unhealthy": 0,
        "total": 1,
    }
    assert told["workers"][0]["id"] == spec.pod_id
    assert [line.what for line in desk.cloud.happenings() if "worker" in line.what] == [
        "worker started"
    ]


def test_lists_of_workers_fit_the_vendors_document(desk, root):
    jsonschema = pytest.importorskip("jsonschema")
    path = root.parent / "shared" / "reference" / "runpod-rest-v2-openapi.json"
    if not path.is_file():
        pytest.skip("the vendor's OpenAPI document is not here")
    document = json.loads(path.read_text())
    schema = {
        "$ref": "#/components/schemas/ListEndpointWorkersResponse",
        "components": document["components"],
    }
    made = desk.create(workers={"min": 2, "max": 2, "idleTimeout": 5})
    desk.advance(0)
    jsonschema.validate(desk.workers(made["id"]), schema)
    desk.advance(3)
    assert desk.workers(made["id"])["workers"][0]["startedAt"]
    jsonschema.validate(desk.workers(made["id"]), schema)


def test_a_deleted_endpoint_ends_its_workers_at_once(desk):
    made = desk.create(workers={"min": 1, "max": 1, "idleTimeout": 5})
    desk.advance(0)
    desk.advance(3)
    (worker,) = desk.executor.specs
    assert desk.ask("DELETE", f"/v2/serverless/{made['id']}").status == 204
    assert ("remove", worker) in desk.executor.events
    assert desk.ask("GET", f"{BASE_PATH}/{made['id']}/health").status == 404


def test_a_change_of_the_image_makes_workers_stale_and_replaces_them(desk):
    made = desk.create(workers={"min": 1, "max": 1, "idleTimeout": 5})
    desk.advance(0)
    desk.advance(3)
    (old,) = desk.executor.specs
    answer = desk.ask("PATCH", f"/v2/serverless/{made['id']}", {"image": "podtune/worker:2"})
    assert answer.status == 200
    assert desk.workers(made["id"])["workers"][0]["isStale"] is True
    desk.ask(
        "GET",
        f"{BASE_PATH}/{made['id']}/job-take/{old}",
    )
    for _ in range(10):
        desk.advance(1)
    assert [spec.image for spec in desk.executor.specs.values()] == ["podtune/worker:2"]


def test_without_stock_workers_are_throttled():
    drought = FaultRule(kind=FaultKind.CAPACITY_DROUGHT, gpu="*")
    desk = Desk(faults=[drought])
    made = desk.create(workers={"min": 1, "max": 1, "idleTimeout": 5})
    desk.advance(0)
    desk.advance(30)
    assert desk.workers(made["id"])["summary"]["throttled"] == 1
    health = desk.ask("GET", f"{BASE_PATH}/{made['id']}/health").json()
    assert health["workers"]["throttled"] == 1


def test_an_idle_endpoint_shows_its_cap(desk):
    made = desk.create()
    desk.advance(7 * 86_400)
    shown = desk.ask("GET", f"/v2/serverless/{made['id']}").json()
    assert shown["workers"]["max"] == 0
    assert shown["workers"]["idleTimeout"] == 5


def test_a_load_balancer_is_left_alone(desk):
    made = desk.create(type="LOAD_BALANCER", scaling={"type": "REQUEST_COUNT", "requestCount": 1})
    desk.advance(10)
    assert desk.workers(made["id"])["workers"] == []
    answer = desk.ask("POST", f"{BASE_PATH}/{made['id']}/run", {"input": {"x": 1}})
    assert answer.json() == {"error": "not allowed for QB API"}


def test_a_pods_own_key_opens_no_queue(desk):
    made = desk.create()
    pod_key = desk.cloud.account.new_key("pod-1")
    path = f"{BASE_PATH}/{made['id']}/health"
    assert desk.ask("GET", path, key=pod_key).status == 401
    assert desk.ask("GET", path, key="wrong").status == 401
    assert desk.ask("GET", path).status == 200


def test_a_workers_log_is_a_stream_of_events(desk):
    made = desk.create(workers={"min": 1, "max": 1, "idleTimeout": 5})
    desk.advance(0)
    desk.advance(3)
    (worker,) = desk.executor.specs
    desk.executor.printed[worker] = ["hello", "world"]
    desk.advance(1)
    path = f"/v2/serverless/{made['id']}/workers/{worker}/logs"
    answer = desk.ask("GET", f"{path}?source=container")
    assert answer.headers["content-type"] == "text/event-stream"
    data = [
        msgspec.json.decode(line.removeprefix("data: "))
        for line in answer.content().decode().splitlines()
        if line.startswith("data: ")
    ]
    assert [line["line"] for line in data] == ["hello", "world"]
    assert desk.ask("GET", f"{path}x/logs").status == 404
    assert desk.ask("GET", path.replace(worker, "nobody")).status == 404
    assert desk.ask("GET", path.replace(made["id"], "nothing")).status == 404


def test_closing_the_cloud_ends_workers(desk):
    desk.create(workers={"min": 2, "max": 2, "idleTimeout": 5})
    desk.advance(0)
    desk.advance(3)
    workers = list(desk.executor.specs)
    desk.cloud.close()
    assert {("remove", worker) for worker in workers} <= set(desk.executor.events)


def test_the_balance_falls_while_workers_run(desk):
    made = desk.create(workers={"min": 1, "max": 1, "idleTimeout": 5})
    desk.advance(0)
    desk.advance(3)
    before = desk.cloud.account.balance_usd
    for _ in range(60):
        desk.advance(60)
    spent = before - desk.cloud.account.balance_usd
    assert Decimal("0.69") < spent < Decimal("0.70")  # an A5000's hour, and 20 GB of disk
    bill = desk.ask("GET", f"/v2/billing/serverless?serverlessId={made['id']}").json()
    assert bill["metadata"]["totals"]["gpuAmount"] == pytest.approx(0.69)


def test_without_money_no_worker_starts():
    desk = Desk(options=CloudOptions(balance_usd=Decimal(0)))
    made = desk.create(workers={"min": 1, "max": 1, "idleTimeout": 5})
    desk.advance(0)
    desk.advance(30)
    assert desk.workers(made["id"])["summary"]["throttled"] == 1
    assert desk.executor.specs == {}


def test_the_cloud_knows_when_the_queue_changes_next(desk):
    made = desk.create()
    assert desk.cloud.next_event() is None
    desk.ask("POST", f"{BASE_PATH}/{made['id']}/run", {"input": {"x": 1}})
    assert desk.cloud.next_event() == desk.cloud.clock.now() + timedelta(seconds=3)


def test_a_fault_strikes_a_held_answer_too():
    rule = FaultRule(kind=FaultKind.RESET, route="job_take")
    desk = Desk(faults=[rule])
    made = desk.create()
    held = desk.ask("GET", f"{BASE_PATH}/{made['id']}/job-take/w1?gpu=none")
    desk.ask("POST", f"{BASE_PATH}/{made['id']}/run", {"input": {"x": 1}})
    found = held.settled(held.later())
    assert found.fault.kind == "reset"
    assert found.headers["x-request-id"]
    assert found.json()["input"] == {"x": 1}
