"""What has to be asked or confirmed before anything is uploaded or paid for, and what is not plausible."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from podtune.intake.words.candidates import Value
from podtune.intake.words.families import FAMILIES
from podtune.intake.words.patterns import Pattern

_WINDOWS: Final[Mapping[str, tuple[float, float]]] = {
    "learning_rate": (1e-7, 1e-2), "epochs": (1e-3, 50), "max_steps": (1, 1_000_000), "batch_size": (1, 512), "effective_batch_size": (1, 65_536),
    "grad_accum": (1, 4096), "lora_rank": (1, 512), "lora_alpha": (0.5, 2048), "lora_dropout": (0, 0.9), "max_seq_len": (16, 1_048_576), "warmup_ratio": (0, 0.5),
    "warmup_steps": (0, 100_000), "weight_decay": (0, 0.5), "seed": (0, 2**32 - 1), "eval_fraction": (0.001, 0.5), "eval_rows": (1, 10**7), "dataset_max_rows": (1, 10**9),
    "gpu_count": (1, 64), "gpu_vram_gb": (1, 400), "budget_amount": (0.01, 100_000), "max_hours": (0.01, 24 * 30), "base_model_size_b": (0.001, 2000),
}  # fmt: skip
"""Values outside are told of, never corrected (words-and-data.md A, `Sanity windows`). Chosen."""

_WHOLE: Final = frozenset(
    [
        "max_steps",
        "batch_size",
        "effective_batch_size",
        "grad_accum",
        "lora_rank",
        "max_seq_len",
        "warmup_steps",
        "seed",
        "gpu_count",
    ]
)

_CARD_GB: Final[Mapping[str, float]] = {
    "T4": 16, "L4": 24, "A10": 24, "A10G": 24, "A30": 24, "A40": 48, "L40": 48, "L40S": 48, "A4000": 16, "A4500": 20, "A5000": 24, "A6000": 48, "V100": 32, "P100": 16,
    "RTX 3060": 12, "RTX 3070": 8, "RTX 3080": 10, "RTX 3090": 24, "RTX 4060": 16, "RTX 4070": 12, "RTX 4080": 16, "RTX 4090": 24, "RTX 5070": 12, "RTX 5080": 16, "RTX 5090": 32,
    "A100": 80, "H100": 94, "H200": 143, "B200": 183, "CPU": 64,
}  # fmt: skip
"""Largest memory a card of the name has, in GB (data sheets; see `planning.cards`)."""

_EXPERTS: Final = Pattern(r"\b(\d{1,3})x(\d{1,3}(?:\.\d)?)b\b")
_GB_PER_BILLION: Final[Mapping[str, float]] = {"full": 8.0, "lora": 2.0, "dora": 2.0, "qlora": 0.5}
"""Least memory per billion parameters: weights (and for `full` their gradients and two moments in 8 bits).
Below even that nothing runs; what really fits is the plan's to say."""


class Found(NamedTuple):
    """What the other readers found that is no field."""

    data: str
    """`stated`, `several`, `described`, `hidden` or `none`."""
    is_model_open: bool
    is_model_foreign: bool
    is_model_guess: bool
    is_budget_unusable: bool
    is_gpu_open: bool
    is_publishing: bool
    is_bare: bool
    """Whether a number belongs to nothing, or nothing at all was understood."""


def ask(fields: Mapping[str, Value], conflicts: list[str], found: Found) -> list[str]:
    """Fields that must be asked for."""
    asked: list[str] = []
    if (
        fields.get("intent") == "train"
        and found.data in ("none", "several", "hidden")
        and not found.is_model_foreign
    ) or found.data == "hidden":
        asked.append("dataset")
    if found.is_model_open or "base_model" in conflicts:
        asked.append("base_model")
    if found.is_budget_unusable or "budget" in conflicts:
        asked.append("budget")
    if found.is_gpu_open:
        asked.append("gpu_type")
    asked += [c for c in conflicts if c not in asked and c not in fields]
    return asked


def confirm(fields: Mapping[str, Value], asked: list[str], found: Found) -> list[str]:
    """Assumptions that must be confirmed with the plan."""
    if fields.get("intent") not in ("train", "estimate"):
        return []
    confirmed: list[str] = []
    if (
        "base_model" not in asked
        and not found.is_model_foreign
        and (_leaves_several(fields) or found.is_model_guess)
    ):
        confirmed.append("base_model")
    vague = found.data == "described" or (
        fields.get("dataset_kind") == "url" and "://" not in str(fields.get("dataset_ref"))
    )
    if vague and "dataset" not in asked:
        confirmed.append("dataset")
    if found.is_publishing:
        confirmed.append("visibility")
    return confirmed


def doubts(fields: Mapping[str, Value], found: Found) -> set[str]:
    """Flags about values: out of every window, or more than the card can hold."""
    flags: set[str] = set()
    for field, (least, most) in _WINDOWS.items():
        value = fields.get(field)
        if not isinstance(value, int | float) or isinstance(value, bool):
            continue
        if not least <= value <= most or (field in _WHOLE and value != int(value)):
            flags.add("implausible_value")
    if _is_too_large(fields):
        flags.add("likely_infeasible")
    if found.is_model_foreign:
        flags.add("out_of_scope")
    if found.is_bare:
        flags.add("unclear")
    return flags


def _leaves_several(fields: Mapping[str, Value]) -> bool:
    """Whether what is said of the base model fits several releases."""
    if "base_model_id" in fields:
        return False
    row = FAMILIES.get(str(fields.get("base_model_family")))
    if row is None:
        return True
    version, size, variant = (
        fields.get(f"base_model_{part}") for part in ("version", "size_b", "variant")
    )
    key = f"{version}-{variant}" if version and variant == "mini" else str(version or "")
    if (
        str(version or "") in row.is_single
        or key in row.is_single
        or (fields.get("base_model_family") == "phi" and version and variant == "mini")
    ):
        return False
    return size is None or bool(row.versions and version is None) or version in row.needs


def _is_too_large(fields: Mapping[str, Value]) -> bool:
    """Whether the weights alone exceed the card that was named."""
    size, count, said = (
        fields.get("base_model_size_b"),
        fields.get("gpu_count", 1),
        fields.get("gpu_vram_gb"),
    )
    memory = said if isinstance(said, int | float) else _CARD_GB.get(str(fields.get("gpu_type")))
    if size is None:
        size = _of_experts(str(fields.get("base_model_mention", "")))
    if not isinstance(size, int | float) or memory is None or not isinstance(count, int | float):
        return False
    return size * _GB_PER_BILLION.get(str(fields.get("adapter", "qlora")), 0.5) > memory * max(
        count, 1
    )


def _of_experts(mention: str) -> float | None:
    """Billions of parameters that `8x7b` has at least: the experts share the rest, about a fifth."""
    named = _EXPERTS.search(mention.lower())
    return 0.8 * int(named[1]) * float(named[2]) if named else None
