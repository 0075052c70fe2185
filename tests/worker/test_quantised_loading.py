"""4 and 8 bit: the very weights of load-then-quantise, for every family, and a gradient through them."""

import json
import logging
import shutil
import subprocess
import sys

import bitsandbytes as bnb
import pytest
import torch
from bitsandbytes.nn.parametrize import replace_parameter_4bit
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

import base_model
import checkpoint_format
import expert_adapters
import expert_layers
import expert_loading
import quantised_loading
from podtune.core.errors import TrainingError
from podtune.planning import adapter_targets
from support import tiny_mixtures

IDS = torch.arange(3, 43)[None]
FRESH_PROCESS = """
import json, sys
from pathlib import Path
import torch
from safetensors.torch import save_file
import base_model, expert_adapters
torch.set_num_threads(int(sys.argv[3]))  # sums depend on it
logits = {}
for name, base, adapter in json.loads(sys.argv[1]):
    model = base_model.load(Path(base), precision="fp32", device="cpu", bits=4)
    model = expert_adapters.load(model, Path(adapter)).eval()
    with torch.no_grad():
        logits[name] = model(torch.arange(3, 43)[None]).logits
save_file(logits, sys.argv[2])
"""


def load(folder, bits=4, precision="fp32"):
    return base_model.load(folder, precision=precision, device="cpu", bits=bits)


def logits_of(model):
    with torch.no_grad():
        return model(IDS).logits


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixtures")
    return {f: tiny_mixtures.make(folder / f, f) for f in tiny_mixtures.FAMILIES}


