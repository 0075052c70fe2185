"""The artifact folder: what was trained, tokenizer, card, metrics, loss curve, resolved spec."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

import model_card
from podtune.core import artifact
from podtune.core.plan import Plan
from podtune.core.spec import AdapterKind

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
    "generation_config.json",
)


def write(
    model: Any,
    plan: Plan,
    base: Path,
    folder: Path,
    history: Sequence[dict[str, Any]],
    facts: dict[str, Any],
) -> None:
    """Fill `folder` (which must be empty or absent) with all but proof and receipt."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if plan.spec.adapter.kind == AdapterKind.FULL:
        # One file, however large: its checksum is the artifact's name in receipt and proof.
        model.save_pretrained(folder, max_shard_size=f"{2**20}GB")
    else:
        _adapter(model, plan, folder)
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            shutil.copyfile((base / name).resolve(), folder / name)
    with (folder / artifact.METRICS).open("w", encoding="utf-8") as stream:
        for entry in history:
            stream.write(json.dumps(entry, sort_keys=True) + "\n")
    spec = yaml.safe_dump(plan.spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (folder / artifact.SPEC).write_text(spec, encoding="utf-8")
    (folder / artifact.CARD).write_text(model_card.text(plan, facts), encoding="utf-8")
    loss_curve(history, folder / artifact.LOSS_CURVE, plan)


def _adapter(model: Any, plan: Plan, folder: Path) -> None:
    # "auto" would ask the Hub whether the vocabulary was resized; it never is here.
    model.save_pretrained(folder, save_embedding_layers=False)
    path = folder / artifact.ADAPTER_CONFIG
    config = json.loads(path.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = plan.base_model.name
    config["revision"] = plan.base_model.revision
    for key, value in config.items():
        if isinstance(value, list):
            config[key] = sorted(value)
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def loss_curve(history: Sequence[dict[str, Any]], path: Path, plan: Plan) -> None:
    """Training and validation loss over steps, as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    train = [(e["step"], e["loss"]) for e in history if "loss" in e]
    held = [(e["step"], e["eval_loss"]) for e in history if "eval_loss" in e]
    figure, axes = plt.subplots(figsize=(7, 4), dpi=120)
    axes.plot(*zip(*train, strict=True), color="#3b6ea5", linewidth=1.6, label="training")
    if held:
        axes.plot(
            *zip(*held, strict=True), color="#c8553d", marker="o", linewidth=1.2, label="validation"
        )
    axes.set_xlabel("optimizer step")
    axes.set_ylabel("loss (nats per trained token)")
    axes.set_ylim(bottom=0)
    axes.set_title(
        f"{plan.base_model.name.split('/')[-1]}, {model_card.adapter_words(plan.spec.adapter)}"
    )
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
