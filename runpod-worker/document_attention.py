"""Attention that stays inside each document of a packed row.

Document bounds travel as transformers' own flash-attention arguments (`cu_seq_lens_q`: cumulative
lengths, int32 [documents + 1]), so the same batch drives this function on any device and
flash-varlen kernels on a GPU. Exact: packed loss and gradient equal separate ones, also where a
model attends to a window only, caps its scores (Gemma 2) or keeps sinks (gpt-oss).

Shapes: query [1, heads, tokens, head size]; key and value may have fewer heads (grouped queries).
"""

import importlib.util
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "document_attention"
"""Without `sdpa` in it: transformers refuses such names for models it knows no sdpa for (gpt-oss)."""
VARLEN_HEAD_SIZE = 256
"""The largest head that torch's flash kernels take."""


class Choice(NamedTuple):
    """An attention of transformers by name, and a line for the receipt."""

    name: str
    note: str


class Scores(NamedTuple):
    """How a layer turns queries and keys into weights."""

    scaling: float | None
    dropout: float
    window: int | None
    """A token sees itself and the `window - 1` tokens before it."""
    softcap: float | None
    """Scores are `softcap * tanh(scores / softcap)` (Gemma 2, arXiv 2408.00118, section 2)."""
    sinks: torch.Tensor | None
    """[heads]: a logit that takes weight and gives no value (gpt-oss)."""

    @property
    def is_plain(self) -> bool:
        """Whether torch's fused attention computes them."""
        return self.softcap is None and self.sinks is None


class Span(NamedTuple):
    """Queries `start..end`, which see keys from `first_key` on."""

    start: int
    end: int
    first_key: int


def choose_attention(device: str) -> Choice:
    """The fastest attention that keeps documents apart on a device, of those installed.

    Args:
        device: `cuda`, `cpu` or `mps`.
    """
    if device == "cuda":
        if _varlen_attention() is not None:
            return Choice(NAME, f"flash varlen of torch {torch.__version__}")
        if importlib.util.find_spec("flash_attn") is not None:
            return Choice("flash_attention_2", "flash varlen of the package flash_attn")
    return Choice(NAME, "torch's sdpa, document by document")


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
    """Causal attention within each document; returns [1, tokens, heads, head size].

    Without bounds it is ordinary attention: one document, a padded batch, or generation.

    Raises:
        ValueError: a batch that would let documents see each other.
    """
    window, softcap = options.get("sliding_window"), options.get("softcap")
    scores = Scores(scaling, dropout, window, softcap, options.get("s_aux"))
    if cu_seq_lens_q is None:
        _refuse_unmarked_packing(query, attention_mask, options.get("position_ids"))
        whole = attention_mask is None and query.shape[2] == key.shape[2]
        windowed = whole and window is not None and window < query.shape[2]
        if scores.is_plain and not windowed:
            return sdpa_attention_forward(
                module, query, key, value, attention_mask, dropout=dropout, scaling=scaling,
                **options,
            )  # fmt: skip
        if not whole:
            return _attend(query, key, value, attention_mask, scores).transpose(1, 2), None
        bounds = [0, query.shape[2]]
    else:
        bounds = _bounds(cu_seq_lens_q)
        _refuse_unsound(query, attention_mask, bounds)
        if _fits_varlen(query, value, scores):
            return _flash(query, key, value, cu_seq_lens_q, bounds, scores), None
    parts = [
        _attend(queries, keys, values, _band(span, window, query.device), scores)
        for span, queries, keys, values in _cut(query, key, value, bounds, window)
    ]
    return torch.cat(parts, dim=2).transpose(1, 2), None


def _bounds(cumulative: torch.Tensor) -> list[int]:
    """The bounds as numbers, remembered on the tensor: reading a GPU tensor waits for the GPU."""
    known = getattr(cumulative, "document_bounds", None)
    if known is None:
        known = cumulative.tolist()
        cumulative.document_bounds = known  # type: ignore[attr-defined]
    return known


def _spans(bounds: list[int], window: int | None) -> Iterator[Span]:
    """Documents, and those longer than the window in blocks of it: work grows with the window."""
    for start, end in pairwise(bounds):
        if window is None or end - start <= window:
            yield Span(start, end, start)
            continue
        for block in range(start, end, window):
            yield Span(block, min(block + window, end), max(start, block - window + 1))


