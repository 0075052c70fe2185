"""A model brought to a network volume by a rented machine: the stand-in cloud, real processes, a real Hub's forms."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from podtune.app import account as account_view
from podtune.app import installation
from podtune.app.cache_machine import Tools
from podtune.app.cache_records import CacheRecords, SparingAccount
from podtune.app.model_cache import CacheWish, ModelCache
from podtune.app.settings import Settings
from podtune.core.cache_filling import SEAL
from podtune.core.errors import (
    ConflictError,
    CredentialsError,
    PodtuneError,
    ProviderError,
    SpecError,
)
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.storage.access import HubAccess
from podtune.storage.hub_model_files import ModelListing
from podtune.testing.dev import laptop_cloud
from podtune.testing.faults import parse_rule
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support import pod_machine
from support.caches import make_model
from support.hearing import hear_all
from support.hub_server import HubServer
from support.hub_writes import POD, WRITER, WritableHub

MODEL = "org/Tiny-Model"
QUICK = {"proof_window_s": 1, "settle_s": 2, "boot_limit_s": 30, "pull_s": 0.1}


class Desk:
    """A cloud, a Hub and a home."""

    def __init__(self, folder: Path, server, hub) -> None:
        self.server, self.hub, self.folder = server, hub, folder
        self.account = server.cloud.account
        told = server.environment()
        access = RunPodAccess(
            SecretStr(told["RUNPOD_API_KEY"]),
            rest_url=told["RUNPOD_REST_BASE_URL"],
            graphql_url=told["RUNPOD_API_BASE_URL"],
            proxy_url=told["RUNPOD_PROXY_URL"],
        )
        self.client = RunPodClient(access)
        self.settings = Settings(home=folder / "home", **QUICK)
        self.said: list[str] = []
        self.heard = []

    def cache(self) -> ModelCache:
        return ModelCache(self.settings, self.client, ModelListing(HubAccess(None, self.hub.url)))

    def tools(self, **changes) -> Tools:
        given = {"say": self.said.append, "on_progress": self.heard.append, **changes}
        records = CacheRecords(self.settings.home)
        provider = RunPodProvider(self.client, self.settings)
        return Tools(provider, self.client.access, records, **given)

    def run(self, *, tools=None, **wish):
        asked = CacheWish(MODEL, **wish)
        cache = self.cache()
        return cache.carry_out(asked, cache.prepare(asked), tools or self.tools())

    def volume(self) -> Path:
        (volume,) = self.account.volumes
        return self.folder / "cloud" / "volumes" / volume

    def model(self) -> Path:
        return self.volume() / "models" / "Tiny-Model"

    def made(self):
        return [line.name for line in self.account.journal if line.what == "created"]

    def check_gone(self):
        assert self.account.live_pods() == []
        for _ in range(200):
            if not self.processes():
                return
            threading.Event().wait(0.05)
        raise AssertionError(f"still there: {self.processes()}")

    def processes(self):
        found = []
        for process in psutil.process_iter():
            try:
                told = " ".join([*process.cmdline(), *process.environ().values()])
                if str(self.folder / "cloud") in told and process.status() != "zombie":
                    found.append(process)
            except psutil.Error:
                continue
        return found


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.delenv("PODTUNE_POD_HF_TOKEN", raising=False)
    opened, clients = [], []

    def start(*faults, **hub):
        options = CloudOptions(provisioning_s=0.1, pull_s=0.1)
        rules = [parse_rule(rule) for rule in faults]
        cloud = CloudServer(laptop_cloud(tmp_path / "cloud", options, faults=rules)).__enter__()
        opened.append(cloud)
        served = HubServer({MODEL: make_model(tmp_path / "hub")}, **hub)
        opened.append(served)
        made = Desk(tmp_path, cloud, served)
        clients.append(made.client)
        return made

    yield start
    for one in [*clients, *opened]:
        one.close()


def test_a_model_comes_to_a_new_volume_and_the_machine_is_gone(desk):
    there = desk()
    done = there.run()
    assert (done.volume_name, done.data_center, done.size_gb) == ("org-model-cache", "US-TX-3", 10)
    assert done.folder == "/runpod-volume/models/Tiny-Model"
    files = {path.name for path in there.model().iterdir()}
    assert files == {
        SEAL, "config.json", "tokenizer.json", "merges.txt", "model.safetensors.index.json",
        "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
    }  # fmt: skip
    assert (there.model() / "model-00001-of-00002.safetensors").read_bytes() == b"a" * 700_000
    seal = json.loads((there.model() / SEAL).read_text())
    assert (seal["model"], seal["bytes"]) == (MODEL, done.total_bytes)
    assert there.heard[-1].sealed
    assert there.heard[-1].done_bytes == done.total_bytes == done.fetched_bytes
    assert done.proof
    assert Decimal(0) < done.machine_usd < 1
    (name,) = there.made()
    assert name.startswith(f"pt-{installation.owner(there.settings.home)}-cache-")
    there.check_gone()


def test_a_second_run_rents_nothing(desk):
    there = desk()
    first = there.run()
    again = there.run()
    assert (again.volume_id, again.machine, again.proof) == (first.volume_id, None, None)
    assert len(there.made()) == 1
    assert len(there.account.volumes) == 1


def test_a_machine_without_a_card_is_taken_where_one_is_free(desk):
    there = desk()
    plan = there.cache().prepare(CacheWish(MODEL)).plan
    assert not plan.machines[0].has_gpu
    assert plan.machines[-1].has_gpu
    there.run()
    (pod,) = there.account.pods.values()
    assert pod.cpu == ("cpu5c", 4, 8)
    assert pod.data_center == "US-TX-3"


def test_without_one_the_cheapest_card_is_taken_and_that_is_said(desk):
    there = desk()
    there.server.cloud.catalogue.cpus.clear()
    plan = there.cache().prepare(CacheWish(MODEL)).plan
    assert [machine.id for machine in plan.machines][:1] == ["Stand-in CPU"]
    assert "no machine without a card is free in US-TX-3" in plan.notices[0]
    assert there.run().proof


def test_a_refused_machine_is_followed_by_the_next(desk):
    there = desk("capacity_drought,gpu=cpu5c")
    done = there.run()
    assert done.machine.startswith("CPU of this machine")
    assert any("cannot be had now" in words for words in there.said)
    there.check_gone()


def test_broken_downloads_go_on_where_they_were(desk):
    there = desk(faults=["cut:250000", 503, "reset", "cut:100000"])
    done = there.run()
    assert (there.model() / "model-00002-of-00002.safetensors").read_bytes() == b"b" * 300_000
    assert any(asked and asked != "bytes=0-" for asked in there.hub.asked_ranges)
    assert done.fetched_bytes == done.total_bytes
    there.check_gone()


def test_what_is_on_the_volume_is_compared_and_kept(desk):
    there = desk()
    first = there.run()
    kept = there.model() / "model-00001-of-00002.safetensors"
    spoilt = there.model() / "model-00002-of-00002.safetensors"
    spoilt.write_bytes(b"x" * 300_000)
    (there.model() / SEAL).unlink()
    before = kept.stat().st_mtime_ns
    again = there.run(look=True)
    assert again.volume_id == first.volume_id
    assert again.fetched_bytes == 300_000
    assert spoilt.read_bytes() == b"b" * 300_000
    assert kept.stat().st_mtime_ns == before
    assert (there.model() / SEAL).is_file()


def test_a_seal_on_the_volume_is_enough_for_a_home_that_knows_nothing(desk):
    there = desk()
    there.run()
    there.settings = there.settings.model_copy(update={"home": there.folder / "other"})
    done = there.run()
    assert (done.fetched_bytes, done.machine is None) == (0, False)
    assert len(there.account.volumes) == 1


def test_a_damaged_file_is_never_sealed(desk):
    there = desk(faults=["flip", "flip", "flip", "flip"])
    with pytest.raises(PodtuneError) as caught:
        there.run()
    assert caught.value.code == "integrity_mismatch"
    assert not (there.model() / SEAL).exists()
    there.check_gone()
    assert there.run().proof  # the next one goes on


def test_ctrl_c_ends_the_machine(desk):
    there = desk()

    def interrupt(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        there.run(tools=there.tools(on_progress=interrupt))
    there.check_gone()
    assert CacheRecords(there.settings.home).left() == []
    assert there.run().proof


def test_the_deadline_ends_the_machine(desk):
    there = desk("stuck_initialising")
    with pytest.raises(ProviderError) as caught:
        there.run(hours=0.0008)
    assert caught.value.code == "over_time"
    assert "more --hours" in caught.value.hint
    there.check_gone()


def test_a_lost_answer_to_the_order_makes_no_second_machine(desk):
    there = desk("after_effect,route=create_pod,nth=1")
    assert there.run().proof
    assert len(there.made()) == 1
    there.check_gone()


def test_a_lost_answer_to_the_volume_makes_no_second_volume(desk):
    there = desk("after_effect,route=create_volume,nth=1")
    assert there.run().proof
    assert len(there.account.volumes) == 1


def test_what_a_dead_command_left_is_ended_first(desk):
    there = desk()
    records = CacheRecords(there.settings.home)
    left = []

    def die(progress):
        left.extend(pod.name for pod in there.account.live_pods())
        raise SystemExit

    class Deaf(RunPodProvider):
        """A process that is killed: nothing it does after that reaches the cloud."""

        def terminate(self, name, instance_id):
            raise SystemExit

    deaf = Deaf(there.client, there.settings)
    with pytest.raises(SystemExit):
        there.run(tools=there.tools(on_progress=die)._replace(provider=deaf))
    assert [run.names for run in records.left()] == [tuple(left[:1])]
    owner = installation.owner(there.settings.home)
    seen = SparingAccount(RunPodProvider(there.client, there.settings), there.settings.home)
    assert [one.name for one in seen.owned(owner)] == left[:1]  # the reaper sees it
    assert there.run().proof
    assert any("ends what an earlier command left" in words for words in there.said)
    assert records.left() == []
    there.check_gone()


def test_a_reaper_does_not_see_the_machine_of_a_living_command(desk):
    there = desk()
    seen, busy, wanted = [], [], []

    def look(progress):
        owner = installation.owner(there.settings.home)
        account = SparingAccount(RunPodProvider(there.client, there.settings), there.settings.home)
        seen.append([one.name for one in account.owned(owner)])
        report = account_view.audit(there.settings, client=there.client)
        wanted.extend(row.wanted for row in report.rows)
        busy.append(CacheRecords(there.settings.home).busy(*there.account.volumes))

    there.run(tools=there.tools(on_progress=look))
    assert seen
    assert all(names == [] for names in seen)
    assert all(busy)
    assert set(wanted) == {True}


def test_two_commands_do_not_fill_one_volume(desk):
    there = desk()

    def other(progress):
        with pytest.raises(ConflictError) as caught:
            there.run(look=True)
        assert caught.value.code == "volume_busy"

    assert there.run(tools=there.tools(on_progress=other)).proof


def test_a_size_that_is_too_small_is_refused_and_a_small_volume_grows(desk):
    there = desk()
    big = b"z" * 11_000_000
    folder = there.folder / "hub"
    (folder / "model-00001-of-00002.safetensors").write_bytes(big)
    with pytest.raises(SpecError) as caught:
        there.cache().prepare(CacheWish(MODEL, size_gb=9))
    assert caught.value.code in ("volume_too_small", "volume_size")
    done = there.run(size_gb=20)
    assert done.size_gb == 20
    plan = there.cache().prepare(CacheWish(MODEL, size_gb=30, look=True)).plan
    assert (plan.volume.action, plan.volume.size_gb) == ("grow", 30)
    grown = there.run(size_gb=30)
    assert grown.machine is None  # filled already: only the volume becomes larger
    assert [volume.size_gb for volume in there.account.volumes.values()] == [30]


def test_a_volume_elsewhere_is_told(desk):
    there = desk()
    there.run()
    with pytest.raises(SpecError) as caught:
        there.cache().prepare(CacheWish(MODEL, region="EU-RO-1"))
    assert caught.value.code == "volume_elsewhere"
    with pytest.raises(SpecError) as caught:
        there.cache().prepare(CacheWish(MODEL, volume="nope"))
    assert caught.value.code == "volume_unknown"
    with pytest.raises(SpecError) as caught:
        there.cache().prepare(CacheWish(MODEL, name="b", region="CA-MTL-1"))
    assert caught.value.code == "region_unknown"


def test_a_gated_model_needs_a_token_of_the_machines_own(desk, tmp_path, monkeypatch):
    there, theirs = desk(), "anna/Tiny-Model"
    with WritableHub(tmp_path / "accounts", large=1000) as hub:
        files = {path.name: path.read_bytes() for path in (tmp_path / "hub").iterdir()}
        hub.make(theirs, files, private=True)
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        listing = ModelListing(HubAccess(SecretStr(WRITER), hub.url))
        cache = ModelCache(there.settings, there.client, listing)
        with pytest.raises(CredentialsError) as caught:
            cache.prepare(CacheWish(theirs))
        assert caught.value.code == "pod_token_needed"
        monkeypatch.setenv("PODTUNE_POD_HF_TOKEN", WRITER)
        with pytest.raises(CredentialsError) as caught:
            cache.prepare(CacheWish(theirs))
        assert caught.value.code == "broad_token"
        monkeypatch.setenv("PODTUNE_POD_HF_TOKEN", POD)
        wish = CacheWish(theirs)
        assert cache.carry_out(wish, cache.prepare(wish), there.tools()).proof
        assert all(sent is None for sent in hub.sent_away)  # the other host sees no token
    (pod,) = there.account.pods.values()
    assert POD not in json.dumps([pod.env, pod.args])
    disk = there.model().parent.parent
    for path in disk.rglob("*"):
        assert not path.is_file() or POD.encode() not in path.read_bytes()
    sums = [one["sha256"] for one in json.loads((there.model() / SEAL).read_text())["files"]]
    assert hashlib.sha256(b"a" * 700_000).hexdigest() in sums
    there.check_gone()


class Command:
    """The real command line as a process of its own."""

    def __init__(self, there) -> None:
        self.there = there
        kept = {n: v for n, v in os.environ.items() if not n.startswith("PODTUNE_")}
        self.environment = {
            **kept, **there.server.environment(), "HF_ENDPOINT": there.hub.url, "COLUMNS": "200",
            "PODTUNE_HOME": str(there.settings.home),
            **{f"PODTUNE_{name.upper()}": str(value) for name, value in QUICK.items()},
        }  # fmt: skip

    def start(self):
        words = [sys.executable, "-m", "podtune", "runpod", "cache", MODEL, "--yes"]
        return subprocess.Popen(
            words, env=self.environment, cwd=self.there.folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=hear_all,
        )  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_ends_command_and_machine(desk, number):
    there = desk(faults=[503] * 200)
    with Command(there).start() as process:
        pod_machine.eventually(lambda: len(there.hub.faults) < 198, timeout_s=60)
        process.send_signal(number)
        said, _ = process.communicate(timeout=40)
    assert process.returncode == 130, said
    assert "the machine is gone" in said
    there.check_gone()
    there.hub.faults.clear()
    assert there.run().proof


def test_after_a_kill_the_reaper_sees_the_machine_and_the_next_command_goes_on(desk):
    there = desk(faults=[503] * 200)
    owner = None
    with Command(there).start() as process:
        pod_machine.eventually(lambda: len(there.hub.faults) < 198, timeout_s=60)
        owner = installation.owner(there.settings.home)
        provider = RunPodProvider(there.client, there.settings)
        assert SparingAccount(provider, there.settings.home).owned(owner) == []
        process.kill()
        process.communicate()
    provider = RunPodProvider(there.client, there.settings)
    (left,) = SparingAccount(provider, there.settings.home).owned(owner)
    there.hub.faults.clear()
    assert there.run().proof
    assert left.name not in [pod.name for pod in there.account.live_pods()]
    there.check_gone()
