"""Notices a step that makes no progress.

A thread looks once a second. Time in which the thread itself did not run (the machine slept, the
process was stopped) does not count. Knows nothing of what happens then.
"""

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable

MINIMUM_S = 60.0
"""A step may always take so long."""

FACTOR = 20.0
"""... or so many times as long as the median of the last steps."""

FIRST_S = 600.0
"""The first step, of which little is known: kernels are compiled, weights are paged in."""

LOOK_S = 1.0
REMEMBERED = 50


class StallWatch:
    """Armed while a step runs; calls `on_stall(seconds, step)` once, from its own thread."""

    def __init__(
        self,
        on_stall: Callable[[float, int], None],
        *,
        minimum_s: float = MINIMUM_S,
        first_s: float = FIRST_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` in seconds; the thread starts with `start`."""
        self._on_stall = on_stall
        self._minimum_s, self._first_s = minimum_s, max(first_s, minimum_s)
        self._clock = clock
        self._durations: deque[float] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()
        self._began: float | None = None
        self._step = 0
        self._idle_s = 0.0
        self._looked = clock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Look from now on."""
        self._looked = self._clock()
        self._thread = threading.Thread(target=self._run, name="stall-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; returns when the thread has ended."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def begin(self, step: int) -> None:
        """A step begins."""
        with self._lock:
            self._began, self._step, self._idle_s = self._clock(), step, 0.0

    def beat(self) -> None:
        """The step goes on: a micro-batch is done."""
        with self._lock:
            self._idle_s = 0.0

    def end(self) -> None:
        """The step has ended; until the next begins nothing is expected."""
        with self._lock:
            if self._began is not None:
                self._durations.append(self._clock() - self._began)
            self._began = None

    def limit_s(self) -> float:
        """How long nothing may happen in a step."""
        if not self._durations:
            return self._first_s
        return max(self._minimum_s, FACTOR * statistics.median(self._durations))

    def look(self) -> bool:
        """Look once; whether the step has stalled."""
        with self._lock:
            now = self._clock()
            passed, self._looked = now - self._looked, now
            if self._began is None:
                return False
            self._idle_s += min(passed, 2 * LOOK_S)
            stalled = self._idle_s >= self.limit_s()
        if stalled:
            self._on_stall(self._idle_s, self._step)
        return stalled

    def _run(self) -> None:
        pause = min(LOOK_S, self._minimum_s / 4)
        while not self._stopped.wait(pause):
            if self.look():
                return
