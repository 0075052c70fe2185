"""SIGTERM -> one exception in the main thread, at a moment when nothing is half done.

Outside of a training it rises at once. Within one it rises only in the passes through the model,
which change gradients and nothing else; between them (the optimizer's step, a checkpoint being
written) it waits. Knows nothing of checkpoints: who trains decides what is saved.
"""

import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType, TracebackType

from failures import StoppedError

SIGNALS = (signal.SIGTERM, signal.SIGINT)


Hear = Callable[[int, FrameType | None], None]
"""What is called with a signal's number."""


def listen(hear: Hear) -> dict[int, object]:
    """Hear SIGTERM and SIGINT; what heard them before. Only the main thread can: elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {number: signal.signal(number, hear) for number in SIGNALS}


def restore(before: dict[int, object]) -> None:
    """Give the signals back, once."""
    for number, handler in before.items():
        signal.signal(number, handler)  # pyright: ignore[reportArgumentType] - as it was given
    before.clear()


class Interrupted(BaseException):
    """The process was asked to end. Like KeyboardInterrupt, no `except Exception` stops it."""


class Shutdown:
    """Listens while it is entered; what leaves it is a typed failure."""

    def __init__(self) -> None:
        """Inert until entered, so that a training can be run without one."""
        self.requested = False
        self._may_rise = True
        self._settled = False
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "Shutdown":
        self._previous = listen(self._heard)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        restore(self._previous)
        if isinstance(error, Interrupted):
            raise StoppedError(
                "the training was asked to stop before its first whole step",
                hint="`podtune resume JOB` begins again",
            ) from error

    def check(self) -> None:
        """Raise if the process was asked to end.

        Raises:
            Interrupted: it was.
        """
        if self.requested and not self._settled:
            raise Interrupted

    def settle(self) -> None:
        """The request is being answered; it rises no more."""
        self._settled = True

    @contextmanager
    def waiting(self) -> Generator[None]:
        """Within, a request only waits."""
        before, self._may_rise = self._may_rise, False
        try:
            yield
        finally:
            self._may_rise = before

    @contextmanager
    def rising(self) -> Generator[None]:
        """Within, a request rises at once: here is nothing that could be left half done."""
        self.check()
        before, self._may_rise = self._may_rise, True
        try:
            yield
        finally:
            self._may_rise = before

    def _heard(self, number: int, frame: FrameType | None) -> None:
        self.requested = True
        if self._may_rise:
            self.check()
