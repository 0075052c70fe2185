"""What all compared recipes share: the model, the chats, the pairs, the clock.

The model is Qwen3-shaped (4 layers, hidden 192, vocabulary 4,096, random weights, fp32) with LoRA
r16 on all linear layers; one thread, one epoch. 192 chats of drawn lengths: median about 160
tokens, the longest 558, half of them the assistant's. Nothing is read from a disk.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
CHATS, PAIRS = 192, 48
EOS = 1
VOCABULARY = 4096
RATE = 2e-4
BETA = 0.1


class Document(NamedTuple):
    """Token ids of a chat; labels are -100 but for the assistant's."""

    input_ids: list[int]
    labels: list[int]
    line: int


class Pair(NamedTuple):
    """A prompt with a better and a worse answer."""

    chosen: Document
    rejected: Document
    line: int


def chats(count: int = CHATS) -> list[Document]:
    """The same chats in every process."""
    source = random.Random(20)
    return [_document(_prompt(source), _answer(source), line) for line in range(1, count + 1)]


def pairs(count: int = PAIRS) -> list[Pair]:
    """The same pairs in every process; about as long as the chats."""
    source = random.Random(21)
    made = []
    for line in range(1, count + 1):
        prompt = _prompt(source)
        made.append(
            Pair(
                _document(prompt, _answer(source), line),
                _document(prompt, _answer(source), line),
                line,
            )
        )
    return made


def _document(prompt: list[int], answer: list[int], line: int) -> Document:
    return Document([*prompt, *answer], [-100] * len(prompt) + answer, line)


def _prompt(source: random.Random) -> list[int]:
    return _tokens(source, median=70, least=12, most=400)


def _answer(source: random.Random) -> list[int]:
    return [*_tokens(source, median=80, least=6, most=500), EOS]


def _tokens(source: random.Random, *, median: int, least: int, most: int) -> list[int]:
    """Log-normal lengths, as short chats have; ids of a 200-word language that can be learnt."""
    length = min(most, max(least, round(median * source.lognormvariate(0, 0.62))))
    word = source.randrange(200)
    ids = []
    for _ in range(length):
        word = (word * 7 + source.randrange(4)) % 200
        ids.append(4 + word * 20)
    return ids


def base(attention: str) -> Any:
    """The base model, the same random weights every time."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(7)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=VOCABULARY, hidden_size=192, intermediate_size=576, num_hidden_layers=4,
            num_attention_heads=6, num_key_value_heads=2, head_dim=32, max_position_embeddings=4096,
            tie_word_embeddings=True, pad_token_id=0, bos_token_id=None, eos_token_id=EOS,
            attn_implementation=attention,
        )
    )  # fmt: skip


def lora() -> Any:
    """The adapter all recipes train."""
    from peft import LoraConfig

    return LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")


def adapted(attention: str) -> Any:
    """Base and adapter for trainers that take a ready model."""
    import torch
    from peft import get_peft_model

    model = base(attention)
    model.requires_grad_(False)
    torch.manual_seed(8)
    return get_peft_model(model, lora())


def tokenizer() -> Any:
    """A tokenizer for trainers that insist on one; the chats are tokenised already."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = {f"w{index}": index for index in range(VOCABULARY)}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w3")),
        eos_token="w1",
        pad_token="w0",
    )


def arguments(kind: Any, folder: str, **options: Any) -> Any:
    """Trainer arguments: whatever is not the recipe's own is the same for all."""
    settings = {
        "output_dir": folder, "use_cpu": True, "num_train_epochs": 1, "learning_rate": RATE,
        "per_device_train_batch_size": 1, "logging_steps": 5, "save_strategy": "no",
        "report_to": "none", "disable_tqdm": True, "seed": 1, "optim": "adamw_torch",
    }  # fmt: skip
    return kind(**settings | options)


def quiet() -> None:
    """One thread, no chatter; before torch is used."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    sys.path[:0] = [str(ROOT / "runpod-worker"), str(ROOT / "src")]
    import warnings

    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    warnings.filterwarnings("ignore")


def measure(train: Callable[[], Any], useful_tokens: int, **said: Any) -> None:
    """Run a training and print its figures as one line of JSON."""
    began, wall = time.process_time(), time.monotonic()
    loss = train()
    seconds = time.process_time() - began
    figures = {
        **said,
        "useful_tokens": useful_tokens,
        "cpu_s": round(seconds, 2),
        "wall_s": round(time.monotonic() - wall, 2),
        "tokens_per_cpu_s": round(useful_tokens / seconds, 1),
        "loss": loss if loss is None else round(float(loss), 4),
    }
    print(json.dumps(figures), flush=True)


def option(name: str, default: int, meaning: str) -> int:
    """The one number that a recipe can be told."""
    parser = argparse.ArgumentParser()
    parser.add_argument(f"--{name}", type=int, default=default, help=meaning)
    return getattr(parser.parse_args(), name)
