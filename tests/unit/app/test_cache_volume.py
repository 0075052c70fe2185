"""Which volume a model comes to, against the stand-in cloud without sockets."""

from decimal import Decimal

import pytest
from pydantic import SecretStr

from podtune.app import cache_volume
from podtune.app.cache_machine import Tools
from podtune.app.cache_records import CacheRecords
from podtune.app.model_cache import CacheWish
from podtune.core.cache_filling import CacheFile, Seal
from podtune.core.errors import DoubtfulError, NoCapacityError, SpecError
from podtune.core.limits import Limits
from podtune.providers.runpod import volumes
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.storage.hub_model_files import ModelFiles
from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import NoPods
from podtune.testing.faults import parse_rule
from podtune.testing.options import CloudOptions
from podtune.testing.transport import transport

QWEN = ModelFiles(
    "Qwen/Qwen3-Next-80B-A3B-Instruct", "c" * 40, False,
    (CacheFile(path="model.safetensors", bytes=159_000_000_000),),
)  # fmt: skip


class Desk:
    def __init__(self, folder, *faults):
        self.clock = VirtualClock()
        rules = [parse_rule(rule) for rule in faults]
        self.cloud = Cloud(self.clock, 1, NoPods(), CloudOptions(), faults=rules)
        access = RunPodAccess(SecretStr("rpa_x"), rest_url="https://api.runpod.io/v2")
        self.client = RunPodClient(
            access, transport=transport(self.cloud), sleep=self.clock.advance
        )
        self.records = CacheRecords(folder)
        self.said = []

    def plan(self, **wish):
        asked = CacheWish(QWEN.name, **wish)
        return cache_volume.plan(self.client, self.records, asked, QWEN, "Qwen3")

    def settle(self, wanted):
        tools = Tools(
            None, self.client.access, self.records, lambda: self.cloud.account.now,
            self.clock.advance, say=self.said.append,
        )  # fmt: skip
        return cache_volume.settled(self.client, wanted, Limits(), tools)


@pytest.fixture
def desk(tmp_path):
    return lambda *faults: Desk(tmp_path, *faults)


def test_a_new_one_where_the_card_is(desk):
    wanted, notices = desk().plan()
    assert (wanted.name, wanted.size_gb, wanted.action) == ("qwen-model-cache", 220, "make")
    assert (wanted.data_center, wanted.usd_per_month) == ("US-TX-3", Decimal("15.40"))
    assert "A100" in wanted.why_here
    assert notices == ()


def test_specification_bs_200_gb_hold_the_model_and_less_does_not(desk):
    assert desk().plan(size_gb=200)[0].size_gb == 200
    with pytest.raises(SpecError) as caught:
        desk().plan(size_gb=160)
    assert caught.value.code == "volume_too_small"
    assert "at least 163 GB" in caught.value.message
    assert "--size 220" in caught.value.hint


def test_made_once_and_then_kept(desk):
    there = desk()
    made = there.settle(there.plan()[0])
    again, _ = there.plan()
    assert (again.id, again.action) == (made.id, "keep")
    assert there.settle(again) == again
    assert len(there.cloud.account.volumes) == 1


def test_a_small_one_grows_and_a_large_one_stays(desk):
    there = desk()
    volumes.make(there.client, "qwen-model-cache", 100, "EU-RO-1")
    wanted, _ = there.plan()
    assert (wanted.action, wanted.present_gb, wanted.size_gb) == ("grow", 100, 220)
    there.settle(wanted)
    assert volumes.named(there.client, "qwen-model-cache").size == 220
    kept, notices = there.plan(size_gb=200)
    assert (kept.action, kept.size_gb) == ("keep", 220)
    assert "cannot become smaller" in notices[0]


def test_one_that_holds_the_files_is_not_grown_for_comfort(desk):
    there = desk()
    volumes.make(there.client, "mine", 170, "EU-RO-1")
    wanted, _ = there.plan(volume="mine")
    assert (wanted.action, wanted.size_gb, wanted.data_center) == ("keep", 170, "EU-RO-1")


def test_other_models_on_it_count(desk):
    there = desk()
    made = volumes.make(there.client, "qwen-model-cache", 170, "EU-RO-1")
    file = CacheFile(path="a", bytes=60_000_000_000)
    there.records.note(
        made.id, "Other", Seal(model="o/Other", commit="c", bytes=file.bytes, files=(file,))
    )
    assert there.plan()[0].size_gb == 290


def test_the_card_or_the_place_may_be_named(desk):
    assert desk().plan(gpu="RTX 4090")[0].data_center == "US-KS-2"
    assert desk().plan(region="EU-RO-1")[0].data_center == "EU-RO-1"
    assert "free for workers" in desk().plan(region="EU-RO-1")[0].why_here
    with pytest.raises(NoCapacityError):
        desk().plan(gpu="B200")


def test_a_lost_answer_makes_no_second_one(desk):
    there = desk("after_effect,route=create_volume,nth=1")
    made = there.settle(there.plan()[0])
    assert made.id in there.cloud.account.volumes
    assert len(there.cloud.account.volumes) == 1


def test_one_that_was_perhaps_made_and_is_never_seen(desk):
    there = desk("before_effect,route=create_volume,nth=1")
    with pytest.raises(DoubtfulError, match="is not known"):
        there.settle(there.plan()[0])


def test_larger_than_any_volume(desk):
    with pytest.raises(SpecError) as caught:
        desk().plan(size_gb=5000)
    assert caught.value.code == "volume_size"


def test_nothing_free_names_the_place():
    assert "EU-RO-1" in cache_volume.nothing_free("EU-RO-1").message
