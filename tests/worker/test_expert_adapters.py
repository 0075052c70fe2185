"""LoRA on experts: the count the plan foresees, peft's own numbers, and what is refused.

That such adapters learn, are saved and answer alike in a fresh process and over a whole model is
in `test_quantised_loading.py`, for every family.
"""

import subprocess
import sys

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

import base_model
import expert_adapters
import expert_layers
from podtune.core.errors import TrainingError
from podtune.planning import adapter_targets
from support import tiny_mixtures

IDS = torch.arange(3, 43)[None]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_mixtures.make(tmp_path_factory.mktemp("mixture") / "m", "qwen3_moe")


def load(folder, bits=4):
    return base_model.load(folder, precision="fp32", device="cpu", bits=bits)


def adapted(model, rank=4, **options):
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=["q_proj"], task_type="CAUSAL_LM", **options
    )
    torch.manual_seed(0)
    model = get_peft_model(model, expert_adapters.configure(config, model))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    return model


def expert_parameters(model):
    return [p for n, p in model.named_parameters() if "experts" in n and "lora_" in n]


@pytest.mark.parametrize("family", tiny_mixtures.FAMILIES)
def test_the_plan_counts_what_peft_makes(family):
    config = tiny_mixtures.config(family)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    lora = LoraConfig(r=3, target_modules=["o_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(model, expert_adapters.configure(lora, model))
    dense = getattr(config, "first_k_dense_replace", 0)
    width = (
        "intermediate_size"
        if family in ("mixtral", "gpt_oss", "olmoe")
        else "moe_intermediate_size"
    )
    counted = adapter_targets.expert_adapter_parameters(
        experts=tiny_mixtures.EXPERTS,
        hidden=config.hidden_size,
        intermediate=getattr(config, width),
        layers=config.num_hidden_layers - dense,
        rank=3,
    )
    assert sum(p.numel() for p in expert_parameters(model)) == counted


@pytest.mark.parametrize("rslora", [False, True])
def test_numbers_and_gradients_are_pefts_over_whole_experts(folder, rslora):
    packed = adapted(load(folder), use_rslora=rslora)
    whole = load(folder, bits=16)
    tiny_mixtures.copy_unpacked(packed, whole)
    whole = adapted(whole, use_rslora=rslora)
    assert type(expert_wrapper(whole)) is not type(expert_wrapper(packed))
    results = []
    for model in (packed, whole):
        loss = model(input_ids=IDS, labels=IDS).loss
        loss.backward()
        results.append((loss.detach(), [p.grad for p in expert_parameters(model)]))
    (ours, our_gradients), (theirs, their_gradients) = results
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert len(our_gradients) == len(their_gradients) == 8
    for mine, peft in zip(our_gradients, their_gradients, strict=True):
        assert float((mine - peft).norm()) < 1e-4 * float(peft.norm())


def expert_wrapper(model):
    return model.base_model.model.model.layers[0].mlp.experts


def test_no_unpacked_expert_is_kept_for_the_backward_pass(folder):
    model = adapted(load(folder))
    experts = expert_wrapper(model).get_base_layer()
    smallest = min(p.quant_state.shape.numel() for p in experts.parameters())
    saved = []

    def keep(tensor):
        saved.append(tensor.numel())
        return tensor

    hidden = torch.randn(20, 64, requires_grad=True)
    index = torch.randint(0, 8, (20, 2))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = expert_wrapper(model)(hidden, index, torch.rand(20, 2))
    assert max(saved) < smallest
    output.sum().backward()


def test_switched_off_it_is_the_base_model(folder):
    base = load(folder)
    with torch.no_grad():
        plain = base(IDS).logits
        model = adapted(base)
        assert not torch.equal(model(IDS).logits, plain)
        with model.disable_adapter():
            assert torch.equal(model(IDS).logits, plain)


def test_factors_do_not_outlive_a_forward_pass_that_fails(folder):
    model = adapted(load(folder))
    with pytest.raises(IndexError):
        expert_wrapper(model)(torch.randn(4, 64), torch.full((4, 2), 99), torch.rand(4, 2))
    assert getattr(expert_wrapper(model).get_base_layer(), expert_layers.FACTORS) == {}


def test_merging_into_4_bit_is_refused(folder):
    with pytest.raises(TrainingError, match="merged") as caught:
        expert_wrapper(adapted(load(folder))).merge()
    assert caught.value.code == "not_mergeable"


def test_dropout_on_experts_is_refused(folder):
    with pytest.raises(TrainingError, match="dropout") as caught:
        adapted(load(folder), lora_dropout=0.1)
    assert "dropout=0" in caught.value.hint


def test_dora_on_experts_is_refused(folder):
    with pytest.raises(TrainingError, match="DoRA") as caught:
        adapted(load(folder), use_dora=True)
    assert "adapter.kind" in caught.value.hint


def test_a_dense_model_has_no_experts_to_adapt(tiny):
    with pytest.raises(TrainingError, match="no fused experts"):
        adapted(load(tiny))


def test_a_dense_adapter_loads_as_ever(tiny, tmp_path):
    config = LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM")
    get_peft_model(load(tiny), config).save_pretrained(tmp_path)
    model = expert_adapters.load(load(tiny), tmp_path)
    assert not any(p.requires_grad for p in model.parameters())


def test_a_run_in_16_bit_does_without_bitsandbytes(tiny, tmp_path):
    config = LoraConfig(r=4, target_modules=["q_proj"], task_type="CAUSAL_LM")
    get_peft_model(load(tiny, bits=16), config).save_pretrained(tmp_path)
    program = (
        "import sys; from pathlib import Path; sys.modules['bitsandbytes'] = None\n"
        "import libraries; libraries.leave_out_unused(quantised=False); libraries.load()\n"
        "import base_model, expert_adapters, stored_bytes\n"
        f"model = base_model.load(Path({str(tiny)!r}), precision='fp32', device='cpu', bits=16)\n"
        f"model = expert_adapters.load(model, Path({str(tmp_path)!r}))\n"
        "print(stored_bytes.stored_bytes(model))\n"
    )
    environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0
