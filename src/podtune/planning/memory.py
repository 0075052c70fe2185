"""How much memory a training needs, by parts.

Source: the lab of 2026-11-22 that measured the bytes autograd keeps (saved-tensor hooks; residual
under 1 %), and its table of model sizes, which a test reproduces. What the libraries and the
allocator take on top is measured on a CPU and assumed on a GPU until `bench/gpu/memory.py` says.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from podtune.core.plan import BaseModelFacts, LinearFacts, MemoryEstimate
from podtune.core.spec import AdapterKind
from podtune.core.units import GIB
from podtune.planning.adaptation import Adaptation, adapted, trained_parameters
from podtune.planning.weight_bytes import WIDTHS, quantised_bytes, stored_bytes

LIBRARIES_BYTES: Final = {"cpu": int(0.72 * GIB), "mps": int(0.8 * GIB), "cuda": 1_000_000_000}
"""Interpreter, libraries and context before any weight. cpu: `bench/memory.py`, 2026-11-22; the
others are assumed."""

ALLOCATOR: Final = {"cpu": 2.4, "mps": 1.06, "cuda": 1.06}
"""Memory taken over bytes kept. cpu: for what comes and goes in every step; glibc's allocator
keeps freed blocks of many sizes, measured 1.9-2.4 by `bench/memory.py`, 2026-11-22. The others:
for everything, the caching allocators' fragmentation, assumed."""

CHECKPOINTED_CPU: Final = 4.6
"""The same on a CPU with checkpointing: every layer is computed and freed once more, which leaves
more freed blocks behind. One case of `bench/memory.py` (1,024 tokens), 2026-11-22."""

HALF_ON_CPU: Final = 0.7
"""Both of these in bf16 and fp16: more of what is kept is of few sizes (the adapter's fp32 inputs).
Measured 0.68 and 0.69 at 512 and 2,048 tokens by `bench/memory.py`, 2026-11-22."""

ADAPTER_BYTES_PER_PARAMETER: Final = 16
"""fp32 weight, gradient and two AdamW moments."""

FULL_NUMBERS_PER_PARAMETER: Final = 3
"""Where every weight is trained, on top of the weights and in their precision: gradient and two
AdamW moments. The lab's table counts 14 bytes for bf16 weights with an fp32 copy, which the worker
does not keep: it trains in fp32, where that comes to the same 16 bytes with the weight."""

BYTES_PER_LOGIT: Final = 10
"""2.5 numbers in fp32 at the peak: logits, their softmax, part of the gradient. Measured."""

FUSED_HEAD_BYTES: Final = GIB
"""What a head and loss computed in pieces take at most, as in the lab's table: pieces of 256 MiB,
and as much again for the softmax, the gradient and the copy in fp32."""

ATTENTION_INPUTS: Final = (
    "q_proj", "k_proj", "v_proj", "qkv_proj", "q_a_proj", "kv_a_proj_with_mqa", "in_proj",
    "in_proj_qkvz", "in_proj_ba", "in_proj_qkv", "in_proj_z", "in_proj_b", "in_proj_a",
)  # fmt: skip
"""Layers of one block that read the same input."""

FEED_FORWARD_INPUTS: Final = ("gate_proj", "up_proj", "gate_up_proj", "w1", "w3", "fc1")
"""Layers of the block's other half that read the same input."""


class Workload(NamedTuple):
    """What the memory depends on besides the model."""

    adaptation: Adaptation
    bits: int
    """Of a base weight in memory: 4, 8, 16 or 32."""
    precision: str
    """Of activations, and of weights that are not quantised."""
    tokens_per_pass: int
    """Tokens in one forward pass of one process (packed row x micro-batch)."""
    trained_per_pass: int
    """Of them, positions whose logits are computed; the head runs on no other."""
    device_kind: str
    checkpointing: bool = False
    fused_head: bool = True
    """Head and loss in pieces, as the worker computes them (`token_scores.py`)."""
    sharded_over: int = 1
    """Devices over which the layers' weights are spread (FSDP); embeddings, head and adapter are
    whole on each."""


