"""A home kept driven, and its other chores done, while a process serves it for a long time.

The driver stays a process of its own, as for every command: what it computes takes nothing from requests, its
end takes no request along, and the gateway may be stopped and started while jobs go on. Here is only a
thread that looks now and then whether there is one, and at once when a verb asks. A verb never
waits for that, nor fails by it: what is amiss stands in `trouble`.
"""

import logging
import threading
from collections.abc import Callable
from typing import Final, Protocol

from podtune.app.driver_keeper import DriverKeeper
from podtune.app.settings import Settings
from podtune.core.clock import Monotonic, monotonic
from podtune.core.errors import PodtuneError, StateError
from podtune.workflow.store import JobStore

log = logging.getLogger(__name__)

EVERY_S: Final = 5.0
"""How often it looks without being asked: a driver that was killed is missed for so long at most."""
APART_S: Final = 0.5
"""Between two looks, however often it is asked: a look is two queries."""
LEAVES_WITHIN_S: Final = 5.0

Chore = Callable[[], object]


class Keeper(Protocol):
    """Starts a driver where one is needed."""

    def ensure(self, store: JobStore) -> None:
        """Look, and start one.

        Raises:
            PodtuneError: the one that was started ended with an error.
        """
        ...


class Tending:
    """Keeps one home driven; stands in for `DriverKeeper` in a service that many requests share."""

    def __init__(
        self,
        settings: Settings,
        *,
        every_s: float = EVERY_S,
        keeper: Callable[[Settings], Keeper] = DriverKeeper,
        elapsed: Monotonic = monotonic,
    ) -> None:
        """Nothing is looked at before `begin`; `keeper` makes what starts drivers."""
        self._settings, self._every_s, self._elapsed = settings, every_s, elapsed
        self._make, self._keeper = keeper, keeper(settings)
        self._asked = threading.Event()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._chores_at: float | None = None
        self.trouble: PodtuneError | None = None
        """Why jobs are not driven or another chore is not done; None where all is well."""

    def ensure(self, store: JobStore) -> None:
        """Have a driver looked for soon. Neither waits nor fails."""
        self._asked.set()

    def begin(self, store: JobStore, *chores: Chore) -> None:
        """Start to look.

        Args:
            store: The home's; it stays open until `end`.
            chores: What else is done now and then, such as taking up what another process left undone.
        """
        self._thread = threading.Thread(
            target=self._run, args=(store, chores), name="tending", daemon=True
        )
        self._thread.start()

    def end(self) -> None:
        """Stop looking; the driver goes on until it has nothing left to do."""
        self._ending.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join(LEAVES_WITHIN_S)

    def look(self, store: JobStore, *chores: Chore) -> None:
        """Look once: at the driver always, at the chores when it is time. What goes wrong is `trouble`."""
        work: list[Chore] = [lambda: self._keeper.ensure(store)]
        now = self._elapsed()
        if self._chores_at is None or now - self._chores_at >= self._every_s:
            self._chores_at = now
            work += chores
        wrong = [error for error in map(_done, work) if error is not None]
        if any(error.code == "driver_failed" for error in wrong):
            self._keeper = self._make(self._settings)  # the next look tries another
        self._note(wrong[0] if wrong else None)

    def _note(self, wrong: PodtuneError | None) -> None:
        if wrong is not None and (self.trouble is None or self.trouble.message != wrong.message):
            log.warning("%s", wrong.message)
        self.trouble = wrong

    def _run(self, store: JobStore, chores: tuple[Chore, ...]) -> None:
        while not self._ending.is_set():
            self._asked.clear()
            self.look(store, *chores)
            # What fails is not tried faster for being asked for often.
            if self._ending.wait(self._every_s if self.trouble else APART_S):
                return
            self._asked.wait(self._every_s)


def _done(chore: Chore) -> PodtuneError | None:
    """Do one; what went wrong."""
    try:
        chore()
    except PodtuneError as error:
        return error
    except Exception as error:
        log.exception("a chore of the gateway failed")
        return StateError(f"a chore failed: {type(error).__name__}", code="internal_error")
    return None
