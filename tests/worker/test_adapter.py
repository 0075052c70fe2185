import pytest
import torch
from transformers import AutoModelForCausalLM

import adapter
from failures import PlanMismatchError
from podtune.core.job import WorkerOrder


@pytest.fixture
def plan(trained):
    return WorkerOrder.model_validate_json((trained / "order.json").read_text()).plan


def with_adapter(plan, parameters=None, **changes):
    spec = plan.spec.model_copy(update={"adapter": plan.spec.adapter.model_copy(update=changes)})
    memory = plan.memory.model_copy(
        update={"adapter_parameters": parameters or plan.memory.adapter_parameters}
    )
    return plan.model_copy(update={"spec": spec, "memory": memory})


def base(tiny):
    return AutoModelForCausalLM.from_pretrained(tiny).requires_grad_(False)


def test_lora_is_fp32_and_as_large_as_planned(plan, tiny):
    adapted = adapter.attach(base(tiny).to(torch.bfloat16), plan)
    kinds = {p.dtype for p in adapted.parameters() if p.requires_grad}
    assert kinds == {torch.float32}
    assert adapter.trainable(adapted) == plan.memory.adapter_parameters


def test_only_the_planned_layers_are_adapted(plan, tiny):
    narrow = with_adapter(plan, parameters=2 * 16 * (64 + 64)).model_copy(
        update={"adapted_layers": ("q_proj",)}
    )
    adapted = adapter.attach(base(tiny), narrow)
    assert {n.split(".")[-4] for n, p in adapted.named_parameters() if p.requires_grad} == {
        "q_proj"
    }


def test_dora_has_a_magnitude_for_each_output(plan, tiny):
    outputs = {"q_proj": 64, "k_proj": 32, "v_proj": 32, "o_proj": 64, "gate_proj": 128,
               "up_proj": 128, "down_proj": 64}  # fmt: skip
    expected = plan.memory.adapter_parameters + 2 * sum(outputs.values())
    adapted = adapter.attach(base(tiny), with_adapter(plan, expected, kind="dora"))
    assert adapter.trainable(adapted) == expected


def test_rslora_scales_by_the_root_of_the_rank(plan, tiny):
    adapted = adapter.attach(base(tiny), with_adapter(plan, kind="rslora"))
    layer = adapted.base_model.model.model.layers[0].self_attn.q_proj
    assert layer.scaling["default"] == pytest.approx(32 / 16**0.5)


def test_full_trains_every_weight(plan, tiny):
    model = base(tiny)
    every = sum(p.numel() for p in model.parameters())
    adapted = adapter.attach(model, with_adapter(plan, every, kind="full"))
    assert adapted is model
    assert adapter.trainable(adapted) == every


def test_the_seed_decides_the_first_weights(plan, tiny):
    first, again = (adapter.attach(base(tiny), plan) for _ in range(2))
    other_plan = plan.model_copy(
        update={
            "spec": plan.spec.model_copy(
                update={"training": plan.spec.training.model_copy(update={"seed": 7})}
            )
        }
    )
    other = adapter.attach(base(tiny), other_plan)

    def weights(model):
        return torch.cat([p.flatten() for n, p in model.named_parameters() if "lora_A" in n])

    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))


def test_sizes_off_the_plan_are_refused():
    adapter.refuse_off_plan("trainable parameters", 101, 100)
    with pytest.raises(PlanMismatchError, match="trainable parameters"):
        adapter.refuse_off_plan("trainable parameters", 3_426_700, 17_100)


def test_an_adapter_that_is_larger_than_planned_is_refused(plan, tiny):
    with pytest.raises(PlanMismatchError):
        adapter.attach(base(tiny), with_adapter(plan, plan.memory.adapter_parameters // 2))
