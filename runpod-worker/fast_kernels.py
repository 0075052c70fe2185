"""Which fast kernels are here, and which of them a loaded model really runs on.

For the receipt: without them a training is slower, never wrong. Nothing is chosen here (attention:
`document_attention`, experts: `expert_layers`), and nothing heavy is imported. The module is not
called `kernels`: it would stand in the way of the package of that name.
"""

import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

PACKAGES = {
    "flash_attn": "attention over documents of any length",
    "flash_attn_interface": "the same for Hopper (FlashAttention 3)",
    "causal_conv1d": "convolutions of hybrid models",
    "fla": "linear attention of hybrid models",
    "mamba_ssm": "Mamba layers of hybrid models",
    "kernels": "kernels of the Hub, fetched into the image beforehand",
    "liger_kernel": "fused norms and rotary embeddings",
    "triton": "kernels compiled at the first step",
    "bitsandbytes": "4 and 8 bit",
}
"""Import name -> what it brings."""


def detect() -> dict[str, str]:
    """Package -> version of every kernel library that is installed; imports none of them."""
    return {name: _version(name) for name in PACKAGES if importlib.util.find_spec(name)}


def in_use(model: Any, **notes: str) -> dict[str, str]:
    """What a loaded model computes with, in words.

    Args:
        model: With its adapter or without.
        notes: What others know better, such as `attention` from
            `document_attention.choose_attention` and `head` from the trainer.

    Returns:
        `attention` and `weights`; `linear_attention`, `experts` and `hub_kernels` where the model
        has such; and the notes.
    """
    config = model.config.get_text_config()
    modules = list(model.modules())
    found = {
        "attention": str(getattr(config, "_attn_implementation", "unknown")),
        "weights": _weights(modules),
    }
    if any(hasattr(module, "num_experts") and hasattr(module, "has_gate") for module in modules):
        found["experts"] = str(getattr(config, "_experts_implementation", None) or "eager")
    if "linear_attention" in (getattr(config, "layer_types", None) or ()):
        found["linear_attention"] = _linear_attention()
    if getattr(model, "use_kernels", False):
        found["hub_kernels"] = "layers replaced by `use_kernels`"
    return found | notes


def _version(name: str) -> str:
    """Of the distribution that an import name comes from; names of both may differ."""
    for distribution in (*packages_distributions().get(name, ()), name):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return "unknown"


def _weights(modules: list[Any]) -> str:
    """How linear layers hold their weights: `Linear`, `Linear4bit` ..., and how many."""
    counts: dict[str, int] = {}
    for module in modules:
        kind = type(module).__name__
        if kind.startswith("Linear") and hasattr(module, "in_features"):
            counts[kind] = counts.get(kind, 0) + 1
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())) or "none"


def _linear_attention() -> str:
    """What transformers imported of these two where the model is defined; else it falls back."""
    loaded = [name for name in ("fla", "causal_conv1d") if name in sys.modules]
    return " and ".join(loaded) or "transformers' own, in plain torch"
