"""An exception in the worker -> a stable code, one sentence and advice; never a traceback."""

import errno
from typing import NamedTuple

from podtune.core.errors import PodtuneError, TrainingError
from podtune.core.events import WorkerResult
from podtune.core.redact import scrub


class LossNotFiniteError(TrainingError):
    """The loss, its gradient or the trained weights became NaN or infinite."""

    code = "loss_not_finite"


class PlanMismatchError(TrainingError):
    """What was loaded is not what was planned."""

    code = "plan_mismatch"


class MemoryExhaustedError(TrainingError):
    """The memory ran out on the last rung of the ladder too."""

    code = "out_of_memory"


class DiskFullError(TrainingError):
    """The disk cannot hold what the training will write."""

    code = "disk_full"


class StepHungError(TrainingError):
    """A step made no progress, and neither did it after a restart."""

    code = "step_hung"


class StoppedError(TrainingError):
    """The process was asked to end (SIGTERM)."""

    code = "interrupted"


class Advice(NamedTuple):
    """What happened in words, what the worker did about it itself, and what to do."""

    message: str
    advice: str
    tried: str = "nothing"


OUT_OF_MEMORY_WORDS = (
    "can't allocate memory",  # torch's CPU allocator
    "out of memory",  # CUDA, its driver, MPS
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""How libraries name a lack of memory in errors of their own."""

DISK_FULL_WORDS = (
    "No space left on device",
    "os error 28",
    "os error 122",
    "PytorchStreamWriter failed writing file",
    "inline_container.cc",
)
"""How safetensors (Rust) and torch's archive writer name a full disk in errors of their own."""

DEVICE_WORDS = (
    "CUDA error",
    "CUDA driver error",
    "HIP error",
    "cuDNN error",
    "CUBLAS_STATUS_",
    "CUDNN_STATUS_",
    "NCCL error",
    "ECC error",
    "device-side assert",
    "an illegal memory access",
)
"""How torch names a fault of the device; the process cannot use it any more."""

FULL_DISK_ERRNO = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No room on the device, none in the quota, or a file over the allowed size."""

ADVICE = {
    "out_of_memory": Advice(
        "the memory ran out",
        "train with shorter rows (--set training.max_length=N), a smaller batch "
        "(--set training.micro_batch=1), a base in 4 bits (--set adapter.kind=qlora) or a smaller "
        "base model",
        "the micro-batch halved until it is one row, gradient checkpointing, then rows split "
        "between their documents; the effective batch stays the same",
    ),
    "loss_not_finite": Advice(
        "the loss is no longer a number",
        "lower the learning rate: --set training.learning_rate=1e-4",
        "the last good checkpoint is kept, and none is sealed after it",
    ),
    "step_hung": Advice(
        "a step does not end",
        "the stacks of all threads are in `podtune logs JOB`; `podtune resume JOB` goes on from "
        "the last checkpoint",
        "one restart of the process, from the last checkpoint",
    ),
    "download_failed": Advice(
        "a download failed",
        "check the network and run `podtune resume JOB`; what came is kept",
        "several attempts with growing pauses, each from the byte the last one reached",
    ),
    "disk_full": Advice(
        "the disk is full",
        "free some space (`podtune doctor` shows how much) and `podtune resume JOB`",
        "the room is looked at before the first step; the half-written checkpoint is removed, the "
        "last whole one is kept",
    ),
    "interrupted": Advice(
        "the training was asked to stop",
        "`podtune resume JOB` goes on from where it stopped",
        "a checkpoint of the last whole step",
    ),
    "device_error": Advice(
        "the device failed",
        "`podtune resume JOB` goes on from the last checkpoint in a fresh process; if it comes "
        "again, take another machine (`podtune logs JOB` has the details)",
        "nothing: the process cannot use the device any more",
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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less memory in use would have helped: the device's or this machine's."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return isinstance(error, RuntimeError) and _names(error, OUT_OF_MEMORY_WORDS)


def _code(error: BaseException) -> str:
    if isinstance(error, PodtuneError):
        return "download_failed" if error.code == "hub_unreachable" else error.code
    if is_out_of_memory(error):
        return "out_of_memory"
    full = isinstance(error, OSError) and error.errno in FULL_DISK_ERRNO
    if full or _names(error, DISK_FULL_WORDS):
        return "disk_full"
    # torch.AcceleratorError, by its name: this module is read where torch is not installed.
    if type(error).__name__ == "AcceleratorError":
        return "device_error"
    if isinstance(error, RuntimeError) and _names(error, DEVICE_WORDS):
        return "device_error"
    if isinstance(error, ModuleNotFoundError):
        return "missing_library"
    return "training_failed"


def _names(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error)
    return any(word in text for word in words)
