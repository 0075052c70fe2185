"""Fused experts of a mixture kept in 4 bit: packing, unpacking, and the forward pass over them.

A mixture's experts are two 3-D parameters a layer, `gate_up_proj` and `down_proj`; bitsandbytes
knows linear layers only. Here such a parameter is a flat `uint8` tensor with a `quant_state`, as
bitsandbytes packs any tensor. The forward unpacks it, in the backward pass again: what autograd
keeps between them is the packed tensor, never the unpacked copy.

It knows nothing of checkpoints (`expert_loading.py`) and nothing of peft (`expert_adapters.py`).
bitsandbytes is imported where something is packed: a run in 16 bit does without it.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import torch
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

NAME: Final = "nf4_grouped"
"""Under this name transformers finds the forward pass below."""

BLOCK: Final = 64
"""Weights that share one scale (Dettmers et al. 2023, arXiv 2305.14314, section 3)."""

NESTED_BLOCK: Final = 256
"""Scales that share one scale of their own in double quantisation (the same)."""

PIECE: Final = 2**18
"""Weights quantised at once on a CPU, where each takes 13 bytes while it is done (bitsandbytes
0.50.2); a GPU's kernel needs nothing but the result."""

FACTORS: Final = "low_rank_factors"
"""Attribute of an experts module: parameter name -> `LowRank` while an adapter is active."""


class LowRank(NamedTuple):
    """A low-rank update of every expert: `scaling * rows @ down @ up`."""

    down: torch.Tensor
    """[experts, inputs, rank]."""
    up: torch.Tensor
    """[experts, rank, outputs]."""
    scaling: float


class Groups(NamedTuple):
    """Rows sorted by expert: which experts, and where the rows of each end."""

    experts: torch.Tensor | None
    """Experts that got rows, ascending; None when so many did that all are unpacked."""
    ends: torch.Tensor
    """int32: end of each group of rows, one entry per expert in `experts` (or per expert)."""
    all_ends: torch.Tensor
    """The same with an entry for every expert."""


