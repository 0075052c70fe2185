"""Checkpoints one can trust: written aside, sealed with checksums, then put in place whole.

The Trainer writes into `incoming/` (`TrainingArguments.output_dir`); what is finished there is
checked, sealed and renamed to `checkpoint-N`, and only then are older ones removed. A worker killed
in mid-save leaves something in `incoming/`, which nobody reads.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from failures import DiskFullError, LossNotFiniteError
from podtune.core.units import gib
from podtune.storage.artifact_folder import sha256_file

COMPLETE = "complete.json"
INCOMING = "incoming"
KEPT = 2
"""Sealed checkpoints that stay; the older of the two is there in case the newer one is damaged."""

STATES = 3
"""AdamW keeps two numbers beside each weight (Loshchilov & Hutter 2019, arXiv 1711.05101)."""

OTHER_BYTES = 4 * 2**20
"""Scheduler, random states, the Trainer's log: little, whatever the model."""


def incoming(folder: Path) -> Path:
    """Where the Trainer writes: its `output_dir`. `folder` is the job's checkpoint folder."""
    return folder / INCOMING


def seal(folder: Path) -> None:
    """Mark a checkpoint complete: the checksums of its files, written after them."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and p.name != COMPLETE]
    files = {p.relative_to(folder).as_posix(): sha256_file(p) for p in paths}
    for path in paths:
        _sync(path)
    temporary = folder / f".{COMPLETE}"
    temporary.write_text(json.dumps(files, indent=1), encoding="utf-8")
    _sync(temporary)
    temporary.replace(folder / COMPLETE)
    _sync(folder)


def keep(written: Path, folder: Path) -> Path:
    """Seal what the Trainer wrote and put it in place; then remove all but the newest.

    Args:
        written: `incoming/checkpoint-N`.
        folder: The job's checkpoint folder.

    Raises:
        LossNotFiniteError: weights in it are NaN or infinite; nothing is kept of it.
        OSError: as the disk says; the checkpoints before it are untouched.
    """
    refuse_not_finite(written)
    seal(written)
    final = folder / written.name
    if final.exists():  # of the same step, from before a restart, or damaged
        shutil.rmtree(final)
    written.replace(final)
    _sync(folder)
    for old in sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def refuse_not_finite(folder: Path) -> None:
    """Raise if weights as they were written are no numbers.

    Raises:
        LossNotFiniteError: with the tensor's name.
    """
    from safetensors import safe_open

    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as weights:
            for name in weights.keys():  # noqa: SIM118 - not a dictionary
                tensor = weights.get_tensor(name)
                if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                    raise LossNotFiniteError(
                        f"the weights of {name} are no longer numbers at step {step_of(folder)}",
                        hint="lower the learning rate: --set training.learning_rate=...",
                    )


def last_complete(folder: Path) -> Path | None:
    """The newest sealed checkpoint whose files are as they were when it was sealed."""
    for candidate in sorted(folder.glob("checkpoint-*"), key=step_of, reverse=True):
        if is_complete(candidate):
            return candidate
    return None


def is_complete(folder: Path) -> bool:
    """Whether a checkpoint is sealed and unchanged."""
    mark = folder / COMPLETE
    if not mark.is_file():
        return False
    try:
        files: dict[str, str] = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:  # a seal cut short is no seal
        return False
    return all((folder / n).is_file() and sha256_file(folder / n) == d for n, d in files.items())


def drop_unsealed(folder: Path) -> None:
    """Remove what was never completed (a full disk needs its room)."""
    shutil.rmtree(incoming(folder), ignore_errors=True)
    for candidate in folder.glob("checkpoint-*"):
        if not (candidate / COMPLETE).is_file():
            shutil.rmtree(candidate, ignore_errors=True)


def step_of(folder: Path) -> int:
    """`checkpoint-12` -> 12."""
    return int(folder.name.rsplit("-", 1)[-1])


def trained_bytes(model: Any) -> int:
    """Bytes of the weights that are trained."""
    return sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)


def needed_bytes(trained: int) -> int:
    """Bytes that a training writes at most at one time.

    One checkpoint is there while the next is written, and the artifact holds the weights once
    more. The `KEPT`th is given up by whoever has no room for it (`drop_older`).
    """
    return 2 * (STATES * trained + OTHER_BYTES) + trained


def refuse_small_disk(
    folder: Path, trained: int, *, free: Callable[[Path], int] | None = None
) -> str | None:
    """Look at the room before the first step; a warning where it is tight.

    What checkpoints of this job occupy already counts as room.

    Args:
        folder: The job's checkpoint folder.
        trained: Bytes of the weights that are trained.
        free: Free bytes at a path; the file system's own by default.

    Raises:
        DiskFullError: it cannot hold the training's checkpoints and artifact.
    """
    folder.mkdir(parents=True, exist_ok=True)
    room = (free or _free)(folder) + _occupied(folder)
    needed = needed_bytes(trained)
    if room < needed:
        raise DiskFullError(
            f"the disk has {gib(room)} free, checkpoints and artifact need {gib(needed)}",
            hint="free some space, or put PODTUNE_HOME on another disk; then `podtune resume JOB`",
        )
    if room < 2 * needed:
        return f"little room on the disk: {gib(room)} free, the training needs {gib(needed)}"
    return None


def drop_older(folder: Path, trained: int, *, free: Callable[[Path], int] | None = None) -> None:
    """Before a save: where there is no room for it, keep the newest sealed checkpoint only."""
    if (free or _free)(folder) >= STATES * trained + OTHER_BYTES:
        return
    newest = last_complete(folder)
    for candidate in folder.glob("checkpoint-*"):
        if newest is not None and candidate != newest:
            shutil.rmtree(candidate, ignore_errors=True)


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _occupied(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def _sync(path: Path) -> None:
    """Have a file's or a folder's content reach the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
