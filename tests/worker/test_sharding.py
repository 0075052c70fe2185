import pytest
import torch

import sharding
from podtune.core.errors import UnsupportedError
from podtune.core.spec import AdapterSpec, BaseModelSpec, DataSpec, TrainingSpec
from support import ranks


def spec(**adapter):
    return TrainingSpec(
        base_model=BaseModelSpec(name="org/model"),
        data=DataSpec(source="rows.jsonl"),
        adapter=AdapterSpec(**adapter),
    )


@pytest.mark.parametrize("kind", ["lora", "rslora"])
@pytest.mark.parametrize("bits", [16, 32])
def test_plain_adapters_on_whole_weights_can_be_spread(kind, bits):
    sharding.refuse_unshardable(spec(kind=kind, bits=bits))


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ({"kind": "qlora", "bits": 4}, "a base in 4 bits"),
        ({"kind": "lora", "bits": 8}, "a base in 8 bits"),
        ({"kind": "dora", "bits": 16}, "adapter.kind dora"),
        ({"kind": "full", "bits": 32}, "adapter.kind full"),
    ],
)
def test_what_cannot_be_spread_is_refused_with_the_way_out(adapter, words):
    with pytest.raises(UnsupportedError, match=words) as caught:
        sharding.refuse_unshardable(spec(**adapter))
    assert caught.value.code == "not_built"
    assert "ddp" in caught.value.hint


def test_a_model_without_known_layers_is_refused():
    with pytest.raises(UnsupportedError, match="Sequential"):
        sharding._layers(torch.nn.Sequential(), torch.nn.Linear(2, 2))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return ranks.run("spreading", tmp_path_factory.mktemp("spreading"))


@pytest.mark.parametrize("tied", [True, False])
def test_a_spread_model_answers_as_before(found, tied):
    for one in found:
        assert one[f"tied {tied}"]["spread"]
        assert one[f"tied {tied}"]["logits"] == 0
        assert one[f"tied {tied}"]["same_answer"]


@pytest.mark.parametrize("tied", [True, False])
def test_each_process_holds_its_part_of_the_layers(found, tied):
    parts = [one[f"tied {tied}"] for one in found]
    assert sum(p["held_of_layers"] for p in parts) == parts[0]["layers"]
    for part in parts:
        assert part["held_of_layers"] == part["layers"] / 2
        assert part["held_of_others"] == part["others"]
