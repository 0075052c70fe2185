"""Pools of threads for work that takes long, so that no number of such requests takes the threads that others need.

A pool bounds how much of its work is done at the same moment; what is beyond waits without a thread.
"""

from typing import Final

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar


class Pool:
    """A bound, for each event loop its own."""

    def __init__(self, name: str, count: int) -> None:
        """`count` threads at most."""
        self._place: RunVar[CapacityLimiter] = RunVar(name)
        self._count = count

    @property
    def limiter(self) -> CapacityLimiter:
        """In the event loop that asks."""
        try:
            return self._place.get()
        except LookupError:
            made = CapacityLimiter(self._count)
            self._place.set(made)
            return made


WAITING: Final = Pool("podtune.gateway.waiting", 32)
"""Submits that are looked after at the same moment."""
PACKING: Final = Pool("podtune.gateway.packing", 2)
"""Archives that are packed at the same time: each takes a core, and as much disk as the artifact."""
TALKING: Final = Pool("podtune.gateway.talking", 12)
"""Conversations that are under way or wait for their turn."""
STOPPING: Final = Pool("podtune.gateway.stopping", 8)
"""Resumes, which may wait for a worker that is still being stopped."""
