"""Packed experts: the same numbers as unpacked ones, and nothing unpacked is kept."""

import gc

import bitsandbytes.functional as bnb
import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.integrations.moe import grouped_mm_experts_forward

import expert_layers
from support import tiny_mixtures

SHAPES = [(4, 64, 64), (8, 192, 64), (8, 64, 96), (5, 3, 7)]


def experts_of(family, **changed):
    """The first experts module of a random model, in fp32."""
    torch.manual_seed(3)
    config = tiny_mixtures.config(family, **changed)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    modules = [m for m in model.modules() if hasattr(m, "has_gate")]
    for parameter in modules[0].parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return modules[0].requires_grad_(False)


def packed_twin(experts):
    """Pack a module's weights; returns them unpacked again, by name."""
    unpacked = {}
    for name, parameter in list(experts.named_parameters()):
        if parameter.ndim == 3:
            packed = expert_layers.pack(iter(parameter), parameter.shape, torch.float32)
            unpacked[name] = expert_layers.unpack(packed)
            setattr(experts, name, packed)
    return unpacked


def routed(experts, tokens=20, k=2, among=None):
    torch.manual_seed(5)
    hidden = torch.randn(tokens, 64, requires_grad=True)
    scores = torch.rand(tokens, among or experts.num_experts)
    weights, index = scores.topk(k)
    return hidden, index, weights


def by_hand(packed):
    """The weights by nf4's definition: code of each nibble x scale of its block."""
    state = packed.quant_state
    scales = bnb.dequantize_blockwise(state.absmax, state.state2) + state.offset
    nibbles = torch.stack([packed.flatten() >> 4, packed.flatten() & 15], 1).flatten()
    numbers = state.shape.numel()
    values = state.code[nibbles[:numbers].long()]
    return (values * scales.repeat_interleave(64)[:numbers]).view(state.shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_pieces_pack_to_the_same_bits_as_the_whole(shape):
    whole = torch.randn(shape)
    packed = expert_layers.pack(iter(whole), shape, torch.bfloat16)
    data, state = bnb.quantize_4bit(whole, quant_type="nf4", compress_statistics=True)
    assert torch.equal(packed, data)
    assert torch.equal(packed.quant_state.absmax, state.absmax)
    assert torch.equal(packed.quant_state.state2.absmax, state.state2.absmax)
    assert torch.equal(packed.quant_state.offset, state.offset)
    assert packed.quant_state.dtype == torch.bfloat16


def test_a_large_piece_packs_to_the_same_bits(monkeypatch):
    whole = torch.randn(4, 64, 96)
    at_once = expert_layers.pack([whole], whole.shape, torch.float32)
    monkeypatch.setattr(expert_layers, "PIECE", 1024)
    in_parts = expert_layers.pack([whole], whole.shape, torch.float32)
    assert torch.equal(at_once, in_parts)
    assert torch.equal(at_once.quant_state.absmax, in_parts.quant_state.absmax)


@pytest.mark.parametrize("shape", SHAPES)
def test_unpacking_follows_the_definition_for_any_shape(shape):
    whole = torch.randn(shape)
    packed = expert_layers.pack(iter(whole), shape, torch.float32)
    unpacked = expert_layers.unpack(packed)
    assert torch.equal(unpacked, by_hand(packed))
    assert float((unpacked - whole).abs().max()) < 0.2 * float(whole.abs().max())


@pytest.mark.parametrize("shape", SHAPES)
def test_some_experts_unpack_as_they_do_among_all(shape):
    packed = expert_layers.pack(iter(torch.randn(shape)), shape, torch.float32)
    some = torch.tensor([1, 3])
    assert torch.equal(expert_layers.unpack(packed, some), expert_layers.unpack(packed)[some])


def test_too_few_pieces_are_refused():
    with pytest.raises(ValueError, match="elements came"):
        expert_layers.pack(iter(torch.randn(3, 64, 64)), (4, 64, 64), torch.float32)


@pytest.mark.parametrize("width", [64, 3])  # 3 floats a row: torch's kernel does not take them
def test_groups_of_rows_meet_their_own_matrix(width):
    rows = torch.randn(9, width, requires_grad=True)
    weights = torch.randn(4, width, 8, requires_grad=True)
    ends = torch.tensor([2, 2, 7, 9], dtype=torch.int32)
    product = expert_layers.grouped_product(rows, weights, ends)
    owner = torch.tensor([0, 0, 2, 2, 2, 2, 2, 3, 3])
    wanted = torch.einsum("ri,rio->ro", rows, weights[owner])
    assert torch.allclose(product, wanted, atol=1e-5)
    given = torch.randn_like(product)
    ours = torch.autograd.grad(product, (rows, weights), given)
    theirs = torch.autograd.grad(wanted, (rows, weights), given)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("family", ["qwen3_moe", "gpt_oss"])
@pytest.mark.parametrize("among", [None, 3])  # 3 of 8: only those that are hit are unpacked
def test_forward_and_gradient_equal_transformers_over_unpacked_weights(family, among):
    experts = experts_of(family)
    unpacked = packed_twin(experts)
    hidden, index, weights = routed(experts, among=among)
    ours = expert_layers.forward(experts, hidden, index, weights)
    given = torch.randn_like(ours)
    (gradient,) = torch.autograd.grad(ours, hidden, given)
    for name, weight in unpacked.items():
        setattr(experts, name, torch.nn.Parameter(weight, requires_grad=False))
    theirs = grouped_mm_experts_forward(experts, hidden, index, weights)
    (wanted,) = torch.autograd.grad(theirs, hidden, given)
    assert torch.equal(ours, theirs)
    assert torch.allclose(gradient, wanted, atol=1e-6)


def floating_tensors():
    """All that are alive, in this process's other tests too."""
    gc.collect()
    return [t for t in gc.get_objects() if type(t) is torch.Tensor and t.is_floating_point()]


def test_no_unpacked_weight_outlives_the_forward_pass():
    experts = experts_of("qwen3_moe")
    smallest = min(packed_twin(experts).values(), key=torch.Tensor.numel).numel()
    hidden, index, weights = routed(experts)
    saved = []

    def keep(tensor):
        saved.append(tensor.numel())
        return tensor

    before = floating_tensors()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        output = expert_layers.forward(experts, hidden, index, weights)
    known = {id(tensor) for tensor in before}
    made = [t.numel() for t in floating_tensors() if id(t) not in known]
    assert max(saved) < smallest
    assert max(made) < smallest
    output.sum().backward()
    assert hidden.grad is not None
