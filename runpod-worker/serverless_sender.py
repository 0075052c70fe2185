"""Progress to the platform: one update at a time, and none left on its way when the result goes out.

The SDK starts a thread for each update and forgets it (runpod 1.12.0): nothing keeps an old update from
overtaking a newer one, or the result. So the thread is remembered here, the next update waits until it
has ended, and the result is only returned after that.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

Update = Callable[[dict[str, Any], Any], None]
"""`runpod.serverless.progress_update(job, progress)`."""

DRAIN_S: Final = 10.0
"""Longest wait for an update on its way; the SDK tries three times with pauses of some seconds."""

LOOK_S: Final = 0.02

log = logging.getLogger("podtune.worker")


class Sender:
    """Sends one job's progress.

    Args:
        job: As the SDK handed it over.
        update: The SDK's function; nothing is sent without one.
    """

    def __init__(self, job: Mapping[str, Any], update: Update | None) -> None:
        self._job, self._update = job, update
        self._threads: set[threading.Thread] = set()

    def is_free(self) -> bool:
        """Whether no update is on its way."""
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        return not self._threads

    def send(self, status: Mapping[str, object]) -> None:
        """Send a status; a failure is told in the log and stops nothing."""
        if self._update is None:
            return
        before = set(threading.enumerate())
        try:
            self._update(dict(self._job), dict(status))
        except Exception as error:  # noqa: BLE001 - progress is a courtesy, whatever the SDK raises
            log.warning("progress was not sent: %s", type(error).__name__)
        self._threads |= set(threading.enumerate()) - before

    def drain(self, limit_s: float = DRAIN_S) -> bool:
        """Wait until nothing is on its way; blocks, so to be called in a thread.

        Returns:
            False where the limit passed first.
        """
        until = time.monotonic() + limit_s
        while not self.is_free():
            if time.monotonic() >= until:
                log.warning("an update of the progress is still on its way after %g s", limit_s)
                return False
            time.sleep(LOOK_S)
        return True


def platform_update() -> Update:
    """The SDK's own function, imported when it is needed."""
    from runpod.serverless import progress_update

    return progress_update
