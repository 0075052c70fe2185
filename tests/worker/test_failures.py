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


def test_our_own_errors_keep_their_words():
    result = failures.describe(DatasetError("line 3 is bad", code="bad_json", hint="mend it"))
    assert (result.error_code, result.error_message, result.advice) == (
        "bad_json", "line 3 is bad", "mend it",
    )  # fmt: skip


def test_no_secret_and_no_second_line_gets_out():
    result = failures.describe(ValueError("bad token hf_abcdefghijklmnop\nTraceback ..."))
    assert "hf_abcdef" not in (result.error_message or "")
    assert "Traceback" not in (result.error_message or "")
