"""Attention that stays inside each document of a packed row.

Document bounds travel as transformers' own flash-attention arguments (`cu_seq_lens_q`: cumulative
lengths, int32 [documents + 1]), so the same batch drives this function on any device and
flash-varlen kernels on a GPU. Exact: packed loss and gradient equal separate ones.
"""

from itertools import pairwise
from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "document_sdpa"


def document_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: torch.Tensor | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention within each document; shapes [1, heads, tokens, head size].

    Without bounds (generation, padded batches) this is transformers' own sdpa.

    Raises:
        ValueError: a batch that would let documents see each other.
    """
    if cu_seq_lens_q is None:
        _refuse_unmarked_packing(query, attention_mask, options.get("position_ids"))
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **options
        )
    bounds = cu_seq_lens_q.tolist()
    _refuse_unsound(query, attention_mask, bounds, options)
    grouped = query.shape[1] != key.shape[1]
    parts = [
        functional.scaled_dot_product_attention(
            query[:, :, start:end],
            key[:, :, start:end],
            value[:, :, start:end],
            is_causal=True,
            scale=scaling,
            dropout_p=dropout,
            enable_gqa=grouped,
        )
        for start, end in pairwise(bounds)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


def _refuse_unmarked_packing(
    query: torch.Tensor, mask: torch.Tensor | None, positions: torch.Tensor | None
) -> None:
    if mask is not None or positions is None or query.shape[2] < 2:
        return
    if bool((positions[:, 1:] <= positions[:, :-1]).any()):
        raise ValueError("packed positions without document bounds: documents would leak")


def _refuse_unsound(
    query: torch.Tensor, mask: torch.Tensor | None, bounds: list[int], options: dict[str, Any]
) -> None:
    if mask is not None or query.shape[0] != 1:
        raise ValueError("a packed batch is one row with document bounds and no attention_mask")
    if bounds[-1] != query.shape[2]:
        raise ValueError(
            f"document bounds end at {bounds[-1]}, the row has {query.shape[2]} tokens"
        )
    window = options.get("sliding_window")
    longest = max(end - start for start, end in pairwise(bounds))
    if window is not None and longest > window:
        raise ValueError(
            f"a document of {longest} tokens is longer than the model's window {window}"
        )
    if options.get("s_aux") is not None:
        raise ValueError("attention sinks are not supported")


def _mask(*arguments: Any, attention_mask: torch.Tensor | None = None, **options: Any) -> Any:
    """No mask for packed rows (the bounds say it all), sdpa's own for padded batches."""
    if attention_mask is None:
        return None
    return sdpa_mask(*arguments, attention_mask=attention_mask, **options)


def register() -> None:
    """Make `attn_implementation="document_sdpa"` known to transformers."""
    AttentionInterface.register(NAME, document_attention)
    AttentionMaskInterface.register(NAME, _mask)