def _cut(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bounds: list[int],
    window: int | None,
) -> Iterator[tuple[Span, torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Each span with its queries, keys and values.

    Whole documents are split off, not sliced: the gradient of a slice is as long as the row.
    """
    spans = list(_spans(bounds, window))
    if len(spans) == len(bounds) - 1:
        lengths = [span.end - span.start for span in spans]
        split = (states.split(lengths, dim=2) for states in (query, key, value))
        yield from zip(spans, *split, strict=True)
        return
    for span in spans:
        yield (
            span,
            query[:, :, span.start : span.end],
            key[:, :, span.first_key : span.end],
            value[:, :, span.first_key : span.end],
        )


def _band(span: Span, window: int | None, device: torch.device) -> torch.Tensor | None:
    """Which keys each query sees, [queries, keys]; none where plain causality says it."""
    if span.first_key == span.start or window is None:
        return None
    queries = torch.arange(span.start, span.end, device=device)[:, None]
    keys = torch.arange(span.first_key, span.end, device=device)[None]
    return (keys <= queries) & (keys > queries - window)


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scores: Scores,
) -> torch.Tensor:
    """Attention of queries over keys; without a mask causal where they are equally many."""
    causal = mask is None and query.shape[2] == key.shape[2]
    if scores.is_plain:
        return functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            is_causal=causal,
            scale=scores.scaling,
            dropout_p=scores.dropout,
            enable_gqa=query.shape[1] != key.shape[1],
        )
    if causal:
        ones = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool, device=query.device)
        mask = ones.tril()
    return _attend_explicitly(query, key, value, mask, scores)


def _attend_explicitly(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scores: Scores,
) -> torch.Tensor:
    """The same with capped scores or sinks, which fused attention lacks; softmax in fp32."""
    heads = key.shape[1]
    scaling = query.shape[-1] ** -0.5 if scores.scaling is None else scores.scaling
    grouped = query.unflatten(1, (heads, -1))  # [1, key heads, group, queries, head size]
    weights = (grouped @ key.unsqueeze(2).transpose(-1, -2)).float() * scaling
    if scores.softcap is not None:
        weights = torch.tanh(weights / scores.softcap) * scores.softcap
    if mask is not None:
        seen = mask.unsqueeze(2) if mask.dim() == 4 else mask
        weights = weights.masked_fill(~seen, torch.finfo(weights.dtype).min)
    if scores.sinks is not None:
        sink = scores.sinks.float().view(1, heads, -1, 1, 1)
        weights = torch.cat([weights, sink.expand(*weights.shape[:-1], 1)], dim=-1)
    shares = weights.softmax(-1)[..., : key.shape[2]].to(value.dtype)
    shares = functional.dropout(shares, scores.dropout, training=scores.dropout > 0)
    return (shares @ value.unsqueeze(2)).flatten(1, 2)


def _varlen_attention() -> Any:
    """Torch's own attention over documents of different lengths (from 2.10 on), if it has it."""
    try:
        from torch.nn.attention.varlen import varlen_attn
    except ImportError:
        return None
    return varlen_attn


def _fits_varlen(query: torch.Tensor, value: torch.Tensor, scores: Scores) -> bool:
    size = query.shape[-1]
    return (
        query.is_cuda
        and query.dtype in (torch.float16, torch.bfloat16)
        and scores.is_plain
        and not scores.dropout
        and size == value.shape[-1]
        and size <= VARLEN_HEAD_SIZE
        and _varlen_attention() is not None
    )


def _flash(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    cumulative: torch.Tensor,
    bounds: list[int],
    scores: Scores,
) -> torch.Tensor:
    """All documents in one kernel; torch counts the window without the token itself."""
    longest = max(end - start for start, end in pairwise(bounds))
    left = -1 if scores.window is None else scores.window - 1
    return _varlen_attention()(
        *(states[0].transpose(0, 1) for states in (query, key, value)),
        cumulative,
        cumulative,
        longest,
        longest,
        scale=scores.scaling,
        window_size=(left, 0),
        enable_gqa=query.shape[1] != key.shape[1],
    ).unsqueeze(0)


def _refuse_unmarked_packing(
    query: torch.Tensor, mask: torch.Tensor | None, positions: torch.Tensor | None
) -> None:
    if mask is not None or positions is None or query.shape[2] < 2:
        return
    if bool((positions[..., 1:] <= positions[..., :-1]).any()):
        raise ValueError("packed positions without document bounds: documents would leak")


def _refuse_unsound(query: torch.Tensor, mask: torch.Tensor | None, bounds: list[int]) -> None:
    if mask is not None or query.shape[0] != 1:
        raise ValueError("a packed batch is one row with document bounds and no attention_mask")
    if bounds[-1] != query.shape[2]:
        raise ValueError(
            f"document bounds end at {bounds[-1]}, the row has {query.shape[2]} tokens"
        )


def _mask(
    *, q_length: int, kv_length: int, attention_mask: torch.Tensor | None = None, **options: Any
) -> Any:
    """No mask where bounds and window say it all, sdpa's own for padding and for a cache."""
    if attention_mask is None and q_length == kv_length:
        return None
    return sdpa_mask(
        q_length=q_length, kv_length=kv_length, attention_mask=attention_mask, **options
    )


def register() -> None:
    """Make `attn_implementation="document_attention"` known to transformers."""
    AttentionInterface.register(NAME, document_attention)
    AttentionMaskInterface.register(NAME, _mask)
