"""Qwen3-Next-80B-A3B at full size on one card: built in 4 bit layer by layer, then QLoRA steps.

The weights are random (a card's memory and speed do not ask what they are). Each tensor is drawn
on the card in bf16, expert by expert, quantised by the worker's own code and freed: the 159 GB of
the whole model are nowhere at any time. Then LoRA on attention and linear attention trains on
packed rows of 4,096 tokens with activation checkpointing, as a job would. Prints peak memory
(goal: under 50 GiB), time of a step and tokens a second.

`--device cpu --layers 4 --experts 8 --vocab 1024 --tokens 256` runs it end to end on any machine.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import card

GOAL_GIB = 50
RANK, ALPHA, RATE, DROPOUT = 16, 32, 2e-4, 0.05
DOCUMENT = 512
"""Tokens of a document where documents share a row."""
WARM_UP = 2
"""Steps before the clock counts: kernels are chosen, memory is taken."""


def configuration(arguments: argparse.Namespace) -> Any:
    """The published sizes (they are transformers' defaults), or fewer of them."""
    from transformers import Qwen3NextConfig

    asked = {
        "num_hidden_layers": arguments.layers,
        "num_experts": arguments.experts,
        "vocab_size": arguments.vocab,
    }
    config = Qwen3NextConfig(**{name: value for name, value in asked.items() if value})
    config.num_experts_per_tok = min(config.num_experts_per_tok, config.num_experts)
    return config


def build(config: Any, device: str, precision: str) -> Any:
    """The frozen model in 4 bit with random weights, through the worker's own quantizer."""
    import torch
    from accelerate import init_empty_weights
    from transformers import AutoModelForCausalLM

    import document_attention
    from checkpoint_format import DTYPES
    from quantised_loading import Nf4Config, Nf4Quantizer

    document_attention.register()
    with init_empty_weights(include_buffers=False):
        model = AutoModelForCausalLM.from_config(
            config,
            dtype=DTYPES[precision],
            attn_implementation=document_attention.choose_attention(device).name,
        )
    quantizer = Nf4Quantizer(Nf4Config(DTYPES[precision]), pre_quantized=False)
    quantizer.preprocess_model(model, device_map={"": device})
    torch.manual_seed(0)
    for name, parameter in list(model.named_parameters()):
        made = random_parameter(model, quantizer, name, parameter, device)
        path, _, short = name.rpartition(".")
        setattr(model.get_submodule(path), short, made)
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.to(device))
    model.hf_quantizer = quantizer
    quantizer.postprocess_model(model)
    return model.requires_grad_(False)


def random_parameter(model: Any, quantizer: Any, name: str, empty: Any, device: str) -> Any:
    """One parameter with random numbers, packed where the quantizer says so."""
    import torch

    import expert_layers

    def draw(shape: Any) -> Any:
        return torch.randn(shape, device=device, dtype=empty.dtype).mul_(0.02)

    if not quantizer.param_needs_quantization(model, name):
        numbers = draw(empty.shape) if empty.ndim > 1 else vector(name, empty, device)
        return torch.nn.Parameter(numbers, requires_grad=False)
    if empty.ndim == 3:
        experts: Iterator[Any] = (draw(empty.shape[1:]) for _ in range(empty.shape[0]))
        return expert_layers.pack(experts, empty.shape, empty.dtype)
    module = model.get_submodule(name.rpartition(".")[0])
    weight = draw((module.out_features, module.in_features))
    return quantizer.get_quantize_ops().convert({name: weight}, model=model)[name]


def vector(name: str, empty: Any, device: str) -> Any:
    """Norms and the decay of linear attention, as transformers begins them."""
    import torch

    if name.endswith("A_log"):
        return torch.empty(empty.shape, device=device).uniform_(0.01, 16).log().to(empty.dtype)
    ones = name.endswith(("dt_bias", "linear_attn.norm.weight"))
    return torch.full(empty.shape, float(ones), device=device, dtype=empty.dtype)


