"""What a checkpoint says of itself."""

import pytest
from transformers import LlamaConfig, Mxfp4Config

import checkpoint_format
from podtune.core.errors import TrainingError


def config(quantised=None):
    made = LlamaConfig(hidden_size=64)
    if quantised is not None:
        made.quantization_config = quantised
    return made


def test_plain_weights_have_no_method():
    assert checkpoint_format.stored_method(config()) is None
    assert checkpoint_format.unpacking(config()) is None


@pytest.mark.parametrize("stored", [{"quant_method": "mxfp4"}, Mxfp4Config()])
def test_mxfp4_is_unpacked(stored):
    assert checkpoint_format.stored_method(config(stored)) == "mxfp4"
    assert checkpoint_format.unpacking(config(stored)).dequantize


@pytest.mark.parametrize("method", ["fp8", "gptq", "awq", "bitsandbytes"])
def test_other_methods_are_refused_with_the_way_out(method):
    with pytest.raises(TrainingError, match=method) as caught:
        checkpoint_format.unpacking(config({"quant_method": method}))
    assert caught.value.code == "already_quantised"
    assert "bf16" in caught.value.hint


def report(missing=(), mismatched=()):
    return {"missing_keys": set(missing), "mismatched_keys": set(mismatched)}


def test_a_filled_model_passes():
    checkpoint_format.refuse_unlike(report())


def test_missing_tensors_are_named_and_counted():
    with pytest.raises(TrainingError, match=r"lacks a\.weight \(2 tensors") as caught:
        checkpoint_format.refuse_unlike(report(missing=["b.weight", "a.weight"]))
    assert caught.value.code == "checkpoint_incomplete"


def test_a_misshapen_tensor_is_named_with_both_shapes():
    with pytest.raises(TrainingError, match=r"a\.weight has shape \(2, 3\).* \(2, 4\)") as caught:
        checkpoint_format.refuse_unlike(report(mismatched=[("a.weight", (2, 3), (2, 4))]))
    assert caught.value.code == "checkpoint_mismatch"
