"""What the stand-in cloud takes and answers, held against RunPod's own OpenAPI document."""

import copy
import json
import re
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.stand_in import Desk, order

DOCUMENT = Path(__file__).resolve().parents[3] / "shared/reference/runpod-rest-v2-openapi.json"

pytestmark = pytest.mark.skipif(
    not DOCUMENT.is_file(), reason="RunPod's OpenAPI document is not beside this checkout"
)

NOT_SERVED = (
    "/v2/clusters",
    "/v2/registries/delegations",
    "/v2/catalog/templates",
    "/v2/catalog/cpus/{id}",
    "/v2/serverless/{id}/workers/{workerId}/logs",
    "/v2/billing/endpoints",
    "/v2/billing/clusters",
)
"""Beginnings of paths that the stand-in does not have (worker logs come with the serverless queue)."""

NO_LIMITS = {"per_minute": 0, "per_hour": 0, "per_day": 0}
VOLUME = {"name": "v", "size": 50, "dataCenter": "US-KS-2"}
ENDPOINT = {
    "name": "e",
    "type": "QUEUE",
    "image": "i",
    "gpu": {"pools": ["AMPERE_80"]},
    "scaling": {"type": "QUEUE_DELAY", "queueDelay": 4},
}
STOCK = "include=AVAILABILITY&product=POD"


@cache
def document():
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))


def check(value, schema):
    """A value against a schema of the document."""
    whole = {**schema, "components": document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def is_valid(value, name):
    try:
        check(value, {"$ref": f"#/components/schemas/{name}"})
    except jsonschema.ValidationError:
        return False
    return True


def operation(method, path):
    """The operation of a request: (template, its description). The most literal template wins."""
    found = [
        template
        for template in document()["paths"]
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path.partition("?")[0])
    ]
    template = min(found, key=lambda text: text.count("{"))
    return template, document()["paths"][template][method.lower()]


class Checked(Desk):
    """A desk that checks each answer."""

    def __init__(self, **options):
        super().__init__(rate_limits=NO_LIMITS, **options)
        self.seen = set()

    def ask(self, method, url, body=None, key=None, **headers):
        response = super().ask(method, url, body, key, **headers)
        template, described = operation(method, url)
        self.seen.add((method, template))
        answers = described["responses"]
        told = answers.get(str(response.status)) or answers["default"]
        if "$ref" in told:
            told = document()["components"]["responses"][told["$ref"].rpartition("/")[2]]
        if response.status == 204:
            assert response.body == b""
            assert "content" not in told
            return response
        [kind] = told["content"]
        assert response.headers["content-type"] == kind
        if kind != "text/event-stream":
            check(as_documented(template, response.json()), told["content"][kind]["schema"])
        return response


def as_documented(template, answer):
    """Where the real API is known to differ from its document, the answer as documented.

    `mounts` of a template is required there, and absent in real answers (runpod-python#584).
    """
    if template.startswith("/v2/templates"):
        for row in answer.get("templates", [answer]):
            row.setdefault("mounts", {})
    return answer


def walk(desk):
    """A request to every operation, refused ones included."""
    for path in ("pods", "network-volumes", "templates", "registries", "serverless"):
        desk.ask("POST", f"/v2/{path}", {"bogus": 1})
        desk.ask("GET", f"/v2/{path}/none")
        desk.ask("GET", f"/v2/{path}", authorization="")
    walk_pods(desk)
    walk_storage(desk)
    walk_serverless(desk)
    for path in (
        "catalog/gpus",
        f"catalog/gpus?{STOCK}",
        "catalog/gpus?product=POD",
        f"catalog/gpus/NVIDIA A40?{STOCK}&countryCodes=RO",
        "catalog/cpus",
        "catalog/cpus?include=AVAILABILITY&product=POD",
        "catalog/cpus?product=POD",
        "catalog/datacenters?include=GPU_AVAILABILITY,CPU_AVAILABILITY",
        "catalog/datacenters/US-KS-2",
        "billing",
        "billing/pods?bucketSize=hour",
        "billing/serverless",
        "billing/network-volumes",
        "billing/pods?bucketSize=moment",
    ):
        desk.ask("GET", f"/v2/{path}")


