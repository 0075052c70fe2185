"""Peak memory of real steps on a card against the plan's formula, and the constants that follow.

Two constants of `podtune.planning.memory` are assumed for CUDA until this has run:
`LIBRARIES_BYTES` (what stands outside the allocator) and `ALLOCATOR` (what it takes over what is
in use). Each case runs in a process of its own: load, attach, three optimizer steps on one packed
row. `--device cpu` runs two small cases and compares the resident set; it calibrates nothing.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import card
import shapes

DOCUMENT = 256
"""Tokens of each document in the row; a third of them are trained."""

STEPS = 3


class Case(NamedTuple):
    """One point of the fit: a shape, a row and a kind of training."""

    layers: int
    tokens: int
    bits: int
    checkpointing: bool

    def __str__(self) -> str:
        """For the table."""
        how = "checkpointing" if self.checkpointing else "all kept"
        return f"{self.layers} layers, {self.tokens} tokens, {self.bits} bits, {how}"


CASES = [
    Case(layers, tokens, bits, checkpointing)
    for layers in (4, 12, 36)
    for tokens in (1024, 4096)
    for bits in (16, 4)
    for checkpointing in (True, False)
]
SMALL = [Case(2, 512, 32, checkpointing=False), Case(2, 512, 4, checkpointing=True)]


def one(case: Case, folder: Path, device: str) -> dict[str, int]:
    """Run a case in this process; peak bytes."""
    import libraries

    libraries.leave_out_unused(quantised=case.bits == 4)
    libraries.load()
    import torch
    from peft import LoraConfig, get_peft_model

    import base_model
    import document_attention
    from packed_rows import PackedRow, collate
    from packed_trainer import token_loss
    from token_scores import scorer_of

    document_attention.register()
    model = base_model.load(
        folder, precision=precision(device), device=device, bits=case.bits,
        attention=document_attention.choose_attention(device).name,
    )  # fmt: skip
    adapted = get_peft_model(
        model, LoraConfig(r=16, lora_alpha=32, target_modules=shapes.TARGETS, task_type="CAUSAL_LM")
    )
    if case.checkpointing:
        adapted.gradient_checkpointing_enable({"use_reentrant": False})
        adapted.enable_input_require_grads()
    adapted.train()
    optimizer = torch.optim.AdamW([p for p in adapted.parameters() if p.requires_grad], lr=1e-4)
    ids = torch.randint(2, model.config.vocab_size, (case.tokens,)).tolist()
    labels = [token if i % 3 == 0 else -100 for i, token in enumerate(ids)]
    row = collate([PackedRow(ids, labels, [DOCUMENT] * (case.tokens // DOCUMENT))])
    batch = {k: v.to(device) if torch.is_tensor(v) else v for k, v in row.items()}
    scorer = scorer_of(adapted, tokens=case.tokens)
    for _ in range(STEPS):
        loss, count, _ = token_loss(adapted, batch, scorer)
        (loss / count).backward()
        torch.nn.utils.clip_grad_norm_(adapted.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    card.wait(device)
    return card.memory(device)


def precision(device: str) -> str:
    """bf16 on a card, fp32 on a CPU."""
    return "bf16" if device == "cuda" else "fp32"


def planned(case: Case, sizes: dict[str, Any], device: str) -> dict[str, int]:
    """What the formula says, by parts."""
    from podtune.core.spec import AdapterKind
    from podtune.planning import memory
    from podtune.planning.adaptation import Adaptation

    kind = AdapterKind.QLORA if case.bits == 4 else AdapterKind.LORA
    estimate = memory.estimate(
        shapes.facts(sizes | {"num_hidden_layers": case.layers}),
        memory.Workload(
            adaptation=Adaptation(kind, 16, tuple(shapes.TARGETS)),
            bits=case.bits,
            precision=precision(device),
            tokens_per_pass=case.tokens,
            trained_per_pass=case.tokens // 3,
            device_kind=device,
            checkpointing=case.checkpointing,
        ),
    )
    return {**estimate.parts(), "total": estimate.total}


def fit(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The two constants that the cases give, and how far the formula is off.

    `ALLOCATOR` is the least-squares factor from what the parts add up to (without libraries) to
    what the allocator took; a plan that must never be too small would take `largest`.
    """
    from podtune.planning.memory import ALLOCATOR, LIBRARIES_BYTES

    pairs = [(row["parts"], row["measured"]["taken"]) for row in rows]
    ratios = [taken / parts for parts, taken in pairs]
    return {
        "ALLOCATOR": round(sum(p * t for p, t in pairs) / sum(p * p for p, _ in pairs), 3),
        "smallest": round(min(ratios), 3),
        "largest": round(max(ratios), 3),
        "LIBRARIES_BYTES": int(statistics.median(r["measured"]["context"] for r in rows)),
        "assumed ALLOCATOR": ALLOCATOR["cuda"],
        "assumed LIBRARIES_BYTES": LIBRARIES_BYTES["cuda"],
    }


def compared(case: Case, sizes: dict[str, Any], measured: dict[str, int], device: str) -> dict:
    """One row of the table."""
    said = planned(case, sizes, device)
    whole = measured["taken"] + measured["context"]
    return {
        "case": str(case),
        "planned_mib": round(said["total"] / 2**20),
        "measured_mib": round(whole / 2**20),
        "measured_over_planned": round(whole / said["total"], 3),
        "parts": sum(v for k, v in said.items() if k not in ("libraries", "total")),
        "measured": measured,
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", choices=list(shapes.SHAPES), default="qwen3-8b")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--hidden", type=int, default=0)
    parser.add_argument("--vocab", type=int, default=0)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def child(case: Case, folder: Path) -> dict[str, Any] | str:
    """Peak bytes of a case, or why it did not run."""
    done = subprocess.run(
        [sys.executable, __file__, *sys.argv[1:], "--one", json.dumps(case), str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode == 0:
        return json.loads(done.stdout.splitlines()[-1])
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"exit code {done.returncode}"


def main() -> None:
    options = parse()
    small = {"hidden": options.hidden or 128, "vocab": options.vocab or 512}
    shrink = (
        small if options.device == "cpu" else {"hidden": options.hidden, "vocab": options.vocab}
    )
    sizes = shapes.shape(options.model, **shrink)
    if options.one:
        case = Case(*json.loads(options.one[0]))
        print(json.dumps(one(case, Path(options.one[1]), options.device)))
        return
    rows, failed = [], {}
    cases = CASES if options.device == "cuda" else SMALL
    for layers in sorted({case.layers for case in cases}):
        with tempfile.TemporaryDirectory() as place:
            folder = shapes.make(
                Path(place), sizes | {"num_hidden_layers": layers}, device=options.device
            )
            for case in (c for c in cases if c.layers == layers):
                measured = child(case, folder)
                if isinstance(measured, str):
                    failed[str(case)] = measured
                else:
                    rows.append(compared(case, sizes, measured, options.device))
    figures = {"cases": rows, "failed": failed}
    if options.device == "cuda" and rows:
        figures["fit"] = fit(rows)
    card.write("memory", options.device, figures, options.output)


if __name__ == "__main__":
    main()
