from pydantic import SecretStr

from podtune.app.deploy_changes import endpoint_changes, template_changes
from podtune.providers.runpod import serverless_wire as wire

BODY = wire.TemplateBody(
    name="n", image="i:1", disk=20, env={"A": SecretStr("value-of-a-secret")}, registry=None,
    serverless=True, start_ssh=False, start_jupyter=False,
)  # fmt: skip
TEMPLATE = wire.Template("t", "n", "i:1", 20, {"A": "value-of-a-secret"}, None, True, False, False)
WANTED = wire.EndpointBody(
    name="n", type="QUEUE", gpu=wire.Pools(pools=("B", "A")), scaling=wire.QueueDelay(),
    workers=wire.WorkerLimits(min=0, max=2, idle_timeout=60), timeout=1000 * 60, flashboot="OFF",
    network_volumes=(), data_center_ids=(),
)  # fmt: skip
ENDPOINT = wire.Endpoint(
    "e", "n", "QUEUE", "i:1", 20, {"A": "value-of-a-secret"}, None,
    wire.EndpointGpu(("A", "B"), 1, None), wire.EndpointWorkers(0, 2, 60),
    wire.Scaling("QUEUE_DELAY", 4.0), 60_000, "OFF", None, None,
)  # fmt: skip


def fields(changes):
    return [change.field for change in changes]


def test_what_is_as_wished_has_no_changes():
    assert template_changes(TEMPLATE, BODY) == []
    assert endpoint_changes(ENDPOINT, WANTED, BODY) == []


def test_what_is_not_told_counts_as_wished():
    bare = wire.Template("t", "n")
    assert template_changes(bare, BODY) == []
    assert endpoint_changes(wire.Endpoint("e", "n"), WANTED, BODY) == []


def test_variables_are_compared_by_value_and_shown_masked():
    other = wire.Template(
        "t", "n", env={"A": "another-long-secret", "B": "x", "RUNPOD_X": "theirs"}
    )
    changes = template_changes(other, BODY)
    assert fields(changes) == ["env.A", "env.B"]
    assert changes[0].old == "anot...et (19 characters)"
    assert changes[1].new == "left out"
    assert not any("value-of-a-secret" in str(change) for change in changes)
    assert all(change.is_container for change in changes)


def test_credentials_that_are_there_and_not_wished_are_taken_away():
    held = wire.Template("t", "n", registry="reg1")
    (change,) = template_changes(held, BODY)
    assert (change.field, change.old, change.new) == ("registry", "reg1", "none")


def test_every_limit_of_an_endpoint_is_compared():
    other = wire.Endpoint(
        "e", "n", "QUEUE", "i:0", 10, {"A": "value-of-a-secret"}, "reg1",
        wire.EndpointGpu(("C",), 2, ("x",)), wire.EndpointWorkers(1, 3, 5),
        wire.Scaling("REQUEST_COUNT", None), 0, "FLASHBOOT", ("v",), ("d",),
    )  # fmt: skip
    found = endpoint_changes(other, WANTED, BODY)
    assert fields(found) == [
        "gpu.pools", "gpu.excludedTypes", "gpu.count", "workers.min", "workers.max",
        "workers.idleTimeout", "scaling.type", "timeout", "flashboot", "networkVolumes",
        "dataCenterIds", "image", "disk", "registry",
    ]  # fmt: skip
    assert [change.field for change in found if change.is_container] == [
        "image",
        "disk",
        "registry",
    ]
    assert found[9].new == "none"


def test_what_is_not_there_is_created():
    assert [c.field for c in template_changes(None, BODY)] == ["created"]
    (made,) = endpoint_changes(None, WANTED, BODY)
    assert (made.field, made.new) == ("created", "B, A")
