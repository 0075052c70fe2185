import errno

import pytest
import torch

import failures
from podtune.core.errors import DatasetError
from podtune.storage.hub import HubUnreachableError


@pytest.mark.parametrize(
    ("error", "code", "advice"),
    [
        (MemoryError(), "out_of_memory", "training.max_length"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out_of_memory", "micro_batch"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory", "smaller"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk_full", "doctor"),
        (OSError(errno.EFBIG, "File too large"), "disk_full", "free some space"),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling"), "out_of_memory", "qlora"),
        (torch.AcceleratorError("CUDA error: out of memory"), "out_of_memory", "qlora"),
        (
            torch.AcceleratorError("CUDA error: device-side assert triggered"),
            "device_error",
            "resume",
        ),
        (
            RuntimeError("CUDA error: an illegal memory access was encountered"),
            "device_error",
            "resume",
        ),
        (
            RuntimeError("CUDA error: uncorrectable ECC error encountered"),
            "device_error",
            "machine",
        ),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), "device_error", "resume"),
        (RuntimeError("shape mismatch in CUDA code"), "training_failed", "logs"),
        (failures.StepHungError("step 4"), "step_hung", "logs"),
        (failures.StoppedError("asked to stop"), "interrupted", "resume"),
        (HubUnreachableError("no answer"), "download_failed", "resume"),
        (failures.LossNotFiniteError("nan at step 3"), "loss_not_finite", "learning_rate"),
        (ModuleNotFoundError("No module named 'peft'"), "missing_library", "pip install"),
        (KeyError("x"), "training_failed", "podtune logs"),
    ],
)
def test_every_failure_has_a_code_and_advice(error, code, advice):
    result = failures.describe(error)
    assert not result.ok
    assert result.error_code == code
    assert advice in (result.advice or "")
    assert result.error_message


def test_only_a_lack_of_memory_is_one():
    assert failures.is_out_of_memory(MemoryError())
    assert failures.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not failures.is_out_of_memory(ValueError("out of memory, says a value"))
    assert not failures.is_out_of_memory(RuntimeError("CUDA error: unspecified launch failure"))


def test_every_advice_says_what_was_tried():
    assert all(advice.tried for advice in failures.ADVICE.values())


def test_our_own_errors_keep_their_words():
    result = failures.describe(DatasetError("line 3 is bad", code="bad_json", hint="mend it"))
    assert (result.error_code, result.error_message, result.advice) == (
        "bad_json", "line 3 is bad", "mend it",
    )  # fmt: skip


def test_no_secret_and_no_second_line_gets_out():
    result = failures.describe(ValueError("bad token hf_abcdefghijklmnop\nTraceback ..."))
    assert "hf_abcdef" not in (result.error_message or "")
    assert "Traceback" not in (result.error_message or "")
