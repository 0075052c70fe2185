"""A folder of a volume filled by the machine's own programs."""

import hashlib
import json
import threading

import pytest

import fill_cache
import orders as order_book
from fill_cache import SEAL, CacheFill
from orders import Refused
from podtune.core import cache_filling
from podtune.core.cache_filling import CacheFile, FillStatus, Seal
from podtune.core.errors import ConflictError
from podtune.core.handover import pod_environment
from state import PodState
from support.caches import order
from support.hub_server import HubServer, commit_of
from support.pod_machine import eventually

FILES = {"config.json": b"{}", "a.safetensors": b"a" * 90_000, "b.safetensors": b"b" * 80_000}


@pytest.fixture
def hub(tmp_path):
    folder = tmp_path / "hub"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    with HubServer({"org/m": folder}) as serving:
        serving.commit = commit_of(folder)
        yield serving


@pytest.fixture
def state(tmp_path):
    figures = {"DEADLINE": 4e9, "STARTED": 1e9}
    told = pod_environment(job="cache-abc", attempt=1, token="t", figures=figures)
    orders = order_book.read({**told, "PODTUNE_WORKSPACE": str(tmp_path / "volume")})
    orders.watch.mkdir(parents=True)
    return PodState(orders)


def wanted(hub, **changes):
    files = tuple(
        CacheFile(path=name, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for name, content in FILES.items()
    )
    return order(**{"hub": hub.url, "commit": hub.commit, "files": files, **changes})


def filled(state, message, **more):
    filling = CacheFill(state, hold_s=0, sleep=lambda seconds: None, **more)
    filling.accept(message.model_dump_json().encode())
    eventually(lambda: state.released.is_set())
    return filling.status()["fill"]


def folder_of(state):
    return state.orders.workspace / "models" / "m"


def test_both_sides_mean_the_same():
    assert (fill_cache.SEAL, fill_cache.VERSION) == (cache_filling.SEAL, cache_filling.VERSION)
    assert fill_cache.MOST_FILES == cache_filling.MOST_FILES


def test_a_folder_is_filled_and_sealed_last(state, hub):
    told = filled(state, wanted(hub))
    assert (told["sealed"], told["done_files"], told["error"]) == (True, 3, None)
    assert told["done_bytes"] == told["fetched_bytes"] == told["total_bytes"]
    assert {p.name: p.read_bytes() for p in folder_of(state).iterdir() if p.name != SEAL} == FILES
    seal = Seal.model_validate_json((folder_of(state) / SEAL).read_bytes())
    assert (seal.model, seal.files) == ("org/m", wanted(hub).files)
    assert seal.sealed_at
    assert state.phase == "finished"
    assert (state.orders.watch / "end").exists()  # nobody asked: the watchdog ends the machine


def test_a_seal_of_the_same_order_is_believed(state, hub, tmp_path):
    filled(state, wanted(hub))
    asked = len(hub.requests)
    again = PodState(state.orders)
    told = filled(again, wanted(hub))
    assert (told["sealed"], told["fetched_bytes"]) == (True, 0)
    assert len(hub.requests) == asked


def test_a_seal_with_a_file_missing_is_not(state, hub):
    filled(state, wanted(hub))
    (folder_of(state) / "b.safetensors").unlink()
    told = filled(PodState(state.orders), wanted(hub))
    assert (told["sealed"], told["fetched_bytes"]) == (True, 80_000)


def test_a_folder_of_another_model_is_left_alone(state, hub):
    filled(state, wanted(hub))
    before = (folder_of(state) / SEAL).read_bytes()
    again = PodState(state.orders)
    told = filled(again, wanted(hub, model="other/m"))
    assert told["error"]["code"] == "folder_taken"
    assert (folder_of(state) / SEAL).read_bytes() == before
    assert again.phase == "failed"


def test_a_failure_leaves_no_seal_and_is_typed(state, hub):
    hub.faults = ["flip"] * 8
    told = filled(state, wanted(hub))
    assert told["error"]["code"] == "integrity_mismatch"
    assert not (folder_of(state) / SEAL).exists()
    assert state.phase == "failed"
    status = FillStatus.model_validate({**state.status(), "gpus": [], "fill": told})
    assert status.fill
    assert status.fill.error


def test_a_cancelled_machine_takes_nothing(state, hub):
    state.cancelled.set()
    with pytest.raises(Refused) as caught:
        CacheFill(state).accept(wanted(hub).model_dump_json().encode())
    assert caught.value.status == 409


def test_the_same_order_again_is_success_and_another_is_not(state, hub):
    filling = CacheFill(state, hold_s=0)
    assert filling.status() == {}
    body = wanted(hub).model_dump_json().encode()
    filling.accept(body)
    filling.accept(body)
    with pytest.raises(Refused) as caught:
        filling.accept(wanted(hub, folder="n").model_dump_json().encode())
    assert caught.value.status == 409
    eventually(state.released.is_set)


def test_a_volume_that_cannot_be_written_is_told(state, hub):
    state.orders.workspace.joinpath("models").write_text("no folder")
    assert filled(state, wanted(hub))["error"]["code"] == "pod_failed"


@pytest.mark.parametrize(
    "changes",
    [
        {"folder": "../x"}, {"commit": "main"}, {"model": "a b"}, {"hub": "http://hub.example"},
        {"hub": "https://user@hub.example"}, {"files": []}, {"files": [{"path": "../x", "bytes": 1}]},
        {"files": [{"path": "complete.json", "bytes": 1}]}, {"files": [{"path": "x", "bytes": -1}]},
        {"files": [{"path": "x", "bytes": 1}] * 2}, {"secrets": {"LD_PRELOAD": "x"}},
        {"version": 2}, {"files": [{"path": "x", "bytes": 1, "sha256": "short"}]},
    ],
)  # fmt: skip
def test_a_malformed_order_is_refused(state, hub, changes):
    said = json.loads(wanted(hub).model_dump_json()) | changes
    with pytest.raises(Refused) as caught:
        fill_cache.read(json.dumps(said).encode(), state.orders)
    assert caught.value.status == 400


def test_an_order_for_another_machine_is_refused(state, hub):
    with pytest.raises(Refused) as caught:
        fill_cache.read(wanted(hub, job="cache-xyz").model_dump_json().encode(), state.orders)
    assert (caught.value.status, caught.value.facts) == (409, {"kind": "another"})


def test_by_the_port_of_a_real_machine(machine, hub):
    """The pod's own programs, from bootstrap to the watchdog that ends the machine."""
    machine.environment["PODTUNE_JOB"] = "cache-abc"
    machine.start()
    eventually(machine.is_up)
    with machine.port() as port:
        assert port.fill_status().fill is None
        port.fill(wanted(hub))
        eventually(lambda: port.fill_status().phase == "finished")
        status = port.fill_status()
        assert status.fill
        assert status.fill.sealed
        with pytest.raises(ConflictError):
            port.fill(wanted(hub, folder="n"))
        port.release()
    assert machine.control.ended.wait(20)
    assert (machine.workspace / "models" / "m" / SEAL).is_file()


def test_a_cancel_stops_a_download(state, hub):
    hub.faults = [503] * 50
    pauses = threading.Event()

    def pause(seconds):
        pauses.set()
        state.cancelled.set()

    filling = CacheFill(state, hold_s=0, sleep=pause)
    filling.accept(wanted(hub).model_dump_json().encode())
    eventually(state.released.is_set)
    assert pauses.is_set()
    assert filling.status()["fill"]["error"]["code"] == "interrupted"
