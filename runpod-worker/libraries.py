"""The training libraries, brought in at once and as cheaply as they can be.

For when order and data have been checked, before the first import of any of them. Measured by
`bench/start.py` (2026-11-22): 3.8 CPU seconds become 2.3, in the trainer and again in the proof.
"""

import contextlib
import gc
import importlib
import logging
import sys
from collections.abc import Generator
from typing import Any

NEVER_USED = ("datasets",)
"""transformers' Trainer imports it where it is installed; our rows are lists."""

QUANTISATION = "bitsandbytes"
"""peft imports it where it is installed (0.6 CPU seconds), whether or not a base is quantised."""


def leave_out_unused(*, quantised: bool) -> None:
    """Let libraries that this run has no use for count as not installed, for the whole process.

    For programs, in `main` and before any import of the libraries. What is imported already stays.

    Args:
        quantised: Whether the base model is held in 4 or 8 bits; if not, bitsandbytes is unused.
    """
    modules: dict[str, Any] = sys.modules
    for name in NEVER_USED if quantised else (*NEVER_USED, QUANTISATION):
        modules.setdefault(name, None)  # Python's own way to say that there is no such module


def load() -> None:
    """Import torch, transformers with its Trainer, and peft."""
    silence_kernel_advice()
    with collector_at_rest():
        for name in ("torch", "transformers", "transformers.trainer", "peft"):
            importlib.import_module(name)


def silence_kernel_advice() -> None:
    """On CPUs with AVX512-BF16 bitsandbytes asks for a kernel that is never used here."""
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


@contextlib.contextmanager
def collector_at_rest() -> Generator[None]:
    """No search for garbage while much is made that stays; what was made is never searched again.

    3,000 modules make it run hundreds of times over objects that all live on (26 % of the
    imports' time), and each `gc.collect()` of a trainer would go over them (0.26 s).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()
