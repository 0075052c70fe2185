"""The machine's own programs as real processes: hand over, train, fetch, end."""

import json
import socket
import struct

import pytest

from podtune.core.errors import ArtifactError, ConflictError, ProviderError
from podtune.core.events import EventKind, parse_line
from podtune.core.handover import BundleByPort, verified_event
from support import pod_bundles, pod_machine
from support.pod_machine import eventually, hand_over


def give(machine, bundle, **changes):
    """Hand over and send; the port."""
    port = machine.port()
    message = hand_over(bundle, **changes)
    port.hand_over(message)
    assert port.send_bundle(bundle, within_s=20)
    return port


def until(port, *phases):
    return eventually(lambda: (s := port.status()).phase in phases and s)


def test_a_whole_job(up, bundle, tmp_path):
    with give(up, bundle) as port:
        status = until(port, "finished")
        assert (status.worker_exit, status.attempt) == (0, 1)
        tail = port.events(0)
        events = [parse_line(line) for line in tail.block.decode().splitlines()]
        assert [e.seq for e in events if e] == [0, 1, 2]
        assert port.events(tail.total).block == b""
        assert b"@podtune" in port.log(0).block
        files = port.files()
        assert port.fetch_files(tmp_path / "artifact", files)
        assert (tmp_path / "artifact" / "deep" / "README.md").read_text() == "a card\n"
        (checkpoint,) = port.checkpoints()
        assert port.fetch_files(
            tmp_path / "checkpoint", checkpoint.files, checkpoint=checkpoint.name
        )
        assert json.loads((tmp_path / "checkpoint" / "complete.json").read_text())
        port.release()
    eventually(up.control.ended.is_set)
    assert up.control.asked[0][0] == "delete"


