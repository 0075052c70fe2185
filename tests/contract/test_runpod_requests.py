"""Every request that the RunPod client can make, held against RunPod's own OpenAPI document."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import httpx2
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from podtune.core.errors import PodtuneError
from podtune.core.limits import Limits
from podtune.providers.base import LaunchRequest, Machine
from podtune.providers.runpod import account, audit, catalogue, volumes
from podtune.providers.runpod.command import python_command
from podtune.providers.runpod.log_stream import follow
from podtune.providers.runpod.pods import RunPodProvider, create_body
from support.build import offer
from support.runpod_account import Account, Time, client

DOCUMENT = Path(__file__).resolve().parents[3] / "shared/reference/runpod-rest-v2-openapi.json"

pytestmark = pytest.mark.skipif(
    not DOCUMENT.is_file(), reason="RunPod's OpenAPI document is not beside this checkout"
)


@cache
def document():
    return json.loads(DOCUMENT.read_text(encoding="utf-8"))


def operation(method, path):
    """The operation of a request's path, with the parameters that it knows."""
    for template, operations in document()["paths"].items():
        if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", template), path):
            found = operations[method.lower()]
            parameters = [*operations.get("parameters", ()), *found.get("parameters", ())]
            return found, {resolved(p)["name"]: resolved(p) for p in parameters}
    raise AssertionError(f"{method} {path} is not in the document")


def resolved(part):
    while "$ref" in part:
        *_, section, name = part["$ref"].split("/")
        part = document()["components"][section][name]
    return part


def check(value, schema):
    """A value against a schema of the document."""
    whole = {**schema, "components": document()["components"]}
    jsonschema.Draft202012Validator(whole).validate(value)


def check_request(request):
    found, parameters = operation(request.method, request.url.path)
    for name, value in request.url.params.items():
        assert name in parameters, f"{name} is no parameter of {request.method} {request.url.path}"
        schema = resolved(parameters[name]["schema"])
        check(converted(value, schema), parameters[name]["schema"])
    if request.content:
        content = found["requestBody"]["content"]["application/json"]
        check(json.loads(request.content), content["schema"])
        assert request.headers["content-type"] == "application/json"
    else:
        assert not found.get("requestBody", {}).get("required")
    assert request.headers["authorization"].startswith("Bearer ")


def converted(value, schema):
    if schema.get("type") == "array":
        return value.split(",")
    return int(value) if schema.get("type") == "integer" else value


CUDA = st.from_regex(r"1[0-9]\.[0-9]{1,2}", fullmatch=True)
WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.", min_size=1, max_size=20)
MACHINES = st.builds(
    Machine,
    offer=st.builds(
        lambda count, cloud: offer(count=count, cloud=cloud),
        st.integers(1, 8),
        st.sampled_from(["secure", "community"]),
    ),
    image=WORDS,
    command=st.text(max_size=50).map(python_command),
    http_ports=st.lists(st.integers(1, 65535), max_size=3).map(tuple),
    disk_gb=st.integers(1, 4096),
    volume_gb=st.integers(0, 4096),
    mount_path=st.just("/workspace"),
    volume=st.none() | WORDS,
    region=st.none() | WORDS,
    registry=st.none() | WORDS,
    min_cuda=st.none() | CUDA,
    ssh=st.booleans(),
    vcpus=st.sampled_from([0, 2, 4, 8]),
)


@given(MACHINES, st.dictionaries(WORDS, st.text(max_size=50), max_size=50))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_order_of_a_pod_is_as_documented(machine, environment):
    request = LaunchRequest("pt-abc-job-1-x1800000000", Path("/nowhere"), environment, machine)
    body = create_body(request).model_dump(mode="json", by_alias=True, exclude_none=True)
    check(body, {"$ref": "#/components/schemas/CreatePodRequest"})
    if machine.vcpus:
        assert (body["cpu"]["vcpuCount"], "gpu" in body) == (machine.vcpus, False)
    else:
        assert (body["gpu"]["count"], "cpu" in body) == (machine.offer.count, False)


@given(WORDS, st.integers(10, 4096), WORDS)
@settings(max_examples=30, deadline=None)
def test_every_order_of_a_volume_is_as_documented(name, size_gb, region):
    seen = Account()
    seen.answer("POST /v2/network-volumes", httpx2.Response(201, json={"id": "v"}))
    volumes.make(client(seen), name, size_gb, region)
    check_request(seen.requests[0])


def test_the_document_refuses_what_we_never_send():
    """The check itself: a field of v1 would be found."""
    good = {"name": "a", "image": "b", "gpu": {"id": "NVIDIA A40", "count": 1}}
    check(good, {"$ref": "#/components/schemas/CreatePodRequest"})
    for bad in ({**good, "gpuTypeIds": ["x"]}, {**good, "disk": 0}, {"name": "a"}):
        with pytest.raises(jsonschema.ValidationError):
            check(bad, {"$ref": "#/components/schemas/CreatePodRequest"})


def test_every_other_request_is_as_documented(tmp_path):
    seen, time = Account(), Time()
    asking = client(seen, time)
    provider = RunPodProvider(asking, Limits(), clock=time.now)
    machine = Machine(offer(), "img", python_command(""), (8466,), 20, 50)
    made = provider.launch(LaunchRequest("pt-abc-job-1-x1800000000", tmp_path, {}, machine))
    seen.is_hidden.add(made.id)
    calls = [
        lambda: provider.inspect(made.id),
        lambda: provider.ssh(made.id),
        lambda: provider.terminate(made.name, made.id),
        lambda: catalogue.offers(asking, catalogue.Wanted(2, ("secure", "community"), "12.8")),
        lambda: volumes.volumes(asking),
        lambda: volumes.delete(asking, "v"),
        lambda: account.check_key(asking),
        lambda: account.billed(asking, made.id, datetime(2026, 11, 1, tzinfo=UTC)),
        lambda: audit.inventory(asking),
        lambda: list(follow(asking, made.id, after="2026-06-01T12:02:03Z/1")),
        lambda: list(follow(asking, made.id, source="system")),
    ]
    for call in calls:
        try:
            call()
        except PodtuneError:
            continue  # what it asked is looked at, not what a bare account answers
    for request in seen.requests:
        check_request(request)
    asked = {f"{r.method} {r.url.path}" for r in seen.requests}
    assert len(asked) >= 11


@pytest.mark.parametrize("example", ["PodList", "GpuList", "VolumeList", "BillingList"])
def test_the_documents_own_examples_are_read(example):
    path = {
        "PodList": "/v2/pods",
        "GpuList": "/v2/catalog/gpus",
        "VolumeList": "/v2/network-volumes",
        "BillingList": "/v2/billing/pods",
    }[example]
    answer = document()["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
    (shown,) = [e["value"] for e in answer["examples"].values()][:1]

    def handler(_):
        return httpx2.Response(200, json=shown)

    asking = client(handler)
    if example == "PodList":
        listed = RunPodProvider(asking, Limits(), clock=Time().now).observe()
        assert listed == {}  # the example's names are none of ours
    elif example == "GpuList":
        (found,) = catalogue.offers(asking, catalogue.Wanted())
        assert (found.gpu, found.usd_per_hour) == ("NVIDIA GeForce RTX 4090", Decimal("0.44"))
    elif example == "VolumeList":
        assert volumes.volumes(asking)[0].data_center == "US-KS-2"
    else:
        since = datetime(2026, 6, 1, tzinfo=UTC)
        assert account.billed(asking, "7h9k2m4n6p", since) == Decimal("12.34")
