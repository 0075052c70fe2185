import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import orders as order_book
from podtune.core import handover
from podtune.core.handover import HandOver, pod_environment
from support.pod_machine import KEY

FIGURES = {
    "DEADLINE": 1_800_003_600, "STARTED": 1_800_000_000, "MAX_USD": "2.50", "USD_PER_HOUR": "0.4",
    "BOOT_LIMIT_S": 900.0, "SILENCE_LIMIT_S": 600, "UPLOAD_RESERVE_S": 120, "KEEP_ON_FAILURE_S": 60,
}  # fmt: skip
TOLD = pod_environment(job="demo-abc234", attempt=2, token="t", figures=FIGURES)


def test_what_our_side_tells_is_what_is_read(tmp_path):
    orders = order_book.read({**TOLD, "PODTUNE_WORKSPACE": str(tmp_path)})
    assert (orders.job, orders.attempt, orders.port) == ("demo-abc234", 2, 8466)
    assert (str(orders.max_usd), orders.deadline) == ("2.50", 1_800_003_600)
    assert orders.token_sha256 == handover.token_sha256("t")
    assert orders.folder == tmp_path / "podtune" / "demo-abc234"
    assert order_book.read(TOLD).workspace.as_posix() == "/workspace"


def test_the_port_to_bind_may_be_another():
    assert order_book.read({**TOLD, "PODTUNE_BIND_PORT": "9000"}).port == 9000


def test_both_sides_mean_the_same():
    assert order_book.SECRETS == handover.POD_SECRETS
    import event_relay
    import port_server

    assert event_relay.MARKER == handover.SIGNED_MARKER
    assert port_server.MAX_CHUNK == handover.CHUNK_BYTES
    assert port_server.TAIL_BYTES == handover.TAIL_BYTES


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JOB", "../../etc"), ("JOB", None), ("JOB", "a b"), ("TOKEN_SHA256", "short"),
        ("TOKEN_SHA256", None), ("DEADLINE", "soon"), ("DEADLINE", None), ("MAX_USD", "much"),
        ("ATTEMPT", "first"), ("STARTED", None),
    ],
)  # fmt: skip
def test_a_bad_environment_names_the_variable(name, value):
    changed = {**TOLD, f"PODTUNE_{name}": value}
    environment = {k: v for k, v in changed.items() if v is not None}
    with pytest.raises(ValueError, match=f"PODTUNE_{name}"):
        order_book.read(environment)


def said(**changes):
    bundle = {"via": "port", "sha256": "0" * 64, "bytes": 10}
    values = {"job": "demo-abc234", "attempt": 2, "bundle": bundle, "event_key": KEY} | changes
    return HandOver.model_validate(values).model_dump_json().encode()


def test_our_hand_over_is_read():
    found = order_book.hand_over(said(secrets={"HF_TOKEN": "hf_x"}), order_book.read(TOLD))
    assert found.secrets == {"HF_TOKEN": "hf_x"}
    assert found.event_key == bytes.fromhex(KEY)
    assert found.deliver == {"via": "port"}


def test_addresses_of_our_hand_over_are_read():
    address = {"url": "https://x.example/a?sig=1", "headers": {"x-upsert": "true"}}
    deliver = {"via": "put", "archive": address, "result": address}
    bundle = {"via": "https", "sha256": "0" * 64, "bytes": 10, **address}
    found = order_book.hand_over(said(deliver=deliver, bundle=bundle), order_book.read(TOLD))
    assert order_book.check_address(found.deliver["archive"]) == address
    assert found.bundle["url"] == address["url"]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("job", "another", 409), ("attempt", 1, 409), ("version", 2, 400),
        ("secrets", {"PYTHONPATH": "/tmp"}, 400), ("secrets", {"HF_TOKEN": 5}, 400),
        ("event_key", "zz", 400), ("bundle", {"via": "carrier pigeon"}, 400),
        ("bundle", {"via": "port", "sha256": "0" * 64, "bytes": 0}, 400),
        ("bundle", {"via": "port", "sha256": "x", "bytes": 9}, 400),
        ("bundle", {"via": "https", "sha256": "0" * 64, "bytes": 9, "url": "ftp://x/a"}, 400),
        ("deliver", {"via": "fax"}, 400), ("deliver", {"via": "program", "arguments": []}, 400),
        ("deliver", None, 400), ("secrets", None, 400),
    ],
)  # fmt: skip
def test_a_bad_hand_over_is_refused(field, value, status):
    message = json.loads(said())
    body = json.dumps({**message, field: value}).encode()
    with pytest.raises(order_book.Refused) as caught:
        order_book.hand_over(body, order_book.read(TOLD))
    assert caught.value.status == status


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["version", "job", "attempt", "bundle", "deliver", "via"]), inner
    ),
    max_leaves=8,
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_body_is_an_answer_never_a_crash(body):
    with pytest.raises(order_book.Refused):
        order_book.hand_over(body, order_book.read(TOLD))


def test_the_worker_inherits_no_secret(tmp_path):
    given_to_us = {
        "PATH": "/bin", "RUNPOD_API_KEY": "k", "PODTUNE_TOKEN_SHA256": "x", "JUPYTER_PASSWORD": "p",
        "AWS_SECRET_ACCESS_KEY": "s", "CUDA_VERSION": "12.8", "HF_TOKEN": "of the image",
    }  # fmt: skip
    orders = order_book.read({**TOLD, "PODTUNE_WORKSPACE": str(tmp_path)})
    found = order_book.worker_environment(given_to_us, orders, tmp_path / "libraries", {})
    assert not {"RUNPOD_API_KEY", "PODTUNE_TOKEN_SHA256", "JUPYTER_PASSWORD", "HF_TOKEN"} & set(
        found
    )
    assert "AWS_SECRET_ACCESS_KEY" not in found
    assert (found["CUDA_VERSION"], found["PATH"]) == ("12.8", "/bin")
    assert found["HF_HOME"].startswith(str(tmp_path))
    kept = order_book.worker_environment({"HF_HOME": "/elsewhere"}, orders, tmp_path, {})
    assert kept["HF_HOME"] == "/elsewhere"


def test_a_written_file_is_whole_or_not_there(tmp_path):
    order_book.write(tmp_path / "end", "now")
    assert [p.name for p in tmp_path.iterdir()] == ["end"]
    assert (tmp_path / "end").read_text() == "now"


def test_an_earlier_deadline_comes_with_the_work():
    orders = order_book.read(TOLD)
    assert order_book.hand_over(said(), orders).deadline is None
    assert order_book.hand_over(said(deadline=1_800_000_900), orders).deadline == 1_800_000_900