def load_then_quantise(folder, dtype):
    """The published way: whole experts in memory, bitsandbytes' own 4 bit over everything."""
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
            llm_int8_skip_modules=list(quantised_loading.KEPT),
        ),
    )
    for name in expert_loading.expert_parameters(model):
        path, _, parameter = name.rpartition(".")
        module = model.get_submodule(path)
        replace_parameter_4bit(module, parameter, compress_statistics=True, quant_type="nf4")
    for module in model.modules():
        if isinstance(module, bnb.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = False  # its answers are not those of its training
    return model


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("family", tiny_mixtures.FAMILIES)
def test_answers_equal_load_then_quantise(checkpoints, family, precision):
    ours = logits_of(load(checkpoints[family], precision=precision))
    theirs = load_then_quantise(checkpoints[family], checkpoint_format.DTYPES[precision])
    assert torch.equal(ours, logits_of(theirs))
    assert ours.dtype == checkpoint_format.DTYPES[precision]


@pytest.mark.parametrize("family", tiny_mixtures.FAMILIES)
def test_what_must_stay_precise_stays(checkpoints, family):
    model = load(checkpoints[family], precision="bf16")
    assert model.config._experts_implementation == expert_layers.NAME
    for name, parameter in model.named_parameters():
        quantised = parameter.dtype == torch.uint8
        kept = ("embed", "lm_head", "norm", "conv1d", "mlp.gate.", "router", "shared_expert_gate")
        if any(part in name for part in kept):
            assert not quantised, name
        elif parameter.ndim >= 2 and not name.endswith("bias"):
            assert quantised, name
    json.loads(model.config.to_json_string())  # a logger may write it down


@pytest.fixture(scope="module")
def trained(checkpoints, tmp_path_factory):
    """A LoRA of every family, trained with checkpointing, saved, and loaded by a fresh process."""
    folder = tmp_path_factory.mktemp("adapters")
    losses, logits = {}, {}
    for family, checkpoint in checkpoints.items():
        for experts in (False, True):
            name = f"{family} {'with' if experts else 'without'} experts"
            losses[name], model = train(load(checkpoint), family, experts=experts)
            logits[name] = logits_of(model)
            model.save_pretrained(folder / name)
    order = [(n, str(checkpoints[n.split()[0]]), str(folder / n)) for n in losses]
    seen = folder / "logits.safetensors"
    subprocess.run(
        [
            sys.executable,
            "-c",
            FRESH_PROCESS,
            json.dumps(order),
            str(seen),
            str(torch.get_num_threads()),
        ],
        check=True,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    return {"losses": losses, "logits": logits, "fresh": load_file(seen), "folder": folder}


def train(model, family, *, experts, steps=5):
    config = LoraConfig(
        r=4,
        lora_alpha=8,
        lora_dropout=0.0 if experts else 0.05,
        target_modules=list(adapter_targets.MIXTURE_TARGETS[family]),
        task_type="CAUSAL_LM",
    )
    if experts:
        expert_adapters.configure(config, model)
    torch.manual_seed(0)
    adapted = get_peft_model(model, config)
    adapted.activation_checkpointing_enable()
    adapted.train()
    trainable = [p for p in adapted.parameters() if p.requires_grad]
    assert {p.dtype for p in trainable} == {torch.float32}
    optimizer = torch.optim.AdamW(trainable, lr=5e-3)
    losses = []
    for _ in range(steps):
        loss = adapted(input_ids=IDS, labels=IDS, use_cache=False).loss
        loss.backward()
        assert all(p.grad is not None for p in trainable)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses, adapted.eval()


@pytest.mark.parametrize("experts", ["with", "without"])
@pytest.mark.parametrize("family", tiny_mixtures.FAMILIES)
def test_an_adapter_learns_and_a_fresh_process_answers_alike(trained, family, experts):
    name = f"{family} {experts} experts"
    losses = trained["losses"][name]
    assert losses[-1] < losses[0] - 0.2
    assert torch.equal(trained["logits"][name], trained["fresh"][name])


@pytest.mark.parametrize("family", ["qwen3_next", "mixtral", "gpt_oss"])
@pytest.mark.parametrize("experts", ["with", "without"])
def test_plain_peft_loads_the_adapter_over_a_whole_model(trained, checkpoints, family, experts):
    name = f"{family} {experts} experts"
    whole = AutoModelForCausalLM.from_pretrained(checkpoints[family], dtype=torch.float32)
    whole = tiny_mixtures.copy_unpacked(load(checkpoints[family]), whole)
    theirs = logits_of(PeftModel.from_pretrained(whole, trained["folder"] / name).eval())
    assert torch.allclose(trained["logits"][name], theirs, atol=1e-4)


@pytest.mark.parametrize("family", ["qwen3_moe", None])
def test_answering_first_leaves_weights_and_gradients_whole(checkpoints, tiny, family):
    folder = checkpoints[family] if family else tiny
    model = load(folder)
    before = {n: (p.clone(), p.quant_state.absmax.clone()) for n, p in model.named_parameters()
              if getattr(p, "quant_state", None) is not None}  # fmt: skip
    logits_of(model.eval())
    for name, parameter in model.named_parameters():
        if name in before:
            assert torch.equal(parameter, before[name][0])
            assert torch.equal(parameter.quant_state.absmax, before[name][1])
    embedded = model.get_input_embeddings()(IDS).detach().requires_grad_(True)
    model(inputs_embeds=embedded).logits.sum().backward()
    assert float(embedded.grad.abs().max()) > 0


def test_layers_bitsandbytes_breaks_on_a_cpu_are_refused(tmp_path):
    folder = tiny_mixtures.make(tmp_path / "m", "qwen3_moe", head_dim=24)
    with pytest.raises(TrainingError, match=r"o_proj has 96 inputs") as caught:
        load(folder)
    assert caught.value.code == "not_quantised"
    assert "bits=16" in caught.value.hint


def test_eight_bit_learns_quietly(tiny, tmp_path, caplog):
    model = load(tiny, bits=8)
    assert all(
        isinstance(m, bnb.nn.Linear8bitLt)
        for n, m in model.named_modules()
        if n.endswith(("_proj",))
    )
    assert model.lm_head.weight.dtype == torch.float32
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
    adapted = get_peft_model(model, config).train()
    trainable = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=1e-2)
    losses = []
    with caplog.at_level(logging.DEBUG):
        for _ in range(4):
            loss = adapted(input_ids=IDS, labels=IDS, use_cache=False).loss
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        answer = logits_of(adapted.eval())
    assert losses[-1] < losses[0]
    assert "float16" not in caplog.text
    adapted.save_pretrained(tmp_path / "adapter")
    again = PeftModel.from_pretrained(load(tiny, bits=8), tmp_path / "adapter").eval()
    assert torch.equal(logits_of(again), answer)


def test_experts_in_8_bit_are_refused(checkpoints):
    with pytest.raises(TrainingError, match="8 bit") as caught:
        load(checkpoints["qwen3_moe"], bits=8)
    assert "bits=4" in caught.value.hint


@pytest.mark.parametrize(("method", "bits"), [("fp8", 4), ("gptq", 4), ("mxfp4", 8)])
def test_what_is_quantised_already_is_refused(checkpoints, method, bits):
    config = tiny_mixtures.config("qwen3_moe")
    config.quantization_config = {"quant_method": method}
    with pytest.raises(TrainingError, match=method) as caught:
        quantised_loading.configuration(config, "fp32", bits)
    assert caught.value.code == "already_quantised"


@pytest.mark.parametrize("bits", [4, 16])
def test_a_tensor_that_is_not_there_is_never_made_up(checkpoints, tmp_path, bits):
    folder = tiny_mixtures.make(tmp_path / "m", "qwen3_moe")
    gone = "model.layers.1.self_attn.k_proj.weight"
    tiny_mixtures.rewrite(folder, lambda name, tensor: None if name == gone else tensor)
    with pytest.raises(TrainingError, match=gone.replace(".", r"\.")):
        load(folder, bits=bits)


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_a_linear_layer_of_another_shape_is_named(tiny, tmp_path, bits):
    folder = tmp_path / "m"
    shutil.copytree(tiny, folder)
    odd = "model.layers.1.self_attn.k_proj.weight"
    weights = load_file(folder / "model.safetensors")
    weights[odd] = weights[odd][:16].contiguous()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(TrainingError, match=odd.replace(".", r"\.")) as caught:
        load(folder, bits=bits)
    assert caught.value.code == "checkpoint_mismatch"


def test_every_default_target_is_a_linear_layer_outside_the_experts():
    for family, targets in adapter_targets.MIXTURE_TARGETS.items():
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(tiny_mixtures.config(family))
        linear = {
            n.rpartition(".")[2] for n, m in model.named_modules() if type(m) is torch.nn.Linear
        }
        optional = {"q_proj", "q_a_proj", "q_b_proj"}  # by q_lora_rank
        assert set(targets) - optional <= linear, family
        assert set(targets) & linear, family
        left = linear - set(targets) - {"lm_head", "shared_expert_gate"}
        small = ("in_proj_ba", "in_proj_a", "in_proj_b", "gate_proj", "up_proj", "down_proj")
        assert left <= set(small), family