def estimate(facts: BaseModelFacts, work: Workload) -> MemoryEstimate:
    """Peak memory of one process in bytes.

    Raises:
        SpecError: a target names no linear layer, or the rank exceeds the smaller side of one.
    """
    trained = trained_parameters(facts, work.adaptation)
    weights = weight_bytes(facts, work.bits, work.precision)
    if work.sharded_over > 1:
        spread = layer_parameters(facts) * WIDTHS[work.precision]
        weights -= spread - math.ceil(spread / work.sharded_over)
    full = work.adaptation.kind == AdapterKind.FULL
    per_parameter = FULL_NUMBERS_PER_PARAMETER * WIDTHS[work.precision]
    per_parameter = per_parameter if full else ADAPTER_BYTES_PER_PARAMETER
    adapter = trained.total * per_parameter
    on_cpu = work.device_kind == "cpu"
    factor = _on_top(work) if on_cpu else 1.0
    activations = int(activation_bytes(facts, work) * factor)
    logits = int(logit_bytes(facts, work) * factor)
    copies = int(unpacked_bytes(facts, work) * factor)
    parts = weights + adapter + activations + logits + copies
    overhead = LIBRARIES_BYTES[work.device_kind]
    if not on_cpu:
        overhead += int(parts * (ALLOCATOR[work.device_kind] - 1))
    return MemoryEstimate(
        weights=weights,
        adapter=adapter,
        activations=activations,
        logits=logits,
        unpacked=copies,
        overhead=overhead,
        total=parts + overhead,
        adapter_parameters=trained.total,
        expert_parameters=trained.experts,
    )


def _on_top(work: Workload) -> float:
    """What a CPU's allocator takes over the bytes that come and go in a step."""
    factor = CHECKPOINTED_CPU if work.checkpointing else ALLOCATOR["cpu"]
    return factor if work.precision == "fp32" else factor * HALF_ON_CPU


def weight_bytes(facts: BaseModelFacts, bits: int, precision: str) -> int:
    """Bytes the loaded base model holds.

    Quantised are the linear layers inside the blocks, and in 4 bits the experts; embeddings,
    head, norms, routers and convolutions stay in the training's precision.
    """
    if bits not in (4, 8):
        return stored_bytes(facts.total_parameters, precision)
    packed = facts.linear_parameters
    tensors = sum(shape.copies for shape in facts.linears)
    if facts.experts is not None and bits == 4:
        packed += facts.experts.parameters
        tensors += 2 * facts.experts.layers
    rows = sum(shape.outputs * shape.copies for shape in facts.linears)
    kept = stored_bytes(facts.total_parameters - packed, precision)
    return quantised_bytes(packed, bits, precision, tensors=tensors, rows=rows) + kept


def layer_parameters(facts: BaseModelFacts) -> int:
    """Parameters of the layers' linear weights and experts."""
    return facts.linear_parameters + (facts.experts.parameters if facts.experts else 0)


def activation_bytes(facts: BaseModelFacts, work: Workload) -> float:
    """Bytes kept for the backward pass.

    Without checkpointing all of every layer; with it the layers' inputs and, at the peak, one
    layer computed again.
    """
    layers = facts.layers
    whole = kept_per_token(facts, work)
    if not work.checkpointing:
        return work.tokens_per_pass * whole
    inputs = facts.hidden_size * layers * WIDTHS[work.precision]
    if work.adaptation.kind == AdapterKind.FULL:
        inputs += facts.hidden_size * WIDTHS[work.precision]
    return work.tokens_per_pass * (inputs + whole / layers)


def kept_per_token(facts: BaseModelFacts, work: Workload) -> float:
    """Bytes kept of one token over all layers, without checkpointing.

    LoRA on a dense layer: 4h + 3a + 3kv + 4I + 7r + 12 numbers (a: width of the queries; where
    a = h it is the lab's 7h + 3kv + 4I + 7r + 12, fitted on Qwen3; models without norms of query
    and key keep a + kv less); full fine-tuning: 7h + 3a + 4kv + 4I. Below fp32 norms keep fp32
    copies. Layers of linear attention: 3 times their inputs' width, assumed. An expert keeps 4
    times its width and its input and output.
    """
    full, width = work.adaptation.kind == AdapterKind.FULL, WIDTHS[work.precision]
    attending = facts.layers - facts.linear_attention_layers
    numbers = attending * (3 * facts.attention_size + (4 if full else 3) * facts.kv_size)
    numbers += facts.layers * ((7 if full else 4) * facts.hidden_size + 12)
    for shape in facts.linears:
        numbers += shape.copies * shape.outputs * _kept_share(shape, facts)
    if facts.experts is not None:
        one = 4 * facts.experts.intermediate_size + 2 * facts.hidden_size
        numbers += facts.experts.layers * facts.experts.active * one
    kept = numbers * width
    if width < 4:
        kept += attending * 2 * width * (facts.attention_size + facts.kv_size)
    return kept if full else kept + adapter_activations(facts, work)


