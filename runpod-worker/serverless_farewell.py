"""SIGTERM to the worker itself, heard beside the SDK, which finishes its present job first.

A training does not finish within a container's grace: it saves a checkpoint instead. The SDK's handler
(runpod 1.12.0, `JobScaler.handle_shutdown`) is called too, so that the worker takes no further job.
"""

import asyncio
from types import FrameType, TracebackType

from shutdown import listen, restore


class Farewell:
    """Listens while it is entered; `heard` is set when the worker has to go."""

    def __init__(self) -> None:
        """To be made where an event loop runs."""
        self.heard = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._before: dict[int, object] = {}

    def __enter__(self) -> "Farewell":
        self._before = listen(self._hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        restore(self._before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self.heard.set)
        before = self._before.get(number)
        if callable(before):
            before(number, frame)