def walk_pods(desk):
    made = desk.ask("POST", "/v2/pods", order(ports=["8466/http", "22/tcp"], globalNetworking=True))
    bare = {n: v for n, v in order(mounts={}).items() if n != "gpu"}
    without_card = bare | {"cpu": {"id": "cpu3c", "vcpuCount": 4}}
    desk.ask("GET", f"/v2/pods/{desk.ask('POST', '/v2/pods', without_card).json()['id']}")
    desk.ask("POST", "/v2/pods", bare | {"cpu": {"id": "cpu3c", "vcpuCount": 3}})
    path = f"/v2/pods/{made.json()['id']}"
    for seconds in (0, 1, 3, 600):
        desk.clock.advance(seconds)
        desk.ask("GET", path)
        desk.ask("GET", "/v2/pods")
    desk.ask("GET", f"{path}/logs")
    desk.ask("GET", f"{path}/logs?tail=9000")
    for action in ("restart", "stop", "stop", "start", "dance", "terminate"):
        desk.ask("POST", f"{path}/action", {"action": action})
    other = f"/v2/pods/{desk.create()}"
    desk.ask("PATCH", other, {"name": "other", "env": {"A": "1"}})
    desk.ask("PATCH", other, {"mounts": {"network": [{"volumeId": "v", "path": "/w"}]}})
    desk.ask("DELETE", other)
    desk.ask("POST", "/v2/pods", order(gpu={"id": "NVIDIA A40"}))
    desk.ask("POST", "/v2/pods", order(gpu={"id": "NVIDIA H200", "count": 8}))  # 402
    desk.ask("PUT", "/v2/account/ssh-keys", {"keys": ["ssh-ed25519 A"]})
    desk.ask("GET", "/v2/account/ssh-keys")


def walk_storage(desk):
    volume = f"/v2/network-volumes/{desk.ask('POST', '/v2/network-volumes', VOLUME).json()['id']}"
    desk.ask("PATCH", volume, {"size": 60})
    desk.ask("PATCH", volume, {"size": 50})
    desk.ask("GET", "/v2/network-volumes")
    desk.ask("DELETE", volume)
    body = {"name": "t", "image": "i", "mounts": {"persistent": {"size": 10, "path": "/w"}}}
    template = f"/v2/templates/{desk.ask('POST', '/v2/templates', body).json()['id']}"
    desk.ask("PATCH", template, {"public": True})
    desk.ask("POST", "/v2/templates", {"name": "t", "image": "i"})
    desk.ask("GET", "/v2/templates")
    desk.ask("DELETE", template)
    body = {"name": "r", "username": "u", "password": "p"}
    registry = f"/v2/registries/{desk.ask('POST', '/v2/registries', body).json()['id']}"
    desk.ask("GET", registry)
    desk.ask("GET", "/v2/registries")
    desk.ask("DELETE", registry)


def walk_serverless(desk):
    for changes in (
        {"scaling": {"type": "REQUEST_COUNT", "requestCount": 1}},
        {"type": "LOAD_BALANCER", "scaling": {"type": "REQUEST_COUNT", "requestCount": 1}},
        {"gpu": {"pools": ["ADA_24"], "minCudaVersion": "12.8", "excludedTypes": ["NVIDIA L4"]}},
    ):
        desk.ask("POST", "/v2/serverless", ENDPOINT | changes)
    cpu = {name: value for name, value in ENDPOINT.items() if name != "gpu"}
    desk.ask("POST", "/v2/serverless", cpu | {"cpu": [{"id": "cpu3c", "vcpuCount": 2}]})
    endpoint = f"/v2/serverless/{desk.ask('POST', '/v2/serverless', ENDPOINT).json()['id']}"
    desk.ask("PATCH", endpoint, {"image": "j", "workers": {"max": 1}})
    desk.cloud.account.workers_of = lambda _: [
        {"id": "w", "status": "RUNNING", "gpuCount": 1, "isStale": False, "version": 2}
    ]
    for path in (endpoint, "/v2/serverless", f"{endpoint}/workers", f"{endpoint}/releases"):
        desk.ask("GET", path)
    desk.ask("DELETE", endpoint)


