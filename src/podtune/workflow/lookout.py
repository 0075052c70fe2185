"""What the machines of one rented place are doing: one look for all jobs, off the driver's loop."""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from typing import Final

from podtune.core.errors import PodtuneError
from podtune.providers.base import InstanceState

log = logging.getLogger(__name__)

Observe = Callable[[Sequence[str]], Mapping[str, InstanceState]]
"""The states of some machines by id, from one list; one it cannot tell of is left out."""

LOOK_S: Final = 5.0
"""Between two lists. RunPod allows 60 calls a minute (answers of 2026-11); a dozen are left to this."""

_ENDED: Final = (InstanceState.GONE, InstanceState.STOPPED)


class Lookout:
    """Remembers the last look. A machine counts as ended once two looks in a row say so."""

    def __init__(
        self,
        observe: Observe,
        executor: Executor,
        clock: Callable[[], datetime],
        *,
        every_s: float = LOOK_S,
    ) -> None:
        """`observe` runs in `executor`, at most once at a time."""
        self._observe = observe
        self._executor = executor
        self._clock = clock
        self._every = timedelta(seconds=every_s)
        self._under_way: Future[Mapping[str, InstanceState]] | None = None
        self._next_at: datetime | None = None
        self._is_answered = True
        self._states: dict[str, InstanceState] = {}
        self._doubted: set[str] = set()

    def look(self, wanted: Sequence[str]) -> set[str]:
        """Take in a look that is over, and begin the next when it is due; ids of which it says otherwise."""
        news: set[str] = set()
        if self._under_way is not None:
            if not self._under_way.done():
                return news
            news = self._take_in(self._under_way)
            self._under_way = None
        if wanted and self._is_time():
            self._next_at = self._clock() + self._every
            self._under_way = self._executor.submit(self._observe, tuple(wanted))
        return news

    def is_due(self) -> bool:
        """Whether `look` would begin a look now."""
        return self._is_time() and (self._under_way is None or self._under_way.done())

    @property
    def is_answered(self) -> bool:
        """Whether the newest look that is over was answered: else it may be us who cannot hear."""
        return self._is_answered

    def next_at(self) -> datetime:
        """When there is a look to begin or to take in; one under way elsewhere is not waited for."""
        now = self._clock()
        if self._under_way is not None and self._under_way.done():
            return now
        return max(now, self._next_at or now)

    def state(self, instance_id: str | None) -> InstanceState | None:
        """The last known state of a machine; None before it was looked for."""
        return self._states.get(instance_id or "")

    def _is_time(self) -> bool:
        return self._next_at is None or self._clock() >= self._next_at

    def _take_in(self, future: Future[Mapping[str, InstanceState]]) -> set[str]:
        error = future.exception()
        self._is_answered = error is None
        if error is not None:
            # The list failed: nothing is known, and nothing may be concluded.
            told = error.message if isinstance(error, PodtuneError) else type(error).__name__
            log.warning("the list of machines failed: %s", told)
            return set()
        news: set[str] = set()
        for name, state in future.result().items():
            if state in _ENDED and name not in self._doubted:
                self._doubted.add(name)
                continue
            if state not in _ENDED:
                self._doubted.discard(name)
            if self._states.get(name) is not state:
                news.add(name)
            self._states[name] = state
        return news
