"""Experts from a checkpoint into 4 bit: one at a time, and nothing missing or misshapen passes."""

import json

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import base_model
import expert_layers
import expert_loading
from podtune.core.errors import TrainingError
from support import tiny_mixtures

IDS = torch.arange(3, 43)[None]


def load(folder, bits=4, precision="fp32"):
    return base_model.load(folder, precision=precision, device="cpu", bits=bits)


class LargestFloats(TorchDispatchMode):
    """Remembers the largest tensor of floating point numbers that any operation made."""

    largest = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if (
                isinstance(tensor, torch.Tensor)
                and tensor.is_floating_point()
                and tensor.device.type != "meta"
            ):
                self.largest = max(self.largest, tensor.numel())
        return made


@pytest.mark.parametrize(("family", "streamed"), [("qwen3_moe", True), ("gpt_oss", False)])
def test_a_fused_tensor_never_exists_unpacked(tmp_path, family, streamed):
    folder = tiny_mixtures.make(tmp_path / "m", family)
    with LargestFloats() as seen:
        model = load(folder)
    packed = [p for p in model.parameters() if expert_layers.is_packed(p)]
    smallest = min(p.quant_state.shape.numel() for p in packed)
    assert len(packed) == 4
    assert (seen.largest < smallest) == streamed  # gpt-oss files hold fused tensors


@pytest.mark.parametrize("family", ["qwen3_moe", "mixtral"])
@pytest.mark.parametrize("expert", [0, 3, 7])
def test_a_missing_expert_is_named(tmp_path, family, expert):
    folder = tiny_mixtures.make(tmp_path / "m", family)
    gone = tiny_mixtures.names(folder, rf"layers\.1\..*experts\.{expert}\.")[0]
    tiny_mixtures.rewrite(folder, lambda name, tensor: None if name == gone else tensor)
    with pytest.raises(TrainingError, match=gone.replace(".", r"\.")) as caught:
        load(folder)
    assert caught.value.code == "checkpoint_incomplete"
    assert caught.value.hint


def test_a_projection_that_no_expert_has_is_named(tmp_path):
    folder = tiny_mixtures.make(tmp_path / "m", "qwen3_moe")
    tiny_mixtures.rewrite(
        folder, lambda name, tensor: None if "layers.0" in name and "up_proj" in name else tensor
    )
    with pytest.raises(TrainingError, match=r"model\.layers\.0\.mlp\.experts\.\*\.up_proj\.weight"):
        load(folder)


def test_a_layer_without_experts_is_named(tmp_path):
    folder = tiny_mixtures.make(tmp_path / "m", "qwen3_moe")
    tiny_mixtures.rewrite(folder, lambda name, tensor: None if "1.mlp.experts" in name else tensor)
    with pytest.raises(TrainingError, match=r"layers\.1\.mlp\.experts\.down_proj \(2 tensors"):
        load(folder)


@pytest.mark.parametrize("family", ["qwen3_moe", "gpt_oss"])
def test_another_shape_is_named(tmp_path, family):
    folder = tiny_mixtures.make(tmp_path / "m", family)
    odd = tiny_mixtures.names(folder, r"layers\.0\..*experts.*down_proj(\.weight)?$")[-1]
    tiny_mixtures.rewrite(
        folder, lambda name, tensor: tensor[..., :32].contiguous() if name == odd else tensor
    )
    with pytest.raises(TrainingError, match=odd.replace(".", r"\.")) as caught:
        load(folder)
    assert caught.value.code == "checkpoint_mismatch"
    assert "32" in caught.value.message


def test_an_expert_too_many_is_refused(tmp_path):
    folder = tiny_mixtures.make(tmp_path / "m", "qwen3_moe")
    last = tiny_mixtures.names(folder, r"layers\.0\..*experts\.7\.down_proj")[0]
    more = last.replace(".7.", ".8.")
    tiny_mixtures.rewrite(folder, lambda name, t: {name: t, more: t.clone()} if name == last else t)
    with pytest.raises(TrainingError, match="9 experts"):
        load(folder)


def as_mxfp4(folder):
    """Turn a gpt-oss checkpoint's experts into random mxfp4 blocks and scales, as published."""
    torch.manual_seed(2)

    def change(name, tensor):
        if not name.endswith(("gate_up_proj", "down_proj")):
            return tensor
        experts, inputs, outputs = tensor.shape
        blocks = torch.randint(0, 256, (experts, outputs, inputs // 32, 16), dtype=torch.uint8)
        scales = torch.randint(120, 125, blocks.shape[:-1], dtype=torch.uint8)
        return {f"{name}_blocks": blocks, f"{name}_scales": scales}

    tiny_mixtures.rewrite(folder, change)
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_mxfp4_experts_are_those_of_the_unpacked_model_quantised(tmp_path, precision):
    folder = as_mxfp4(tiny_mixtures.make(tmp_path / "m", "gpt_oss"))
    whole = load(folder, bits=16, precision=precision)
    ours = dict(load(folder, precision=precision).named_parameters())
    found = expert_loading.expert_parameters(whole)
    assert len(found) == 4
    for name, parameter in found.items():
        packed = expert_layers.pack(iter(parameter), parameter.shape, parameter.dtype)
        assert torch.equal(ours[name], packed)
        assert torch.equal(ours[name].quant_state.absmax, packed.quant_state.absmax)


def test_an_mxfp4_checkpoint_answers_as_its_unpacked_weights_do(tmp_path):
    folder = as_mxfp4(tiny_mixtures.make(tmp_path / "m", "gpt_oss"))
    four, sixteen = (load(folder, bits=bits) for bits in (4, 16))
    with torch.no_grad():
        published = sixteen(IDS).logits
        quantised = four(IDS).logits
        unpacked = tiny_mixtures.copy_unpacked(four, sixteen)(IDS).logits
    assert torch.equal(quantised, unpacked)
    assert not torch.equal(quantised, published)


def test_mxfp4_without_its_scales_is_named(tmp_path):
    folder = as_mxfp4(tiny_mixtures.make(tmp_path / "m", "gpt_oss"))
    tiny_mixtures.rewrite(
        folder, lambda name, t: None if name.endswith("0.mlp.experts.down_proj_scales") else t
    )
    with pytest.raises(TrainingError, match=r"layers\.0\.mlp\.experts\.down_proj_scales"):
        load(folder)


def test_mxfp4_of_another_shape_is_named(tmp_path):
    folder = as_mxfp4(tiny_mixtures.make(tmp_path / "m", "gpt_oss"))
    shortened = tiny_mixtures.names(folder, r"1\.mlp\.experts\.down_proj_(blocks|scales)")
    tiny_mixtures.rewrite(
        folder, lambda name, t: t[:, :, :1].contiguous() if name in shortened else t
    )
    with pytest.raises(TrainingError, match=r"layers\.1\.mlp\.experts\.down_proj_blocks"):
        load(folder)


def test_fused_expert_tensors_are_told_from_convolutions():
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(tiny_mixtures.config("qwen3_next"))
    found = expert_loading.expert_parameters(model)
    assert any(p.ndim == 3 and "conv1d" in name for name, p in model.named_parameters())
    assert sorted({name.rpartition(".")[2] for name in found}) == ["down_proj", "gate_up_proj"]
    assert len(found) == 4
