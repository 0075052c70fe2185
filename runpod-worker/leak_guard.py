"""Whether a loaded model keeps the documents of a packed row apart: measured, not believed.

Attention does by the bounds it is given. Layers that carry a state from token to token (linear
attention, convolutions, Mamba) need kernels of their own for it; transformers' fallback for them
refuses some packed batches and lets documents leak in others (Qwen3-Next: logits off by 0.8 of
1.35, training.md section 3). So two documents go through the model together and alone.
"""

import importlib.util
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import torch

import failures
from evaluation import at_rest
from packed_rows import PackedRow, collate

HYBRID_KERNELS: Final = ("causal_conv1d", "fla", "mamba_ssm")
"""What transformers 5.23 takes for convolutions, gated delta rules and Mamba 2."""

ATTENTION: Final = frozenset({"full_attention", "sliding_attention", "chunked_attention"})
TOKENS: Final = (24, 20)
"""Of the two documents. The second shows a leak; the first is there to leak into it."""

ROUNDING_FP32: Final = 1e-3
ROUNDING_HALF: Final = 0.05
"""What rounding may change at least, as a share of the spread of a token's logits. Models that
keep documents apart show 3e-7 in fp32; leaking ones 0.09 (LFM2's convolution) and more."""
MARGIN: Final = 5
"""Times the rounding that was measured, where that is more (experts chosen at a tie)."""


class Leak(NamedTuple):
    """What another document in the row changes, as a share of the spread of a token's logits."""

    change: float | None
    """With the other document before it; None: the model refuses packed rows itself."""
    limit: float
    """What rounding explains."""

    @property
    def is_found(self) -> bool:
        """Whether documents see each other, or the model says that it cannot tell."""
        return self.change is None or self.change > self.limit


def is_hybrid(config: Any) -> bool:
    """Whether a model has layers that carry a state beside its attention."""
    kinds: Iterable[str] = getattr(config.get_text_config(), "layer_types", None) or ()
    return not ATTENTION.issuperset(kinds)


def hybrid_kernels_available() -> tuple[str, ...]:
    """Kernels for such layers that are installed; nothing is imported."""
    return tuple(name for name in HYBRID_KERNELS if importlib.util.find_spec(name) is not None)


def measure_leak(model: Any) -> Leak:
    """How far a document's logits change when another stands before it in its row.

    What follows a document cannot change it; what that changes nevertheless is rounding, in the
    same model, precision and kernels. Costs three forwards of some forty tokens.
    """
    device = next(model.parameters()).device
    before, own = _documents(int(model.config.get_text_config().vocab_size))
    hybrid = is_hybrid(model.config)
    with torch.no_grad(), at_rest(model):
        alone = _logits(model, [own], device, hybrid)
        continued = _logits(model, [own + before], device, hybrid)[: len(own)]
        limit = max(_least_rounding(model), MARGIN * _difference(continued, alone))
        try:
            packed = _logits(model, [before, own], device, hybrid)[len(before) :]
        except ValueError:
            return Leak(None, limit)
    return Leak(_difference(packed, alone), limit)


def refuse_leaking(model: Any, rows: Sequence[PackedRow]) -> None:
    """Raise where rows hold several documents and the model would mix them.

    Rows of one document each cost nothing.

    Raises:
        PlanMismatchError: `documents_leak`, with what was measured.
    """
    if all(len(row.lengths) == 1 for row in rows):
        return
    leak = measure_leak(model)
    if not leak.is_found:
        return
    found = (
        "it refuses them"
        if leak.change is None
        else f"logits change by {leak.change:.2f} of their spread"
    )
    missing = sorted(set(HYBRID_KERNELS) - set(hybrid_kernels_available()))
    wanted = f", or install {', '.join(missing)}" if is_hybrid(model.config) and missing else ""
    raise failures.PlanMismatchError(
        f"this model does not keep the documents of a packed row apart here: {found}",
        code="documents_leak",
        hint=f"train unpacked with --set training.packing=false{wanted}",
    )


def _difference(found: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest difference of a token's logits [tokens, vocabulary], relative to their spread."""
    spread = expected.std(dim=-1).clamp(min=1e-6)
    return float(((found - expected).square().mean(dim=-1).sqrt() / spread).max())


def _least_rounding(model: Any) -> float:
    parameters = [p for p in model.parameters() if p.is_floating_point()]
    exact = all(p.dtype == torch.float32 for p in parameters) and not _is_quantised(model)
    return ROUNDING_FP32 if exact else ROUNDING_HALF


def _is_quantised(model: Any) -> bool:
    return getattr(model.config, "quantization_config", None) is not None


def _documents(vocabulary: int) -> tuple[list[int], list[int]]:
    """Two fixed documents of many different tokens."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(0, vocabulary, (sum(TOKENS),), generator=generator).tolist()
    return ids[: TOKENS[0]], ids[TOKENS[0] :]


def _logits(
    model: Any, documents: Sequence[list[int]], device: torch.device, hybrid: bool
) -> torch.Tensor:
    """Of the documents in one row; [tokens, vocabulary], fp32."""
    row = PackedRow(
        [token for document in documents for token in document],
        [token for document in documents for token in document],
        [len(document) for document in documents],
    )
    batch = collate([row], sequence_index=hybrid)
    for name in ("labels", "trained_positions"):
        del batch[name]
    inputs = {k: v.to(device) if isinstance(v, torch.Tensor) else v for k, v in batch.items()}
    return model(**inputs, use_cache=False).logits[0].float()
