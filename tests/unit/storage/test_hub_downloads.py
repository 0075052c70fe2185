"""Downloads that break in every way, against a stand-in Hub; each in a process with its own cache."""

import json
import os
import subprocess
import sys

import pytest

from podtune.storage.hub_downloads import PAUSES_S, Counter, Patience
from support.hub_server import HubServer, commit_of

PROGRAM = """
import json, sys
from podtune.core.errors import PodtuneError
from podtune.storage import hub

slept, seen = [], []
answer = {"slept": slept, "seen": seen}
try:
    folder = hub.fetch(sys.argv[1], sys.argv[2], lambda *pair: seen.append(pair), sleep=slept.append)
    answer["files"] = sorted(p.name for p in folder.rglob("*") if p.is_file())
    answer["weights"] = {p.name: p.read_bytes().hex()[:64] for p in folder.glob("*.safetensors")}
except PodtuneError as error:
    answer["code"] = error.code
    answer["message"] = error.message
print(json.dumps(answer))
"""
SIZE = 400_000


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "llama"}))
    for number in (1, 2):
        content = bytes((i * 7 + number) % 251 for i in range(SIZE))
        (folder / f"model-{number}.safetensors").write_bytes(content)
    return folder


@pytest.fixture
def one_file(model):
    (model / "model-2.safetensors").unlink()
    return model


@pytest.fixture
def fetch(tmp_path):
    def call(running, folder, **environment):
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, "org/model", commit_of(folder)],
            env={**kept, "HF_ENDPOINT": running.url, "HF_HOME": str(tmp_path / "cache"),
                 "HF_HUB_DISABLE_TELEMETRY": "1", **environment},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.splitlines()[-1])

    return call


def cached(tmp_path):
    return sorted(p.name for p in (tmp_path / "cache").rglob("*") if "blobs" in p.parts)


@pytest.mark.parametrize(
    ("faults", "ranges", "pauses"),
    [
        ([503], [None], 1),
        ([500, 429, 502], [None], 3),
        (["reset"], [None], 1),
        (["cut:150000"], [None, "bytes=150000-"], 1),
        (["cut:150000", "reset", "cut:300000"], [None, "bytes=150000-", "bytes=300000-"], 3),
        (["flip"], [None, None], 1),
    ],
)
def test_a_fault_that_passes_is_outlived(one_file, fetch, tmp_path, faults, ranges, pauses):
    with HubServer({"org/model": one_file}, faults=faults) as running:
        answer = fetch(running, one_file)
        assert running.asked_ranges == ranges
    expected = (one_file / "model-1.safetensors").read_bytes().hex()[:64]
    assert answer["weights"] == {"model-1.safetensors": expected}
    assert len(answer["slept"]) == pauses
    assert answer["seen"][-1] == [SIZE, SIZE]
    assert not [name for name in cached(tmp_path) if "partial" in name]


def test_a_server_without_ranges_sends_it_all_again(one_file, fetch):
    with HubServer({"org/model": one_file}, faults=["cut:150000"], ranges=False) as running:
        answer = fetch(running, one_file)
        assert running.asked_ranges == [None, "bytes=150000-"]
    assert answer["weights"]


def test_attempts_that_bring_nothing_are_counted_and_bytes_begin_the_count_again(one_file, fetch):
    with HubServer({"org/model": one_file}, faults=[503] * 3 + ["cut:1000"] + [503] * 3) as running:
        answer = fetch(running, one_file)
    assert answer["slept"] == [1.0, 2.0, 4.0, 1.0, 2.0, 4.0, 8.0]
    assert answer["weights"]


def test_a_hub_that_stays_away_is_given_up_and_a_later_attempt_goes_on(model, fetch, tmp_path):
    with HubServer({"org/model": model}, cut_after=100_000) as running:
        failed = fetch(running, model)
        assert failed["code"] == "hub_unreachable"
        assert len(failed["slept"]) >= len(PAUSES_S)
        assert len([name for name in cached(tmp_path) if name.endswith(".partial")]) == 2
        running.cut_after = None
        running.asked_ranges.clear()
        answer = fetch(running, model)
        assert running.asked_ranges == ["bytes=100000-"] * 2
    assert answer["slept"] == []
    for name, begin in answer["weights"].items():
        assert (model / name).read_bytes().hex().startswith(begin)
    assert len(answer["weights"]) == 2


def test_what_is_here_is_not_asked_for_again(model, fetch):
    with HubServer({"org/model": model}) as running:
        fetch(running, model)
        running.requests.clear()
        again = fetch(running, model)
        assert running.files_downloaded() == set()
    assert again["seen"][-1] == [2 * SIZE, 2 * SIZE]
    without = fetch(running, model)  # the server is gone: the cache is enough
    assert without["files"] == again["files"]


def test_half_a_model_in_the_cache_is_not_taken_for_one(model, fetch):
    with HubServer({"org/model": model}, cut_after=100_000) as running:
        fetch(running, model)
    assert fetch(running, model)["code"] == "hub_unreachable"


def test_told_to_be_offline_nothing_is_tried_twice(model, fetch):
    with HubServer({"org/model": model}) as running:
        answer = fetch(running, model, HF_HUB_OFFLINE="1")
        assert running.requests == []
    assert (answer["code"], answer["slept"]) == ("hub_unreachable", [])


def test_a_refusal_is_not_tried_twice(model, fetch):
    with HubServer({"org/model": model}, gated_files=frozenset({"org/model"})) as running:
        answer = fetch(running, model)
    assert (answer["code"], answer["slept"]) == ("gated_model", [])


def test_a_full_disk_is_not_the_hubs_fault(model, fetch, tmp_path):
    disk = tmp_path / "cache"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=500k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    try:
        with HubServer({"org/model": model}) as running:
            answer = fetch(running, model)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert (answer["code"], answer["slept"]) == ("disk_full", [])


def test_patience_ends():
    slept = []
    patience = Patience(lambda error: isinstance(error, TimeoutError), sleep=slept.append)

    def never():
        raise TimeoutError("no answer")

    with pytest.raises(TimeoutError):
        patience.call(never)
    assert tuple(slept) == PAUSES_S


def test_patience_is_for_what_may_pass_only():
    slept = []
    patience = Patience(lambda error: isinstance(error, TimeoutError), sleep=slept.append)

    def refused():
        raise PermissionError

    with pytest.raises(PermissionError):
        patience.call(refused)
    assert slept == []


def test_bytes_of_all_files_are_added_up():
    told = []
    counter = Counter(30, lambda done, whole: told.append((done, whole)))
    counter.tell("a", 10)
    counter.tell("b", 5)
    counter.tell("a", 20)
    assert told == [(10, 30), (15, 30), (25, 30)]