def test_every_answer_is_as_documented():
    desk = Checked(balance_usd=20)
    walk(desk)
    served = {
        (method.upper(), template)
        for template, operations in document()["paths"].items()
        for method in operations
        if method != "parameters" and not template.startswith(NOT_SERVED)
    }
    assert desk.seen >= served


@pytest.mark.parametrize(
    "mode",
    [{"is_running_while_pulling": True}, {"page_size": 1}, {"is_runtime_sparse": True}],
)
def test_other_ways_of_answering_are_documented_too(mode):
    walk(Checked(balance_usd=20, **mode))


def examples():
    """Every request body that the document shows: (method, path, body)."""
    if not DOCUMENT.is_file():
        return
    for template, operations in document()["paths"].items():
        for method, described in operations.items():
            if method == "parameters" or template.startswith(NOT_SERVED):
                continue
            content = described.get("requestBody", {}).get("content", {})
            for name, example in content.get("application/json", {}).get("examples", {}).items():
                yield pytest.param(method.upper(), template, example["value"], id=name)


@pytest.mark.parametrize(("method", "template", "body"), list(examples()))
def test_every_request_of_the_document_is_understood(method, template, body):
    response = Desk().ask(method, template.replace("{id}", "none"), body)
    assert response.status != 422, response.content()


BODIES = {
    "CreatePodRequest": ("POST", "/v2/pods", order(dataCenterIds=["US-KS-2"], args="x", startSsh=True)),
    "UpdatePodRequest": ("PATCH", "/v2/pods/{pod}", {"name": "p", "locked": False, "env": {}}),
    "PodActionRequest": ("POST", "/v2/pods/{pod}/action", {"action": "stop"}),
    "CreateNetworkVolumeRequest": ("POST", "/v2/network-volumes", VOLUME | {"type": "STANDARD"}),
    "CreateRegistryRequest": (
        "POST", "/v2/registries", {"name": "r", "username": "u", "password": "p"},
    ),
    "CreateTemplateRequest": (
        "POST",
        "/v2/templates",
        {"name": "t", "image": "i", "mounts": {"persistent": {"size": 10, "path": "/w"}},
         "category": "AMD", "allowedCudaVersions": ["12.8"], "registry": None},
    ),
    "CreateEndpointRequest": (
        "POST",
        "/v2/serverless",
        ENDPOINT | {"workers": {"min": 0, "max": 1, "idleTimeout": 5}, "timeout": 1000,
                    "flashboot": "FLASHBOOT", "dataCenterIds": [], "networkVolumes": []},
    ),
    "UpdateEndpointRequest": (
        "PATCH", "/v2/serverless/{endpoint}", {"workers": {"max": 1}, "gpu": {"pools": ["ADA_24"]}},
    ),
}  # fmt: skip
ODD = st.sampled_from(
    [None, True, 0, -1, 1.5, 9, 5000, "", "x", "12.8", [], ["x"], [1], {}, {"x": 1}]
)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_bodies_are_refused_exactly_where_the_document_refuses_them(data):
    name = data.draw(st.sampled_from(sorted(BODIES)))
    method, path, good = BODIES[name]
    body = changed(copy.deepcopy(good), data)
    desk = Desk(rate_limits=NO_LIMITS)
    if "{pod}" in path:
        path = path.replace("{pod}", desk.running())
    if "{endpoint}" in path:
        made = desk.ask("POST", "/v2/serverless", ENDPOINT).json()["id"]
        path = path.replace("{endpoint}", made)
    response = desk.ask(method, path, body)
    assert (response.status != 422) == is_valid(body, name), (body, response.content())


def changed(body, data):
    """A body with up to two of its places changed, dropped or added, at any depth."""
    for _ in range(data.draw(st.integers(0, 2))):
        place = body
        while True:
            inner = [value for value in place.values() if isinstance(value, dict) and value]
            if not inner or data.draw(st.booleans()):
                break
            place = data.draw(st.sampled_from(inner))
        key = data.draw(st.sampled_from([*place, "bogus"]))
        if data.draw(st.booleans()):
            place.pop(key, None)
        else:
            place[key] = copy.deepcopy(data.draw(ODD))
    return body