def adapter_activations(facts: BaseModelFacts, work: Workload) -> float:
    """Bytes kept of one token by the adapters themselves, over all layers.

    Each keeps its rank. In fp32 without dropout its input is the one its neighbours read. Below
    fp32 (adapters compute in fp32) and with dropout each keeps a copy of its own instead, with
    dropout a mask besides. DoRA keeps its output twice. Measured on a CPU with saved-tensor hooks,
    2026-11-22; `tests/worker/test_activation_memory.py` measures it again.
    """
    layers, width = adapted(facts, work.adaptation), WIDTHS[work.precision]
    kept: float = sum(s.copies for s in layers) * work.adaptation.rank * width
    if width < 4 or work.adaptation.dropout:
        inputs = sum(s.copies * s.inputs for s in layers)
        mask = 4 if work.device_kind == "cpu" else 1
        kept += inputs * (4 + (mask if work.adaptation.dropout else 0))
        kept -= width * shared_inputs(facts, layers)
    if width < 4:
        kept += 2 * width * facts.hidden_size * facts.layers  # the layers' norms, in fp32
    if work.adaptation.kind == AdapterKind.DORA:
        kept += (4 + width) * sum(s.copies * s.outputs for s in layers)
    return kept


def shared_inputs(facts: BaseModelFacts, layers: Sequence[LinearFacts]) -> int:
    """Numbers of one token that these layers read, over all blocks, each counted once."""
    read = 0
    for names in (ATTENTION_INPUTS, FEED_FORWARD_INPUTS):
        read += facts.hidden_size * max((s.copies for s in layers if s.name in names), default=0)
    own = (s for s in layers if s.name not in (*ATTENTION_INPUTS, *FEED_FORWARD_INPUTS))
    return read + sum(s.copies * s.inputs for s in own)


def logit_bytes(facts: BaseModelFacts, work: Workload) -> int:
    """Bytes of logits and loss at the peak."""
    whole = work.trained_per_pass * facts.vocab_size * BYTES_PER_LOGIT
    return min(whole, FUSED_HEAD_BYTES) if work.fused_head else whole


def unpacked_bytes(facts: BaseModelFacts, work: Workload) -> int:
    """Bytes of weights that are unpacked for a moment: the largest layer, one layer's experts.

    DoRA multiplies out each update to take its norm: an identity, the update and the sum.
    """
    largest = max((s.inputs * s.outputs for s in facts.linears), default=0)
    width, copies = WIDTHS[work.precision], 0
    if work.bits in (4, 8):
        experts = facts.experts.layer_parameters if facts.experts and work.bits == 4 else 0
        copies = max(largest, experts) * width
    if work.adaptation.kind == AdapterKind.DORA:
        layers = adapted(facts, work.adaptation)
        copies += 4 * max(s.inputs * (s.inputs + 2 * s.outputs) for s in layers)
    if work.sharded_over > 1:
        copies += 2 * layer_parameters(facts) // facts.layers * width  # one computes, one comes
    return copies


def _kept_share(shape: LinearFacts, facts: BaseModelFacts) -> float:
    """Numbers kept for each output of a layer; the attention's own are counted by width."""
    leaf = shape.name.rpartition(".")[2]
    if leaf in FEED_FORWARD_INPUTS:
        return 2
    if leaf.startswith("in_proj"):
        return 3
    if leaf in ("q_a_proj", "kv_a_proj_with_mqa"):
        return 2
    if leaf == "q_proj" and shape.outputs > facts.attention_size:
        return 1  # its second half gates the output
    return 0
