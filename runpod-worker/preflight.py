"""Is this rented machine fit for the job? Asked once after the installation, before any training.

    python preflight.py JOB_FOLDER ANSWER_FILE

Python, torch, the card, the libraries, the disk, and one tiny packed training step of an adapter on
the planned device. The answer is `{"ok": true, ...}` or a typed failure; exit code 0 or 5. Whoever
starts it ends it after 60 s: a machine that needs longer is not fit (design.md 9, 2026-11-22).
"""

import argparse
import importlib
import json
import math
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from podtune.core.errors import TrainingError
from podtune.core.job import WorkerOrder
from podtune.core.plan import Plan
from podtune.core.units import gib

OLDEST_TORCH: Final = (2, 6)
"""torch.load of older ones runs code of a file (CVE-2025-32434)."""

LIBRARIES: Final = ("transformers", "peft", "accelerate", "safetensors", "tokenizers", "numpy")

ANOTHER_IMAGE: Final = "take another image: --set where.image=..."
ANOTHER_MACHINE: Final = "`podtune resume JOB` takes another machine"

DOCUMENTS: Final = ((5, 6, 7, 8, 9), (10, 11, 12))
"""Tokens of the two documents of the tiny packed row."""

CHECKPOINT_STATES: Final = 3
"""AdamW keeps two numbers beside each trained weight; see checkpoints.py."""


class NotFitError(TrainingError):
    """The machine cannot do the job."""

    code = "image_unfit"


def check(job: Path, free: Callable[[Path], int] | None = None) -> dict[str, Any]:
    """Look at everything; what was found.

    Args:
        job: Folder with order.json.
        free: Free bytes at a path; the file system's own by default.

    Raises:
        NotFitError: `image_unfit`, `no_cuda` or `disk_full`.
    """
    order = WorkerOrder.model_validate_json((job / "order.json").read_bytes())
    plan = order.plan
    check_disk(job, plan, free or _free)
    found: dict[str, Any] = {
        "python": ".".join(map(str, sys.version_info[:3])),
        "torch": check_torch(),
        **check_device(plan),
    }
    check_libraries(quantised=plan.spec.adapter.bits in (4, 8))
    found["loss"] = tiny_step(plan.device.kind)
    return found


def check_disk(job: Path, plan: Plan, free: Callable[[Path], int]) -> None:
    """Room for the base model, checkpoints and artifact.

    Raises:
        NotFitError: `disk_full`.
    """
    trained = 4 * plan.memory.adapter_parameters
    needed = (plan.base_model.download_bytes or 0) + trained * (2 * CHECKPOINT_STATES + 1)
    room = free(job)
    if room < needed:
        raise NotFitError(
            f"the machine's disk has {gib(room)} free, the job needs {gib(needed)}",
            code="disk_full",
            hint="rent a larger one: --set where.volume_gb=...",
        )


def check_torch() -> str:
    """Which torch is here.

    Raises:
        NotFitError: it is missing or too old.
    """
    try:
        import torch
    except ImportError as error:
        raise NotFitError(f"the image has no torch ({error})", hint=ANOTHER_IMAGE) from error
    version = str(torch.__version__)
    numbers = tuple(int(part) for part in version.split("+")[0].split(".")[:2])
    if numbers < OLDEST_TORCH:
        raise NotFitError(f"the image has torch {version}, 2.6 is needed", hint=ANOTHER_IMAGE)
    return version


def check_device(plan: Plan) -> dict[str, Any]:
    """The planned cards.

    Raises:
        NotFitError: `no_cuda`.
    """
    import torch

    if plan.device.kind != "cuda":
        return {"device": plan.device.kind}
    if not torch.cuda.is_available():
        raise NotFitError(
            f"torch {torch.__version__} sees no CUDA device here (driver, image or host)",
            code="no_cuda",
            hint=ANOTHER_MACHINE,
        )
    wanted, seen = plan.spec.where.count, torch.cuda.device_count()
    if seen < wanted:
        raise NotFitError(
            f"{seen} cards are here, planned were {wanted}", code="no_cuda", hint=ANOTHER_MACHINE
        )
    memory = int(torch.cuda.get_device_properties(0).total_memory)
    if memory < plan.memory.total:
        raise NotFitError(
            f"the card {torch.cuda.get_device_name(0)} has {gib(memory)}, the job needs "
            f"{gib(plan.memory.total)}",
            hint=ANOTHER_MACHINE,
        )
    return {"device": torch.cuda.get_device_name(0), "memory_bytes": memory}


def check_libraries(*, quantised: bool) -> None:
    """Everything the worker imports can be imported.

    Raises:
        NotFitError: one cannot.
    """
    for name in (*LIBRARIES, *(("bitsandbytes",) if quantised else ())):
        try:
            importlib.import_module(name)
        except Exception as error:  # a library may fail with anything
            raise NotFitError(
                f"{name} cannot be imported here: {type(error).__name__}: {error}"[:300],
                hint=ANOTHER_IMAGE,
            ) from error


def tiny_step(kind: str) -> float:
    """Train a random adapter of a two-layer model by one packed row; gives the loss.

    Raises:
        NotFitError: it fails, or the loss is no number.
    """
    try:
        loss = _step(kind)
    except NotFitError:
        raise
    except Exception as error:
        raise NotFitError(
            f"a small training step fails here: {type(error).__name__}: {error}"[:300],
            hint=ANOTHER_MACHINE,
        ) from error
    if not math.isfinite(loss):
        raise NotFitError(f"a small training step gives a loss of {loss}", hint=ANOTHER_MACHINE)
    return loss


def _step(kind: str) -> float:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM

    import document_attention
    import packed_rows

    document_attention.register()
    config = LlamaConfig(
        vocab_size=64, hidden_size=64, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64,
    )  # fmt: skip
    model: Any = LlamaForCausalLM(config)
    model.set_attn_implementation(document_attention.choose_attention(kind).name)
    model = model.to(device=kind, dtype=torch.bfloat16 if kind == "cuda" else torch.float32)
    adapter = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    adapted: Any = get_peft_model(model, adapter)
    tokens = [token for document in DOCUMENTS for token in document]
    row = packed_rows.PackedRow(tokens, tokens, [len(document) for document in DOCUMENTS])
    batch = packed_rows.collate([row])
    del batch["trained_positions"]
    inputs = {n: v.to(kind) if isinstance(v, torch.Tensor) else v for n, v in batch.items()}
    trained = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)
    loss = adapted(**inputs, use_cache=False).loss
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def _free(path: Path) -> int:
    return shutil.disk_usage(path).free


def main(arguments: list[str] | None = None) -> int:
    """Check and write the answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", type=Path)
    parser.add_argument("answer", type=Path)
    given = parser.parse_args(arguments)
    try:
        said: dict[str, Any] = {"ok": True, **check(given.job)}
    except TrainingError as error:
        said = {"ok": False, "code": error.code, "message": error.message, "advice": error.hint}
    given.answer.write_text(json.dumps(said), encoding="utf-8")
    sys.stdout.write(f"preflight: {json.dumps(said)}\n")
    return 0 if said["ok"] else 5


if __name__ == "__main__":
    sys.exit(main())
