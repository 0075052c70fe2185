"""Useful tokens per CPU second: packed rows against padded batches, same data, same model.

Both run a forward, a backward and an optimizer step over the first 40 chats of the demo on its
base model, LoRA rank 16; the padded side is transformers' own model with an attention mask.
"""

import sys
import time

import measure

sys.path[:0] = [str(measure.ROOT / "bench"), str(measure.ROOT / "runpod-worker")]

ROWS = 40


def main() -> None:
    import torch
    from memory import base_folder
    from peft import LoraConfig, get_peft_model

    import base_model
    import document_attention
    from podtune.data import packing, reader
    from podtune.data.masks import encode
    from podtune.data.template import TokenizerFolder

    base_model.settle_threads(2)
    document_attention.register()
    folder = base_folder()
    rows = reader.read(measure.ROOT / "examples" / "support.jsonl").conversations[:ROWS]
    examples = encode(rows, TokenizerFolder(folder)).examples
    useful = sum(len(e.input_ids) for e in examples)
    lengths = [len(e.input_ids) for e in examples]
    config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    figures = {}
    for precision in ("fp32", "bf16"):
        batches = {
            "packed 512": (document_attention.NAME, packing.best_fit_decreasing(lengths, 512)),
            "padded 8": ("sdpa", [list(range(i, min(i + 8, ROWS))) for i in range(0, ROWS, 8)]),
        }
        for name, (attention, groups) in batches.items():
            model = get_peft_model(
                base_model.load(folder, precision=precision, device="cpu", attention=attention),
                config,
            )
            seconds, wall = epoch(torch, model, examples, groups, packed=name.startswith("packed"))
            figures[f"{precision}, {name}"] = {
                "tokens_per_cpu_s": round(useful / seconds, 1),
                "tokens_per_s": round(useful / wall, 1),
            }
    measure.write("training", {"useful_tokens": useful, **figures})


def epoch(torch, model, examples, groups, *, packed):
    """One pass; CPU seconds and wall seconds, the first step left out."""
    from packed_trainer import collate, lay_out, token_loss

    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    cpu = wall = None
    for group in [groups[0], *groups]:
        if packed:
            loss, count, _ = token_loss(model, collate(lay_out(examples, [group])))
            loss = loss / count
        else:
            loss = padded(torch, model, [examples[i] for i in group])
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if cpu is None:
            cpu, wall = time.process_time(), time.monotonic()
    return time.process_time() - cpu, time.monotonic() - wall


def padded(torch, model, examples):
    """The stock way: pad to the longest, mask the padding."""
    width = max(len(e.input_ids) for e in examples)
    ids = torch.tensor([list(e.input_ids) + [2] * (width - len(e.input_ids)) for e in examples])
    labels = torch.tensor([list(e.labels) + [-100] * (width - len(e.labels)) for e in examples])
    mask = torch.tensor(
        [[1] * len(e.input_ids) + [0] * (width - len(e.input_ids)) for e in examples]
    )
    return model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss


if __name__ == "__main__":
    main()
