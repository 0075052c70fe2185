"""How much memory a LoRA training needs, by parts.

Source: the lab of 2026-11-22 that measured the bytes autograd keeps (saved-tensor hooks; residual
under 1 %): per token and layer 7h + 3kv + 4I + 7r + 12 elements without checkpointing. What the
libraries and the allocator take on top is measured on a CPU and assumed on a GPU.
"""

from collections.abc import Sequence
from typing import Final

from podtune.core.errors import SpecError
from podtune.core.plan import BaseModelFacts, MemoryEstimate
from podtune.core.units import GIB
from podtune.planning.model_facts import LinearShape, linear_shapes, sizes_of

LIBRARIES_BYTES: Final = {"cpu": int(0.72 * GIB), "mps": int(0.8 * GIB), "cuda": int(1.0 * GIB)}
"""Interpreter, libraries and context before any weight. cpu: `bench/memory.py`, 2026-11-22; the
others are assumed."""

ALLOCATOR: Final = {"cpu": 2.4, "mps": 1.06, "cuda": 1.06}
"""Memory taken over bytes kept, for what comes and goes in every step. cpu: glibc's allocator
keeps freed blocks of many sizes, measured 1.9-2.4 by `bench/memory.py`, 2026-11-22; the others are
the caching allocators' fragmentation, assumed."""

ADAPTER_BYTES_PER_PARAMETER: Final = 16
"""fp32 weight, gradient and two AdamW moments."""


def adapter_parameters(
    shapes: Sequence[LinearShape], rank: int, targets: str | Sequence[str]
) -> int:
    """Count the trainable parameters LoRA adds.

    Each target of shape [out, in] gains A [rank, in] and B [out, rank], so rank * (in + out).

    Args:
        shapes: Linear layers of the model.
        rank: r in the paper; at least 1.
        targets: `all-linear` or names of layers.

    Raises:
        SpecError: a target names no linear layer, or the rank exceeds the smaller side of one.

    Source: Hu et al. 2021, arXiv 2106.09685, section 4.1.
    """
    known = {shape.name for shape in shapes}
    names = known if targets == "all-linear" else set(targets)
    unknown = sorted(names - known)
    if unknown:
        raise SpecError(
            f"adapter.target_modules: {', '.join(unknown)} is no linear layer of this model",
            hint=f"choose from {', '.join(sorted(known))}, or all-linear",
        )
    if not names:
        raise SpecError("adapter.target_modules is empty", hint="leave it at all-linear")
    adapted = [shape for shape in shapes if shape.name in names]
    smallest = min(min(shape.inputs, shape.outputs) for shape in adapted)
    if rank > smallest:
        raise SpecError(f"adapter.rank {rank} is over the smallest side of a target ({smallest})")
    return sum(rank * (shape.inputs + shape.outputs) * shape.copies for shape in adapted)


def estimate(  # noqa: PLR0913 - the formula's own variables
    facts: BaseModelFacts,
    *,
    rank: int,
    targets: str | Sequence[str],
    tokens_per_pass: int,
    trained_per_pass: int,
    precision: str,
    device_kind: str,
) -> MemoryEstimate:
    """Peak memory in bytes.

    Args:
        facts: The base model's sizes.
        rank: Of the adapter.
        targets: Of the adapter.
        tokens_per_pass: Tokens in one forward pass (packed row x micro-batch).
        trained_per_pass: Of them, positions whose logits are computed; the head runs on no other.
        precision: `fp32` or `bf16`, of weights and activations.
        device_kind: `cpu`, `mps` or `cuda`.
    """
    width = 4 if precision == "fp32" else 2
    parameters = adapter_parameters(linear_shapes(sizes_of(facts)), rank, targets)
    weights = facts.total_parameters * width
    adapter = parameters * ADAPTER_BYTES_PER_PARAMETER
    per_token_layer = (
        7 * facts.hidden_size + 3 * facts.kv_size + 4 * facts.intermediate_size + 7 * rank + 12
    )
    factor = ALLOCATOR[device_kind]
    activations = int(tokens_per_pass * facts.layers * per_token_layer * width * factor)
    # Saved logits, their fp32 copy and the gradient at the peak: about 2.5 x V per position.
    logits = int(trained_per_pass * facts.vocab_size * 2.5 * 4 * factor)
    overhead = LIBRARIES_BYTES[device_kind]
    return MemoryEstimate(
        weights=weights,
        adapter=adapter,
        activations=activations,
        logits=logits,
        overhead=overhead,
        total=weights + adapter + activations + logits + overhead,
        adapter_parameters=parameters,
    )
