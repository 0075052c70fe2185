"""A driver where one is needed: started, replaced when it is another account's, and heard when it fails."""

import subprocess
import time
from typing import Final

from podtune.app import driver, wiring
from podtune.app.settings import Settings, runpod_access
from podtune.core.errors import StateError
from podtune.core.redact import scrub
from podtune.workflow import driver as workflow_driver
from podtune.workflow.store import JobStore

SPAWN_PATIENCE_S: Final = 10.0
"""How long a driver may take to start before another is tried."""


class DriverKeeper:
    """Keeps one home driven, as long as a command lives."""

    def __init__(self, settings: Settings) -> None:
        """Nothing is started yet."""
        self._settings = settings
        self._spawned_at: float | None = None
        self._driver: subprocess.Popen[bytes] | None = None

    def ensure(self, store: JobStore) -> None:
        """Start a driver where one is needed; one just started is given time to take the lease.

        Raises:
            StateError: the one that was started ended with an error.
        """
        now = time.monotonic()
        if self._driver is not None and self._driver.poll():
            raise self._failed()
        if self._spawned_at is not None and now - self._spawned_at < SPAWN_PATIENCE_S:
            return
        _replace_stranger(store)
        if workflow_driver.ensure(store, self._spawn, is_dead=driver.is_dead):
            self._spawned_at = now

    def _spawn(self) -> None:
        self._driver = driver.spawn(self._settings)

    def _failed(self) -> StateError:
        """The driver ended with an error; its last words say which."""
        log = self._settings.driver_log
        lines = (
            log.read_text(encoding="utf-8", errors="replace").split("\n") if log.is_file() else []
        )
        last = next((line for line in reversed(lines) if line.strip()), "no word in its log")
        return StateError(
            f"the driver that runs the jobs cannot start: {scrub(last)[:300]}",
            code="driver_failed",
            hint=f"see {str(log)!r}; podtune doctor checks the rest",
        )


def _replace_stranger(store: JobStore) -> None:
    """A driver without the account that a waiting job needs, and that is set here, is asked to go."""
    waiting = {job.account for job in store.unfinished() if job.hindrance and job.account}
    if not waiting:
        return
    own, holder = wiring.account_of(runpod_access()), store.lease_holder()
    if own in waiting and holder is not None and store.lease_account() != own:
        driver.ask_to_leave(holder)
        store.release(holder)
