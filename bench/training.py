"""Useful tokens per CPU second: our recipe against what users would pick instead.

Same model, same chats, same steps, one thread; every recipe is a program of its own in
`recipes_compared/` and runs in a fresh process. Useful tokens are those of the chats, padding is
not. The ratios depend on the lengths: shorter chats favour packing, longer ones attention.
"""

import json
import os
import subprocess
import sys
import time

import measure

sys.path[:0] = [str(measure.ROOT / "bench"), str(measure.ROOT / "runpod-worker")]

RECIPES = measure.HERE / "recipes_compared"
TRL_LENGTHS = (640, 1024, 2048)
"""Rows of TRL's packing; it cuts what is longer without a word, and 640 is the least that cuts
nothing here."""
TRL_BATCHES = (8, 1)
"""Pairs in a batch of TRL's DPO: its default, and what wastes least on padding."""
TARGETS = {"of specification A": 27.0, "of TRL's packing": 2.1, "of TRL's DPO, batch 8": 3.5}
REPEATS = 3
ROWS = 24


def main() -> None:
    recipe_a = run("specification_a")
    packing = {length: run("trl_packing", "--length", length) for length in TRL_LENGTHS}
    alike = [(run("podtune_packing"), run("bare_loop")) for _ in range(REPEATS)]
    ours, bare = (max(each, key=speed) for each in zip(*alike, strict=True))
    dpo = {batch: run("trl_preference", "--batch", batch) for batch in TRL_BATCHES}
    our_dpo = max((run("podtune_preference") for _ in range(REPEATS)), key=speed)
    ratios = {
        "of specification A": speed(ours) / speed(recipe_a),
        "of TRL's packing": speed(ours) / max(map(speed, packing.values())),
        "of TRL's DPO, batch 8": speed(our_dpo) / speed(dpo[8]),
        "of TRL's DPO, batch 1": speed(our_dpo) / speed(dpo[1]),
        "of a bare loop": speed(ours) / speed(bare),
    }
    measure.write(
        "training",
        {
            "tokens_per_cpu_s": {
                "specification A (24 chats)": speed(recipe_a),
                **{f"TRL packing, rows of {n}": speed(r) for n, r in packing.items()},
                "ours": speed(ours),
                "bare loop": speed(bare),
                **{f"TRL DPO, batch {n}": speed(r) for n, r in dpo.items()},
                "our DPO": speed(our_dpo),
            },
            "ours, in multiples": {name: round(ratio, 2) for name, ratio in ratios.items()},
            "targets": TARGETS,
            "useful_tokens": {"chats": ours["useful_tokens"], "pairs": our_dpo["useful_tokens"]},
            "demo model, tokens_per_cpu_s": precisions(),
        },
    )


def speed(figures: dict[str, float]) -> float:
    """Useful tokens per CPU second."""
    return figures["tokens_per_cpu_s"]


def run(recipe: str, *options: object) -> dict[str, float]:
    """One recipe in a process of its own; its last line is its figures."""
    done = subprocess.run(
        [sys.executable, str(RECIPES / f"{recipe}.py"), *map(str, options)],
        capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{recipe} failed:\n{done.stderr[-3000:]}")
    print(recipe, *options, done.stdout.splitlines()[-1], flush=True)
    return json.loads(done.stdout.splitlines()[-1])


def precisions() -> dict[str, float]:
    """The first chats of the demo on its base model: what bf16 is worth on this processor."""
    import torch
    from memory import base_folder
    from peft import LoraConfig, get_peft_model

    import base_model
    import document_attention
    from packed_trainer import collate, lay_out, token_loss
    from podtune.data import packing, reader
    from podtune.data.masks import encode
    from podtune.data.template import TokenizerFolder

    base_model.settle_threads(1)
    document_attention.register()
    folder = base_folder()
    rows = reader.read(measure.ROOT / "examples" / "support.jsonl").conversations[:ROWS]
    examples = encode(rows, TokenizerFolder(folder)).examples
    lengths = [len(e.input_ids) for e in examples]
    batches = [
        collate([row]) for row in lay_out(examples, packing.best_fit_decreasing(lengths, 512))
    ]
    found = {}
    for precision in ("fp32", "bf16"):
        model = get_peft_model(
            base_model.load(
                folder, precision=precision, device="cpu", attention=document_attention.NAME
            ),
            LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
        )
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
        began = None
        for batch in [batches[0], *batches]:  # the first step warms up
            loss, count, _ = token_loss(model, batch)
            (loss / count).backward()
            optimizer.step()
            optimizer.zero_grad()
            began = began or time.process_time()
        found[precision] = round(sum(lengths) / (time.process_time() - began), 1)
    return found


if __name__ == "__main__":
    main()
