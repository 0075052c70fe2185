"""LoRA and QLoRA on an 8 B model: podtune, plain TRL and, where it is installed, Unsloth.

Every way trains the same random checkpoint on the same short chats, one epoch, in a process of its
own, with the packing it has: podtune by best-fit rows and attention inside each document, TRL by
`packing_strategy="bfd"` with flash attention where that is installed, Unsloth by its own. Prints
tokens a second after the first steps, peak memory, and the share of the card's arithmetic (MFU).

`--layers 2 --hidden 128 --vocab 512 --device cpu` runs all of it on any machine in a minute.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import card
import shapes

WAYS = ("podtune lora", "podtune qlora", "trl lora", "trl qlora", "unsloth lora", "unsloth qlora")
NEEDS = {"podtune": "peft", "trl": "trl", "unsloth": "unsloth"}
WARM_UP = 4
"""Optimizer steps before the clock starts: kernels are chosen, memory is taken."""

RANK, ALPHA, RATE = 16, 32, 2e-4


class Work(NamedTuple):
    """What one way has to do."""

    folder: Path
    chats: list[shapes.Chat]
    row: int
    device: str
    checkpointing: bool

    @property
    def precision(self) -> str:
        """bf16 on a card, fp32 on a CPU."""
        return "bf16" if self.device == "cuda" else "fp32"

    def arguments(self) -> dict[str, Any]:
        """What all three hand to transformers' TrainingArguments."""
        return {
            "num_train_epochs": 1,
            "per_device_train_batch_size": 1,
            "gradient_accumulation_steps": 1,
            "learning_rate": RATE,
            "warmup_steps": 2,
            "logging_steps": 5,
            "save_strategy": "no",
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": self.device == "cpu",
            "seed": 42,
        }


def podtune(work: Work, kind: str, place: str) -> tuple[Any, str]:
    """Our recipe: the worker's own modules."""
    import libraries

    libraries.leave_out_unused(quantised=kind == "qlora")
    libraries.load()
    from peft import LoraConfig, get_peft_model
    from transformers import TrainingArguments

    import base_model
    import document_attention
    import packed_trainer
    from podtune.data import packing
    from podtune.data.masks import Example

    document_attention.register()
    choice = document_attention.choose_attention(work.device)
    bits = 4 if kind == "qlora" else 16 if work.device == "cuda" else 32
    model = base_model.load(
        work.folder, precision=work.precision, device=work.device, bits=bits, attention=choice.name
    )
    adapted = get_peft_model(
        model,
        LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=shapes.TARGETS, task_type="CAUSAL_LM"),
    )
    examples = [Example(c.input_ids, c.labels, 0) for c in work.chats]
    rows = packing.best_fit_decreasing([len(c.input_ids) for c in work.chats], work.row)
    trainer = packed_trainer.PackedTrainer(
        model=adapted,
        args=TrainingArguments(
            output_dir=place,
            bf16=False,
            activation_checkpointing=work.checkpointing,
            activation_checkpointing_kwargs={"use_reentrant": False},
            **work.arguments(),
        ),
        train_dataset=packed_trainer.lay_out(examples, rows),
    )
    return trainer, choice.note


def trl(work: Work, kind: str, place: str) -> tuple[Any, str]:
    """TRL's trainer at its best setting for such data: packed rows, flash attention if it is there."""
    import importlib.util

    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
    from trl import SFTConfig, SFTTrainer

    flash = work.device == "cuda" and importlib.util.find_spec("flash_attn")
    attention = "flash_attention_2" if flash else "sdpa"
    dtype = torch.bfloat16 if work.device == "cuda" else torch.float32
    quantised = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )  # fmt: skip
    model = AutoModelForCausalLM.from_pretrained(
        work.folder,
        dtype=dtype,
        attn_implementation=attention,
        device_map={"": 0 if work.device == "cuda" else "cpu"},
        quantization_config=quantised if kind == "qlora" else None,
    )
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=place,
            packing=True,
            packing_strategy="bfd",
            max_length=work.row,
            bf16=work.device == "cuda",
            gradient_checkpointing=work.checkpointing,
            **work.arguments(),
        ),
        train_dataset=Dataset.from_list([c._asdict() for c in work.chats]),
        processing_class=AutoTokenizer.from_pretrained(work.folder),
        peft_config=LoraConfig(
            r=RANK, lora_alpha=ALPHA, target_modules=shapes.TARGETS, task_type="CAUSAL_LM"
        ),
    )
    return trainer, attention


