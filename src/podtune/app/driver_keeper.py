"""A driver where one is needed: started, and heard when it fails."""

import subprocess
from typing import Final

from podtune.app import driver, rounds
from podtune.app.settings import Settings
from podtune.core.clock import monotonic
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
        self._looked_at: float | None = None
        self._driver: subprocess.Popen[bytes] | None = None

    def ensure(self, store: JobStore) -> None:
        """Start a driver where one is needed; one just started is given time to show itself.

        Raises:
            StateError: the one that was started ended with an error.
        """
        now = monotonic()
        if self._driver is not None and self._driver.poll():
            raise self._failed()
        if self._spawned_at is not None and now - self._spawned_at < SPAWN_PATIENCE_S:
            return
        me = driver.driver_of(self._settings)
        if workflow_driver.ensure(store, self._spawn, me, is_dead=driver.is_dead):
            self._spawned_at = now
        elif self._may_look(now) and rounds.is_round_due(self._settings, store, me):
            # Nothing is to be driven; it looks over the account for what is left of other days, and goes.
            self._spawn()
            self._spawned_at = now

    def _may_look(self, now: float) -> bool:
        """Once in a command, and in a long one as often as rounds are made."""
        if self._looked_at is not None and now - self._looked_at < self._settings.reap_every_s:
            return False
        self._looked_at = now
        return True

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
