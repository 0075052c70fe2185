"""Random models of published shapes, and random chats: what GPU benchmarks train and train on.

Speed and memory do not depend on what weights and tokens say. A checkpoint is written once, so
that every way of the comparison loads the same files by its own usual route.
"""

import json
import math
import random
from pathlib import Path
from typing import Any, NamedTuple

SHAPES = {
    "qwen3-8b": {
        "model_type": "qwen3", "hidden_size": 4096, "intermediate_size": 12288,
        "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": 128, "vocab_size": 151_936, "max_position_embeddings": 40_960,
        "rms_norm_eps": 1e-6,
    },
    "llama-3.1-8b": {
        "model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336,
        "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
        "head_dim": 128, "vocab_size": 128_256, "max_position_embeddings": 131_072,
        "rms_norm_eps": 1e-5,
    },
}  # fmt: skip
"""As the published config.json files say."""

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
MEDIAN_TOKENS = 160
SPREAD = 0.8
"""Of the logarithm of a chat's length: short chats with a long tail, as in the lab of 2026-11-22."""


class Chat(NamedTuple):
    """Tokens, and the same with -100 where nothing is trained."""

    input_ids: list[int]
    labels: list[int]


def shape(name: str, *, layers: int = 0, hidden: int = 0, vocab: int = 0) -> dict[str, Any]:
    """A published shape, or a smaller one of the same proportions."""
    whole = SHAPES[name]
    changed: dict[str, Any] = {"tie_word_embeddings": False}
    if layers:
        changed["num_hidden_layers"] = layers
    if vocab:
        changed["vocab_size"] = vocab
    if hidden:
        head = min(128, hidden // 4)
        changed |= {
            "hidden_size": hidden,
            "head_dim": head,
            "num_attention_heads": hidden // head,
            "num_key_value_heads": max(1, hidden // head // 4),
            "intermediate_size": whole["intermediate_size"] * hidden // whole["hidden_size"],
        }
    return whole | changed


def make(folder: Path, sizes: dict[str, Any], *, device: str) -> Path:
    """A checkpoint of random weights (bf16; on a CPU fp32) with a tokenizer that only counts."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    options = {k: v for k, v in sizes.items() if k != "model_type"}
    config = AutoConfig.for_model(sizes["model_type"], pad_token_id=0, eos_token_id=1, **options)
    torch.manual_seed(7)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(
            config, dtype=torch.bfloat16 if device == "cuda" else torch.float32
        )
    model.save_pretrained(folder)
    _tokenizer(folder)
    return folder


def chats(count: int, *, vocab: int, longest: int, seed: int = 7) -> list[Chat]:
    """Chats of random tokens; the second half of each is its answer."""
    drawn = random.Random(seed)
    made = []
    for _ in range(count):
        length = int(math.exp(drawn.gauss(math.log(MEDIAN_TOKENS), SPREAD)))
        length = min(max(8, length), longest)
        ids = [drawn.randrange(2, vocab) for _ in range(length)]
        asked = length // 2
        made.append(Chat(ids, [-100] * asked + ids[asked:]))
    return made


def facts(sizes: dict[str, Any]) -> Any:
    """What the planner knows of such a model."""
    from podtune.planning import model_facts

    return model_facts.facts_from_config(
        sizes, name="random", revision=None, source="path", location=None
    )


def flops_per_token(sizes: dict[str, Any], lengths: list[int], trained: int) -> float:
    """Operations a token of LoRA training needs, however it is done.

    Forward and the gradient towards the inputs: 2 x 2 a frozen weight (its own gradient is not
    computed), the output layer on trained positions only; attention 6 x its width x the mean
    document a token stands in, a layer. What checkpointing computes again does not count.
    """
    known, total = facts(sizes), sum(lengths)
    head = 4 * known.vocab_size * known.hidden_size * trained / total
    seen = sum(n * n for n in lengths) / total
    return 4 * known.linear_parameters + head + 6 * known.attention_size * seen * known.layers


def _tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models

    tokens = {"<pad>": 0, "<eos>": 1}
    Tokenizer(models.WordLevel(tokens, unk_token="<pad>")).save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>",
              "pad_token": "<pad>"}  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
