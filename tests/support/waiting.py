"""Waiting for real processes: short looks at a condition, with an end."""

import threading
import time


def until(condition, what: str = "it", seconds: float = 20):
    """Look until a condition gives something true; that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        threading.Event().wait(0.01)
    raise AssertionError(f"{what} did not happen within {seconds} s")
