"""What a base model's files hold: in which numbers, quantised how, and what is missing."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch

from podtune.core.errors import TrainingError

DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
"""`training.precision` as torch names it."""


def stored_method(config: Any) -> str | None:
    """How the checkpoint's weights are quantised, such as `mxfp4`; None when they are not."""
    stored = getattr(config, "quantization_config", None)
    if stored is None:
        return None
    method = stored.get("quant_method") if isinstance(stored, dict) else stored.quant_method
    return str(getattr(method, "value", method))


def unpacking(config: Any) -> Any:
    """What `from_pretrained` is told to load a checkpoint in 16 or 32 bit.

    Checkpoints in mxfp4 (gpt-oss) are unpacked; nothing is said of one that is not quantised.

    Raises:
        TrainingError: it is quantised in a way that cannot be undone.
    """
    stored = stored_method(config)
    if stored is None:
        return None
    if stored != "mxfp4":
        raise already_quantised(stored)
    from transformers import Mxfp4Config

    return Mxfp4Config(dequantize=True)


def already_quantised(method: str | None) -> TrainingError:
    """The refusal of a checkpoint whose quantisation cannot be trained on."""
    return TrainingError(
        f"the base model's files are quantised already ({method}); training needs weights that "
        "can be read in 16 bit",
        code="already_quantised",
        hint="take the original checkpoint in bf16 (without -FP8, -AWQ, -GPTQ or -4bit in its name)",
    )


def misshapen(name: str, found: Sequence[int], wanted: Sequence[int]) -> TrainingError:
    """The refusal of a tensor that has another shape than config.json makes it."""
    return TrainingError(
        f"the checkpoint's {name} has shape {tuple(found)}, the model's is {tuple(wanted)}",
        code="checkpoint_mismatch",
        hint="the weights do not belong to this config.json; fetch the base model again",
    )


def incomplete(name: str, why: str) -> TrainingError:
    """The refusal of a checkpoint that lacks a tensor."""
    return TrainingError(
        f"the checkpoint lacks {name} ({why})",
        code="checkpoint_incomplete",
        hint="the base model's files are damaged or incomplete; fetch it again",
    )


def refuse_unlike(report: Mapping[str, Any]) -> None:
    """Raise when the checkpoint does not fill the model: what is left would be random.

    Args:
        report: What `from_pretrained` says with `output_loading_info`.

    Raises:
        TrainingError: naming the first tensor that is misshapen or missing.
    """
    for name, found, wanted in sorted(report["mismatched_keys"]):
        raise misshapen(name, found, wanted)
    missing = sorted(report["missing_keys"])
    if missing:
        raise incomplete(missing[0], f"{len(missing)} tensors are missing")