def batches(config: Any, tokens: int, steps: int, device: str) -> Iterator[dict[str, Any]]:
    """Packed rows of random tokens; of one document each where kernels for more are missing."""
    import torch

    import leak_guard
    from packed_rows import PackedRow, collate

    apart = {"causal_conv1d", "fla"} - set(leak_guard.hybrid_kernels_available())
    length = tokens if apart else min(DOCUMENT, tokens)
    for _ in range(steps):
        ids = torch.randint(0, config.vocab_size, (tokens,)).tolist()
        labels = [-100 if at % length < length // 2 else token for at, token in enumerate(ids)]
        lengths = [length] * (tokens // length)
        batch = collate([PackedRow(ids, labels, lengths)], sequence_index=True)
        yield {k: v.to(device) if hasattr(v, "to") else v for k, v in batch.items()}


def train(model: Any, arguments: argparse.Namespace) -> dict[str, Any]:
    """Real QLoRA steps; what they took."""
    import torch
    from peft import LoraConfig, get_peft_model

    from packed_trainer import token_loss
    from podtune.planning import adapter_targets
    from token_scores import scorer_of

    config = model.config
    lora = LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=DROPOUT,
        target_modules=list(adapter_targets.MIXTURE_TARGETS["qwen3_next"]),
        task_type="CAUSAL_LM",
    )
    adapted = get_peft_model(model, lora)
    adapted.activation_checkpointing_enable(
        activation_checkpointing_kwargs={"use_reentrant": False}
    )
    adapted.train()
    trainable = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=RATE)
    scorer = scorer_of(adapted, tokens=arguments.tokens)
    seconds, losses, documents = [], [], 0
    for batch in batches(config, arguments.tokens, arguments.steps + WARM_UP, arguments.device):
        documents = batch["cu_seq_lens_q"].numel() - 1 if "cu_seq_lens_q" in batch else 1
        card.wait(arguments.device)
        begun = time.perf_counter()
        loss, trained, _ = token_loss(adapted, batch, scorer)
        (loss / trained).backward()
        torch.nn.utils.clip_grad_norm_(trainable, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        card.wait(arguments.device)
        seconds.append(time.perf_counter() - begun)
        losses.append(loss.item() / trained)
    step = statistics.median(seconds[WARM_UP:])
    return {
        "trainable_parameters": sum(p.numel() for p in trainable),
        "tokens_per_row": arguments.tokens,
        "documents_per_row": documents,
        "steps": arguments.steps,
        "step_s": round(step, 3),
        "tokens_per_s": round(arguments.tokens / step),
        "first_loss": round(losses[0], 4),
        "last_loss": round(losses[-1], 4),
    }


def main() -> None:
    """Build, train, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--layers", type=int, help="48 when not given")
    parser.add_argument("--experts", type=int, help="512 when not given")
    parser.add_argument("--vocab", type=int, help="151,936 when not given")
    parser.add_argument("--tokens", type=int, default=4096, help="in a packed row")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--output", type=Path, help="another results file")
    arguments = parser.parse_args()

    import base_model
    import stored_bytes

    base_model.refuse_other_device(arguments.device)
    if arguments.device == "cpu":
        base_model.settle_threads(1)
    config = configuration(arguments)
    begun = time.perf_counter()
    precision = "bf16" if arguments.device == "cuda" else "fp32"
    model = build(config, arguments.device, precision)
    card.wait(arguments.device)
    built_s = time.perf_counter() - begun
    stored_bytes.refuse_unquantised(model, 4)
    figures = {
        "layers": config.num_hidden_layers,
        "experts": config.num_experts,
        "vocab": config.vocab_size,
        "weights_gib": round(stored_bytes.stored_bytes(model) / 2**30, 2),
        "build_s": round(built_s, 1),
        "peak_after_building_gib": round(peak_gib(arguments.device), 2),
        **train(model, arguments),
        "peak_memory_gib": round(peak_gib(arguments.device), 2),
        "memory": card.memory(arguments.device),
        "goal_gib": GOAL_GIB,
    }
    card.write("qwen3_next_80b", arguments.device, figures, arguments.output)


def peak_gib(device: str) -> float:
    """What was taken of the device at most, its context included."""
    memory = card.memory(device)
    return (memory["taken"] + memory["context"]) / 2**30


if __name__ == "__main__":
    main()
