"""An exception in the worker -> a stable code, one sentence and advice; never a traceback."""

import errno
from typing import NamedTuple

from podtune.core.errors import PodtuneError, TrainingError
from podtune.core.events import WorkerResult
from podtune.core.redact import scrub


class LossNotFiniteError(TrainingError):
    """The loss became NaN or infinite."""

    code = "loss_not_finite"


class PlanMismatchError(TrainingError):
    """What was loaded is not what was planned."""

    code = "plan_mismatch"


class Advice(NamedTuple):
    """What happened in words, and what to do."""

    message: str
    advice: str


DISK_FULL_WORDS = (
    "No space left on device",
    "os error 28",
    "os error 122",
    "PytorchStreamWriter failed writing file",
    "inline_container.cc",
)
"""How safetensors (Rust) and torch's archive writer name a full disk in errors of their own."""

ADVICE = {
    "out_of_memory": Advice(
        "the memory ran out",
        "train with shorter rows (--set training.max_length=N), a smaller batch "
        "(--set training.micro_batch=1) or a smaller base model",
    ),
    "loss_not_finite": Advice(
        "the loss is no longer a number",
        "lower the learning rate: --set training.learning_rate=1e-4",
    ),
    "download_failed": Advice(
        "a download failed", "check the network and run `podtune resume JOB`; what came is kept"
    ),
    "disk_full": Advice(
        "the disk is full",
        "free some space (`podtune doctor` shows how much) and `podtune resume JOB`",
    ),
    "missing_library": Advice(
        "a library of the training is not installed", "pip install 'podtune[train]' torch==2.13.0"
    ),
    "training_failed": Advice(
        "the training failed", "see `podtune logs JOB`; then `podtune resume JOB`"
    ),
}
"""Code -> words. Codes of our own errors bring their own message and hint."""


def describe(error: BaseException) -> WorkerResult:
    """A typed failure for the `result` event."""
    code = _code(error)
    known = ADVICE.get(code, ADVICE["training_failed"])
    if isinstance(error, PodtuneError):
        message, advice = error.message, error.hint or known.advice
    else:
        detail = scrub(f"{type(error).__name__}: {error}".split("\n", 1)[0])[:240]
        message, advice = f"{known.message} ({detail})", known.advice
    return WorkerResult(ok=False, error_code=code, error_message=message, advice=advice)


def _code(error: BaseException) -> str:
    if isinstance(error, PodtuneError):
        return "download_failed" if error.code == "hub_unreachable" else error.code
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "out_of_memory"
    text = str(error)
    if isinstance(error, RuntimeError) and (
        "can't allocate memory" in text or "out of memory" in text
    ):
        return "out_of_memory"
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or any(words in text for words in DISK_FULL_WORDS):
        return "disk_full"
    if isinstance(error, ModuleNotFoundError):
        return "missing_library"
    return "training_failed"
