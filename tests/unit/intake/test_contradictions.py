"""Fields that cannot both hold are refused by name; a written spec never contradicts itself."""

import pytest

from podtune.core.errors import SpecError
from podtune.core.spec import TrainingSpec, nest
from podtune.intake.contradictions import refuse_contradictions
from support import build

RENTED = {"where.on": "runpod"}
QUEUE = {"where.on": "runpod-serverless"}
QLORA, FULL = {"adapter.kind": "qlora"}, {"adapter.kind": "full"}


def spec(stated):
    return TrainingSpec.model_validate(
        nest({"base_model.name": "org/model", "data.source": "x.jsonl", **stated})
    )


@pytest.mark.parametrize(
    ("stated", "field"),
    [
        ({**QLORA, "adapter.bits": 16}, "adapter.bits"),
        ({**QLORA, "adapter.bits": 8}, "adapter.bits"),
        ({**FULL, "adapter.bits": 4}, "adapter.bits"),
        ({**FULL, "adapter.bits": 8}, "adapter.bits"),
        ({"adapter.bits": 32, "training.precision": "bf16"}, "adapter.bits"),
        ({"adapter.bits": 16, "training.precision": "fp32"}, "adapter.bits"),
        ({**FULL, "adapter.target_modules": ["q_proj"]}, "adapter.target_modules"),
        ({**FULL, "adapter.dropout": 0.1}, "adapter.dropout"),
        ({**FULL, "adapter.experts": True}, "adapter.experts"),
        ({"adapter.kind": "dora", "adapter.experts": True}, "adapter.experts"),
        ({"adapter.experts": True, "adapter.dropout": 0.1}, "adapter.dropout"),
        ({"training.beta": 0.2}, "training.beta"),
        ({"method": "cpt", "training.beta": 0.2}, "training.beta"),
        ({"training.sharding": "fsdp"}, "training.sharding"),
        ({**RENTED, "where.gpu": "A40", "where.gpu_any_of": ["L4"]}, "where.gpu_any_of"),
        ({**RENTED, "where.gpu": "A40", "where.gpu_avoid": ["A40"]}, "where.gpu_avoid"),
        ({**RENTED, "where.gpu_any_of": ["A40"], "where.gpu_avoid": ["A40"]}, "where.gpu_avoid"),
        ({**RENTED, "where.volume": "v", "where.cloud": "community"}, "where.volume"),
        ({**RENTED, "where.endpoint": "e"}, "where.endpoint"),
        ({**QUEUE, "where.image": "me/worker:1"}, "where.image"),
        ({**QUEUE, "where.registry_auth": "r"}, "where.registry_auth"),
        ({**QUEUE, "where.region": "EU-RO-1"}, "where.region"),
        ({**QUEUE, "where.volume": "v"}, "where.volume"),
        ({**QUEUE, "where.keep_on_failure_min": 5}, "where.keep_on_failure_min"),
        ({**RENTED, "where.volume_gb": 9}, "where.volume_gb"),
    ],
)
def test_a_contradiction_is_refused_by_its_field(stated, field):
    with pytest.raises(SpecError) as caught:
        refuse_contradictions(spec(stated))
    assert caught.value.code == "contradiction"
    assert [p.partition(":")[0] for p in caught.value.context["problems"]] == [field]


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {**QLORA, "adapter.bits": 4, "training.precision": "fp16"},
        {**FULL, "adapter.bits": 16, "training.precision": "bf16"},
        {"adapter.bits": 16, "training.precision": "fp16"},
        {"adapter.bits": 8, "training.precision": "fp32"},
        {"method": "dpo", "training.beta": 0.3},
        {"training.sharding": "fsdp", "where.nodes": 2},
        {"training.sharding": "ddp"},
        {"adapter.kind": "dora", "adapter.bits": 4},
        {**RENTED, "where.gpu_any_of": ["A40"], "where.gpu_avoid": ["L4"]},
        {**RENTED, "where.volume": "v", "where.volume_gb": 0},
        {"where.volume_gb": 0},
        {**RENTED, "base_model.source": "package"},
    ],
)
def test_what_agrees_is_taken(stated):
    assert refuse_contradictions(spec(stated)) is None


def test_all_contradictions_are_named_at_once():
    with pytest.raises(SpecError) as caught:
        refuse_contradictions(
            spec({**FULL, "adapter.bits": 4, "adapter.dropout": 0.1, "training.beta": 1.0})
        )
    assert len(caught.value.context["problems"]) == 3


@pytest.mark.parametrize("stated", [{}, FULL, QLORA, {"method": "kto"}, {"adapter.kind": "dora"}])
def test_the_spec_of_a_plan_contradicts_nothing(stated):
    assert refuse_contradictions(build.plan(stated).spec) is None
