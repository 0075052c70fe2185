"""Bytes in truth: what is counted, what the plan's formulas say, and what is not in its bits."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

import base_model
import quantised_loading
import stored_bytes
from failures import PlanMismatchError
from podtune.planning import weight_bytes
from support import tiny_mixtures, tiny_model


def load(folder, bits, precision="fp32"):
    return base_model.load(folder, precision=precision, device="cpu", bits=bits)


@pytest.fixture(scope="module")
def dense(tmp_path_factory):
    return tiny_model.make(tmp_path_factory.mktemp("dense") / "m", hidden=256)


@pytest.fixture(scope="module")
def mixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixture") / "m"
    return tiny_mixtures.make(folder, "qwen3_next", hidden_size=128, moe_intermediate_size=128)


def test_every_tensor_counts_once(tiny):
    model = load(tiny, 16)
    tied = model.get_input_embeddings().weight
    assert model.get_output_embeddings().weight is tied
    buffers = sum(b.numel() * b.element_size() for b in model.buffers())
    parameters = sum(p.numel() * 4 for p in model.parameters())
    assert stored_bytes.stored_bytes(model) <= parameters + buffers
    assert stored_bytes.stored_bytes(model) >= parameters


def test_a_layer_in_4_bit_is_counted_with_its_states():
    linear = quantised_loading.bnb.nn.Linear4bit(
        128, 64, bias=False, compress_statistics=True, quant_type="nf4"
    )
    linear.weight = linear.weight.to("cpu")  # quantises
    state = linear.weight.quant_state
    by_hand = 128 * 64 // 2 + state.absmax.numel() + state.state2.absmax.numel() * 4
    tables = state.code.numel() * 4 + state.state2.code.numel() * 4 + 4
    assert stored_bytes.stored_bytes(linear) == by_hand + tables


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    ("kind", "bits"),
    [("dense", 4), ("dense", 8), ("dense", 16), ("mixture", 4), ("mixture", 16)],
)
def test_the_plan_foresees_the_bytes(dense, mixture, kind, bits, precision):
    folder = dense if kind == "dense" else mixture
    whole = load(folder, 16, precision)
    promised = stored_bytes.promised_parameters(whole)
    quantised = sum(p.numel() for _, p in promised)
    rest = sum(p.numel() for p in whole.parameters()) - quantised
    rows = sum(p.shape[0] for _, p in promised)
    foreseen = weight_bytes.stored_bytes(rest, precision) + weight_bytes.quantised_bytes(
        quantised, bits, precision, tensors=len(promised), rows=rows
    )
    assert stored_bytes.stored_bytes(load(folder, bits, precision)) == pytest.approx(
        foreseen, rel=0.02
    )


@pytest.mark.parametrize(("bits", "other"), [(4, 8), (8, 4), (4, 16), (8, 16)])
def test_weights_in_other_bits_are_refused(dense, bits, other):
    model = load(dense, bits)
    stored_bytes.refuse_unquantised(model, bits)
    stored_bytes.refuse_unquantised(load(dense, 16), 16)
    with pytest.raises(PlanMismatchError, match=r"layers\.0\.self_attn\.q_proj\.weight") as caught:
        stored_bytes.refuse_unquantised(load(dense, other), bits)
    assert caught.value.code == "not_quantised"


def test_experts_that_bitsandbytes_left_out_are_found(mixture):
    stock = AutoModelForCausalLM.from_pretrained(
        mixture,
        dtype=torch.float32,
        quantization_config=BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            llm_int8_skip_modules=list(quantised_loading.KEPT),
        ),
    )
    with pytest.raises(PlanMismatchError, match=r"4 of 17 .*experts"):
        stored_bytes.refuse_unquantised(stock, 4)
    stored_bytes.refuse_unquantised(load(mixture, 4), 4)


def test_an_adapter_may_stay_precise(mixture):
    config = LoraConfig(r=4, target_modules=["q_proj", "o_proj"], task_type="CAUSAL_LM")
    adapted = get_peft_model(load(mixture, 4), config)
    stored_bytes.refuse_unquantised(adapted, 4)