def test_events_stand_signed_on_the_containers_output(up, bundle):
    with give(up, bundle) as port:
        until(port, "finished")
    lines = up.text().splitlines()
    found = [verified_event(line, pod_machine.KEY) for line in lines]
    assert [pair[0].kind for pair in found if pair] == [
        EventKind.STAGE, EventKind.STEP, EventKind.RESULT,
    ]  # fmt: skip
    assert not any(verified_event(line, "00" * 32) for line in lines)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "status"), ("GET", "bundle"), ("GET", "events?after=0"), ("GET", "log"),
        ("GET", "files"), ("GET", "files/adapter_model.safetensors"), ("GET", "checkpoints"),
        ("POST", "hand-over"), ("PUT", "bundle?offset=0"), ("PUT", "address"), ("POST", "cancel"),
        ("POST", "release"), ("GET", "nothing"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("token", [None, "another", ""])
def test_nothing_without_the_token(shared, method, path, token):
    body = None if method == "GET" else b"{}"
    assert shared.ask(method, path, body, token)[0] == 401


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One machine that is only asked."""
    with pod_machine.Machine(tmp_path_factory.mktemp("shared")) as machine:
        eventually(machine.is_up)
        yield machine


def test_health_says_nothing_else(shared):
    assert shared.ask("GET", "health", token=None) == (200, {"ok": True})


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("PUT", "status", b"", 404),
        ("GET", "events?after=x", None, 400),
        ("GET", "files/../../environment.json", None, 404),
        ("GET", "checkpoints/checkpoint-1/weights", None, 404),
        ("POST", "hand-over", b"no json", 400),
        ("POST", "hand-over", b"[1]", 400),
        ("POST", "hand-over", b"x" * 300_000, 413),
        ("PUT", "bundle?offset=0", b"early", 409),
        ("PUT", "address", b'{"name": "archive", "url": "https://x"}', 409),
        ("PUT", "address", b"[]", 400),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(shared, method, path, body, status):
    code, said = shared.ask(method, path, body)
    assert code == status
    assert said["reason"]


def test_a_hand_over_for_another_attempt_is_refused(up, bundle):
    with up.port() as port, pytest.raises(ConflictError) as caught:
        port.hand_over(hand_over(bundle, attempt=2))
    assert caught.value.code == "pod_another"


def test_an_attempt_that_began_takes_no_second_hand_over(up, long_bundle):
    with give(up, long_bundle) as port:
        until(port, "training")
        with pytest.raises(ConflictError) as caught:
            port.hand_over(hand_over(long_bundle))
        assert caught.value.code == "pod_begun"
        with pytest.raises(ConflictError, match="is training"):
            port.release()


def test_the_same_hand_over_again_is_success_until_it_begins(up, bundle):
    with up.port() as port:
        message = hand_over(bundle)
        port.hand_over(message)
        port.hand_over(message)
        assert port.send_bundle(bundle, within_s=20)
        until(port, "finished")


def test_a_bundle_goes_on_from_the_byte_it_reached(up, bundle):
    content = bundle.read_bytes()
    half = len(content) // 2
    with up.port() as port:
        port.hand_over(hand_over(bundle))
        assert up.ask("PUT", "bundle?offset=0", content[:half])[1] == {"received": half}
        code, said = up.ask("PUT", "bundle?offset=0", content[:half])
        assert (code, said["received"]) == (409, half)
        assert up.ask("GET", "bundle")[1] == {"received": half, "total": len(content)}
        assert port.send_bundle(bundle, within_s=20)
        until(port, "finished")


def test_a_line_that_breaks_in_mid_piece_loses_no_byte_that_came(up, bundle):
    content = bundle.read_bytes()
    with up.port() as port:
        port.hand_over(hand_over(bundle))
        with socket.create_connection(("127.0.0.1", up.port_number)) as line:
            head = (
                f"PUT /bundle?offset=0 HTTP/1.1\r\nHost: pod\r\nContent-Length: {len(content)}\r\n"
                f"Authorization: Bearer {pod_machine.TOKEN}\r\n\r\n"
            )
            line.sendall(head.encode() + content[:100_000])
            eventually(lambda: port.received().received > 50_000)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert port.status().phase == "receiving"
        assert port.send_bundle(bundle, within_s=20)
        until(port, "finished")


def test_a_restart_in_mid_transfer_keeps_what_came(up, bundle):
    content = bundle.read_bytes()
    with up.port() as port:
        port.hand_over(hand_over(bundle))
        up.ask("PUT", "bundle?offset=0", content[:1000])
        up.end()
        up.start()
        eventually(up.is_up)
        assert port.status().phase == "waiting"
        port.hand_over(hand_over(bundle))
        assert port.received().received == 1000
        assert port.send_bundle(bundle, within_s=20)
        until(port, "finished")


def test_another_bundle_than_announced_is_dropped(up, bundle):
    size = bundle.stat().st_size
    with up.port() as port:
        port.hand_over(hand_over(bundle, bundle=BundleByPort(sha256="0" * 64, bytes=size)))
        with pytest.raises(ArtifactError, match="another file"):
            port.send_bundle(bundle, within_s=20)
        assert port.received().received == 0
        assert port.status().phase == "receiving"
        port.hand_over(hand_over(bundle))
        assert port.send_bundle(bundle, within_s=20)
        until(port, "finished")


def test_a_disk_too_small_is_told_before_anything_is_sent(up, bundle):
    with up.port() as port:
        port.hand_over(hand_over(bundle, bundle=BundleByPort(sha256="0" * 64, bytes=10**15)))
        assert until(port, "failed").detail.startswith("disk_full")
        (line,) = port.events(0).block.decode().splitlines()
    assert parse_line(line).result.error_code == "disk_full"


def test_the_worker_sees_no_key_of_ours(up, bundle):
    message = hand_over(bundle)
    with up.port() as port:
        port.hand_over(message)
        port.send_bundle(bundle, within_s=20)
        until(port, "finished")
    seen = json.loads((up.folder / "job" / "environment.json").read_text())
    assert "RUNPOD_API_KEY" not in seen
    assert "PODTUNE_TOKEN_SHA256" not in seen
    assert seen["HF_TOKEN"] == message.secrets["HF_TOKEN"].get_secret_value()
    assert seen["PYTHONPATH"].startswith(str(up.folder))
    written = [p for p in up.workspace.rglob("*") if p.is_file() and p.name != "environment.json"]
    for secret in (seen["HF_TOKEN"], pod_machine.TOKEN, pod_machine.KEY):
        assert [p.name for p in written if secret.encode() in p.read_bytes()] == []


def test_cancel_saves_a_checkpoint(up, long_bundle):
    with give(up, long_bundle) as port:
        until(port, "training")
        eventually(lambda: port.status().events_bytes)
        port.cancel()
        status = until(port, "failed")
        assert status.detail.startswith("interrupted")
        assert [c.step for c in port.checkpoints()] == [7, 2]
        port.release()
    eventually(up.control.ended.is_set)


def test_cancel_before_anything_came(up):
    with up.port() as port:
        port.cancel()
        assert until(port, "failed").detail.startswith("interrupted")


def test_a_worker_without_a_word_is_told_as_lost(up, tmp_path):
    with give(up, pod_bundles.write(tmp_path / "bundle.tar", mode="die")) as port:
        status = until(port, "failed")
        assert status.worker_exit == -9
        last = parse_line(port.events(0).block.decode().splitlines()[-1])
    assert (last.seq, last.result.error_code) == (2, "worker_lost")
    assert "signal 9" in last.result.error_message


def test_an_unfit_machine_trains_nothing(up, tmp_path):
    bundle = pod_bundles.write(tmp_path / "bundle.tar", preflight=pod_bundles.UNFIT)
    with give(up, bundle) as port:
        assert until(port, "failed").detail == "no_cuda: no card"
        (line,) = port.events(0).block.decode().splitlines()
    assert parse_line(line).result.error_code == "no_cuda"
    assert not (up.folder / "starts").exists()


def test_a_container_started_again_does_not_train_again(up, long_bundle):
    with give(up, long_bundle) as port:
        until(port, "training")
        eventually(lambda: port.status().events_bytes)
        up.end()
        (up.folder / "go").touch()
        up.start()
        eventually(up.is_up)
        assert until(port, "failed").detail.startswith("worker_lost")
        with pytest.raises(ConflictError):
            port.hand_over(hand_over(long_bundle))
        assert port.checkpoints()
    assert (up.folder / "starts").read_text() == "x"
    assert "not trained again" in up.text()


def test_a_finished_artifact_outlives_a_restart(up, bundle, tmp_path):
    with give(up, bundle) as port:
        until(port, "finished")
        up.end()
        up.start()
        eventually(up.is_up)
        until(port, "finished")
        assert port.fetch_files(tmp_path / "artifact", port.files())
        port.release()
    eventually(up.control.ended.is_set)


def test_a_killed_receiver_ends_the_machine(up, long_bundle):
    with give(up, long_bundle) as port:
        until(port, "training")
        up.kill("receive.py")
    eventually(up.control.ended.is_set)
    assert "the receiver ended" in up.text()


def test_the_watchdog_is_started_again(up):
    up.kill("watchdog.py")
    eventually(lambda: "starting it again" in up.text())
    with up.port() as port:
        port.release()
    eventually(up.control.ended.is_set)


def test_a_failed_machine_is_kept_to_look_inside(machine, tmp_path):
    machine.environment["PODTUNE_KEEP_ON_FAILURE_S"] = "600"
    machine.start()
    eventually(machine.is_up)
    with give(machine, pod_bundles.write(tmp_path / "bundle.tar", mode="die")) as port:
        until(port, "held")
        assert not machine.control.ended.is_set()
        port.release()
    eventually(machine.control.ended.is_set)


def test_sigterm_lets_the_worker_save(up, long_bundle):
    with give(up, long_bundle) as port:
        until(port, "training")
        eventually(lambda: port.status().events_bytes)
    up.process.terminate()
    assert up.process.wait(60) == 143
    assert (up.folder / "job" / "checkpoints" / "checkpoint-7" / "complete.json").is_file()
    assert up.processes() == []


def test_an_answer_of_a_stranger_is_not_the_machines_word(up):
    with up.port("another") as port, pytest.raises(ProviderError) as caught:
        port.status()
    assert caught.value.code == "pod_refused_token"
    assert "another" not in str(caught.value)