def unsloth(work: Work, kind: str, place: str) -> tuple[Any, str]:
    """Unsloth's own way, as its documentation shows it. CUDA only."""
    from unsloth import FastLanguageModel  # noqa: I001 - before trl: it replaces parts of it
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = FastLanguageModel.from_pretrained(
        str(work.folder), max_seq_length=work.row, load_in_4bit=kind == "qlora", dtype=None
    )
    model = FastLanguageModel.get_peft_model(
        model, r=RANK, lora_alpha=ALPHA, lora_dropout=0, bias="none",
        target_modules=shapes.TARGETS,
        use_gradient_checkpointing="unsloth" if work.checkpointing else False,
    )  # fmt: skip
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=place, packing=True, max_length=work.row, bf16=True, **work.arguments()
        ),
        train_dataset=Dataset.from_list([c._asdict() for c in work.chats]),
        processing_class=tokenizer,
    )
    return trainer, "Unsloth's own"


def one(way: str, work: Work) -> dict[str, Any]:
    """Train one way in this process."""
    library, kind = way.split()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        trainer, attention = {"podtune": podtune, "trl": trl, "unsloth": unsloth}[library](
            work, kind, place
        )
        ready = time.monotonic() - begun
        clock = stopwatch(work.device)
        trainer.add_callback(clock)
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    steps, tokens = trainer.state.global_step, sum(len(c.input_ids) for c in work.chats)
    timed = tokens * (steps - WARM_UP) / steps
    return {
        "tokens_per_s": round(timed / clock.seconds, 1),
        "peak_memory": card.memory(work.device),
        "steps": steps,
        "loss": [round(losses[0], 3), round(losses[-1], 3)],
        "attention": attention,
        "until_ready_s": round(ready, 1),
    }


def stopwatch(device: str) -> Any:
    """A callback that takes the time from the end of the warm-up to the last step."""
    from transformers import TrainerCallback

    class Stopwatch(TrainerCallback):
        begun = seconds = 0.0

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == WARM_UP:
                card.wait(device)
                self.begun = time.monotonic()

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            card.wait(device)
            self.seconds = time.monotonic() - self.begun

    return Stopwatch()


def child(way: str, options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """One way in a process of its own; what it cannot do is said, not hidden."""
    import importlib.util

    needed = NEEDS[way.split()[0]]
    if importlib.util.find_spec(needed) is None:
        return {"left_out": f"{needed} is not installed"}
    done = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--one", way, "--folder", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return {"failed": lines[-1][:300] if lines else f"exit code {done.returncode}"}
    return json.loads(done.stdout.splitlines()[-1])


def shares(figures: dict[str, Any], per_token: float, flops: dict[str, float | None]) -> None:
    """Add the share of the arithmetic, promised and reachable, and the ratio to TRL's best."""
    for measured in figures.values():
        if "tokens_per_s" in measured:
            used = measured["tokens_per_s"] * per_token
            measured |= {name: round(used / most, 3) for name, most in flops.items() if most}
    for kind in ("lora", "qlora"):
        ours, theirs = (figures.get(f"{who} {kind}", {}) for who in ("podtune", "trl"))
        if "tokens_per_s" in ours and "tokens_per_s" in theirs:
            ours["times_trl"] = round(ours["tokens_per_s"] / theirs["tokens_per_s"], 2)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(shapes.SHAPES), default="qwen3-8b")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--layers", type=int, default=0, help="fewer than the model has")
    parser.add_argument("--hidden", type=int, default=0, help="narrower than the model is")
    parser.add_argument("--vocab", type=int, default=0)
    parser.add_argument("--chats", type=int, default=2000)
    parser.add_argument("--row", type=int, default=4096, help="tokens of a packed row")
    parser.add_argument("--no-checkpointing", action="store_true")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--output", type=Path, help="another file than bench/results/gpu/...")
    parser.add_argument("--folder", type=Path, help="a checkpoint made before")
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    sizes = shapes.shape(
        options.model, layers=options.layers, hidden=options.hidden, vocab=options.vocab
    )
    chats = shapes.chats(options.chats, vocab=sizes["vocab_size"], longest=options.row)
    if options.one:
        work = Work(
            options.folder, chats, options.row, options.device, not options.no_checkpointing
        )
        print(json.dumps(one(options.one, work)))
        return
    with tempfile.TemporaryDirectory() as place:
        folder = options.folder or shapes.make(Path(place) / "model", sizes, device=options.device)
        figures = {way: child(way, options, folder) for way in options.ways}
    lengths = [len(c.input_ids) for c in chats]
    trained = sum(label != -100 for c in chats for label in c.labels)
    per_token = shapes.flops_per_token(sizes, lengths, trained)
    flops = {
        "mfu": card.data_sheet_flops(options.device),
        "of_reachable": card.reachable_flops(options.device),
    }
    shares(figures, per_token, flops)
    setting = {
        "model": options.model, "layers": sizes["num_hidden_layers"],
        "hidden": sizes["hidden_size"], "row": options.row, "chats": len(chats),
        "tokens": sum(lengths), "checkpointing": not options.no_checkpointing, "rank": RANK,
        "flops_per_token": round(per_token), "tflops": {k: v and round(v / 1e12, 3) for k, v in flops.items()},
    }  # fmt: skip
    card.write("training", options.device, {"setting": setting, **figures}, options.output)


if __name__ == "__main__":
    main()
