"""Waiting for real processes: short looks at a condition, with an end."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LIMIT_S = 60.0
"""A process that imports torch takes seconds, and several times that where every core has work."""


def until(condition: Callable[[], T | None], what: str = "it", seconds: float = LIMIT_S) -> T:
    """Look until a condition gives something true; that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        threading.Event().wait(0.01)
    raise AssertionError(f"{what} did not happen within {seconds} s")
