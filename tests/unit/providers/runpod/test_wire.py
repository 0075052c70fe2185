import time
from decimal import Decimal

import msgspec
import pytest
from pydantic import ValidationError

from podtune.providers.runpod import wire
from support.runpod_account import pod


def test_five_thousand_pods_decode_in_a_moment():
    body = msgspec.json.encode({"pods": [pod(f"p{i}") for i in range(5000)]})
    best = 9.0
    for _ in range(5):
        start = time.process_time()
        listed = msgspec.json.decode(body, type=wire.PodList)
        best = min(best, time.process_time() - start)
    assert len(listed.pods) == 5000
    assert best < 0.1  # measured 0.012 s alone on a quiet core


@pytest.mark.parametrize("form", [wire.Pod, wire.GpuType, wire.Volume, wire.Registry])  # fmt: skip
def test_of_a_thing_only_the_id_is_needed(form):
    assert msgspec.json.decode(b'{"id":"x","new":[1]}', type=form).id == "x"


def test_every_other_part_may_be_null():
    for form in (wire.Pod, wire.GpuType, wire.Volume, wire.Registry):
        fields = msgspec.structs.fields(form)
        body = {f.encode_name: None for f in fields} | {"id": "x"}
        assert msgspec.convert(body, form).id == "x"


def test_the_specs_example_without_gpus_in_runtime_is_read():
    running = msgspec.convert(pod(runtime={"uptime": 3600, "ports": [{"private": 22}]}), wire.Pod)
    assert running.runtime is not None
    assert running.runtime.gpus is None


@pytest.mark.parametrize(("text", "amount"), [(b"0.44", "0.44"), (b'"0.44"', "0.44"), (b"1", "1")])
def test_money_is_exact(text, amount):
    read = msgspec.json.decode(b'{"secure":' + text + b"}", type=wire.Prices)
    assert read.secure == Decimal(amount)


def test_a_gpu_without_its_count_cannot_be_ordered():
    with pytest.raises(ValidationError):
        wire.GpuRequest.model_validate({"id": "NVIDIA A40"})


def test_what_is_unknown_is_not_sent():
    with pytest.raises(ValidationError):
        wire.CreateVolume.model_validate({"name": "v", "size": 10, "dataCenter": "X", "novel": 1})


def test_a_persistent_mount_has_ten_gb_at_least():
    with pytest.raises(ValidationError):
        wire.PersistentMount(size=9, path="/workspace")