def pack(
    pieces: Iterable[torch.Tensor], shape: Sequence[int], compute: torch.dtype
) -> torch.nn.Parameter:
    """Quantise a tensor that arrives in pieces to nf4 with double quantisation.

    Each piece may be freed once it was taken. The result is bit-equal to quantising the whole,
    because scales are per block and no block crosses a piece; where one would, the pieces are
    joined first.

    Args:
        pieces: Tensors whose elements in a row are those of the whole.
        shape: Shape of the whole, experts first.
        compute: What unpacking gives.
    """
    import bitsandbytes.functional as bnb

    total = math.prod(shape)
    packed: torch.Tensor | None = None
    absmax = code = torch.empty(0)
    at = 0
    for piece in _in_whole_blocks(pieces):
        data, state = bnb.quantize_4bit(piece, blocksize=BLOCK, quant_type="nf4")
        if packed is None:
            packed = torch.empty(-(-total // 2), dtype=torch.uint8, device=data.device)
            absmax = torch.empty(-(-total // BLOCK), dtype=torch.float32, device=data.device)
            code = state.code
        packed[at // 2 : at // 2 + data.numel()] = data.flatten()
        absmax[at // BLOCK : at // BLOCK + state.absmax.numel()] = state.absmax
        at += piece.numel()
    if packed is None or at != total:
        raise ValueError(f"{at} elements came for a tensor of shape {tuple(shape)}")
    offset = absmax.mean()
    scales, nested = bnb.quantize_blockwise(absmax - offset, blocksize=NESTED_BLOCK)
    parameter: Any = torch.nn.Parameter(packed.unsqueeze(1), requires_grad=False)
    parameter.quant_state = bnb.QuantState(
        absmax=scales,
        shape=torch.Size(shape),
        code=code,
        blocksize=BLOCK,
        quant_type="nf4",
        dtype=compute,
        offset=offset,
        state2=nested,
    )
    return parameter


def is_packed(parameter: Any) -> bool:
    """Whether a parameter is one that `pack` made (bitsandbytes' own are of linear layers)."""
    return (
        type(parameter) is torch.nn.Parameter
        and getattr(parameter, "quant_state", None) is not None
    )


def unpack(packed: Any, experts: torch.Tensor | None = None) -> torch.Tensor:
    """The weights of some experts (or all) in the compute precision, [experts, ...]."""
    state = packed.quant_state
    count, per_expert = state.shape[0], math.prod(state.shape[1:])
    if experts is None:
        return _dequantised(packed, _absmax(state), state, state.shape)
    if per_expert % BLOCK:
        return _dequantised(packed, _absmax(state), state, state.shape)[experts]
    absmax = _absmax(state).view(count, -1)[experts].flatten()
    shape = torch.Size((experts.numel(), *state.shape[1:]))
    return _dequantised(packed.view(count, -1)[experts], absmax, state, shape)


def grouped_product(rows: torch.Tensor, weights: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    """Multiply each group of rows with its own matrix.

    Args:
        rows: [rows, inputs], sorted by group.
        weights: [groups, inputs, outputs].
        ends: int32 [groups], where each group's rows end.
    """
    if _has_kernel(rows, weights):
        return torch.nn.functional.grouped_mm(rows, weights, offs=ends)
    bounds = [0, *ends.tolist()]
    parts = [
        rows[begin:end] @ weights[group]
        for group, (begin, end) in enumerate(itertools.pairwise(bounds))
    ]
    return torch.cat(parts)


class _PackedProduct(torch.autograd.Function):
    """`grouped_product` with frozen packed weights: only the gradient of the rows exists.

    The rows are not kept, nor is anything unpacked; the packed parameter hangs on the context.
    """

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, packed: Any, groups: Groups, swap: bool) -> Any:
        ctx.packed, ctx.groups, ctx.swap = packed, groups, swap
        weights = unpack(packed, groups.experts).to(rows.dtype)
        return grouped_product(rows, _swapped(weights, swap), groups.ends)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> Any:
        gradient = gradients[0].contiguous()
        weights = unpack(ctx.packed, ctx.groups.experts).to(gradient.dtype)
        into_rows = grouped_product(gradient, _swapped(weights, not ctx.swap), ctx.groups.ends)
        return into_rows, None, None, None


def forward(
    self: Any, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor
) -> torch.Tensor:
    """The experts' forward pass, as transformers' `grouped_mm` with packed weights.

    Args:
        self: The experts module.
        hidden_states: [tokens, hidden].
        top_k_index: [tokens, k], the experts of each token.
        top_k_weights: [tokens, k], what the router gives them.

    Returns:
        [tokens, hidden].
    """
    if self._is_expert_parallel:
        raise NotImplementedError("packed experts are whole on each device")
    tokens, k = top_k_index.shape
    owners, order = torch.sort(top_k_index.reshape(-1))
    groups = _groups(owners, self.num_experts)
    rows = hidden_states[order // k]
    rows = _linear(self, rows, "gate_up_proj" if self.has_gate else "up_proj", owners, groups)
    rows = self._apply_gate(rows) if self.has_gate else self.act_fn(rows)
    rows = _linear(self, rows, "down_proj", owners, groups)
    if self.has_post_expert_norm:
        rows = self.post_expert_norm(rows)
    rows = rows * top_k_weights.reshape(-1)[order].unsqueeze(-1)
    back = torch.empty_like(order)
    back[order] = torch.arange(order.numel(), device=order.device)
    # Summed in the order of the router, so that two runs give the same bits.
    return rows[back].view(tokens, k, -1).sum(dim=1).to(hidden_states.dtype)


ALL_EXPERTS_FUNCTIONS.register(NAME, forward)


def _linear(
    experts: Any, rows: torch.Tensor, name: str, owners: torch.Tensor, groups: Groups
) -> torch.Tensor:
    """One of the two projections, with its bias and the active adapter's update."""
    swap = not experts.is_transposed
    output = _PackedProduct.apply(rows, getattr(experts, name), groups, swap)
    if experts.has_bias:
        output = output + getattr(experts, f"{name}_bias")[owners]
    update: LowRank | None = getattr(experts, FACTORS, {}).get(name)
    if update is None:
        return output
    narrow = grouped_product(rows, update.down.to(rows.dtype), groups.all_ends)
    wide = grouped_product(narrow, update.up.to(rows.dtype), groups.all_ends)
    return output + wide * update.scaling


def _groups(owners: torch.Tensor, experts: int) -> Groups:
    """Where each expert's rows end; the experts named when fewer than half got any."""
    counts = torch.bincount(owners, minlength=experts)
    all_ends = counts.cumsum(0).to(torch.int32)
    hit = counts.nonzero().squeeze(1)
    if 2 * hit.numel() > experts:
        return Groups(None, all_ends, all_ends)
    return Groups(hit, all_ends[hit], all_ends)


def _absmax(state: Any) -> torch.Tensor:
    """The scale of each block, its own quantisation undone."""
    import bitsandbytes.functional as bnb

    return bnb.dequantize_blockwise(state.absmax, state.state2) + state.offset


def _dequantised(
    packed: torch.Tensor, absmax: torch.Tensor, state: Any, shape: torch.Size
) -> torch.Tensor:
    """Packed weights as numbers, with `shape`.

    They are unpacked as rows of whole blocks, whatever their shape is: on a CPU bitsandbytes
    0.50.2 takes wrong scales where a row is no whole number of blocks.
    """
    import bitsandbytes.functional as bnb

    total = shape.numel()
    row = BLOCK if total % BLOCK == 0 else total
    flat = bnb.QuantState(
        absmax=absmax,
        shape=torch.Size((total // row, row)),
        code=state.code,
        blocksize=BLOCK,
        quant_type="nf4",
        dtype=state.dtype,
    )
    return bnb.dequantize_4bit(packed.reshape(-1, 1), flat).view(shape)


def _swapped(weights: torch.Tensor, swap: bool) -> torch.Tensor:
    return weights.transpose(-2, -1) if swap else weights


def _in_whole_blocks(pieces: Iterable[torch.Tensor]) -> Iterable[torch.Tensor]:
    """The pieces, on a CPU no larger than `PIECE`; from the first with half a block on, joined."""
    rest: list[torch.Tensor] = []
    for piece in pieces:
        if rest or piece.numel() % BLOCK:
            rest.append(piece.flatten())
        else:
            yield from piece.flatten().split(PIECE if piece.device.type == "cpu" else piece.numel())
    if rest:
        yield torch.cat(rest)


def _has_kernel(rows: torch.Tensor, weights: torch.Tensor) -> bool:
    """Whether torch's grouped product takes these: it wants 16-byte rows, and Ampere on CUDA."""
    if not hasattr(torch.nn.functional, "grouped_mm"):
        return False
    if weights.is_cuda and torch.cuda.get_device_capability(weights.device) < (8, 0):
        return False
    return _aligned(rows) and _aligned(weights)


def _aligned(tensor: torch.Tensor) -> bool:
    steps = sorted(tensor.stride()[-2:])
    return steps[0] == 1 and steps[1] * tensor.element_size() % 16 == 0
