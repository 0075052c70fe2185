"""Statuses as they were last told, told again while nothing that they are made of has changed.

An application looks every few seconds, at jobs that mostly stand still: what a look costs is then one small
read. What is written of a job (`Glance.version`) and what its worker tells count at once; what only time
changes, such as money while a machine runs, is at most `FRESH_S` old.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from podtune.app import machine_view
from podtune.core.clock import Monotonic, monotonic
from podtune.workflow.folder import JobFolder
from podtune.workflow.glance import Glance

MOST: Final = 8192
"""Statuses that are remembered, of some 2 kB each. Chosen."""
FRESH_S: Final = 1.0
"""How old the status of a running job may be, and what is said of the account."""
KEPT_S: Final = 600.0
"""How long one of a job that has ended is told. What is still written of it, such as a bill, shows at once; this is
for what nobody foresaw. Chosen."""


class _Told(NamedTuple):
    """A status, and what it was made of."""

    glance: Glance
    files: tuple[int, ...]
    amiss: tuple[str, ...]
    at: float
    body: bytes


class Remembered:
    """Of one gateway. Safe to use from several threads."""

    def __init__(
        self, jobs: Path, amiss: Callable[[], tuple[str, ...]], elapsed: Monotonic = monotonic
    ) -> None:
        """Nothing is remembered yet.

        Args:
            jobs: The folder of the jobs' folders.
            amiss: Says what is amiss with the account; asked once in `FRESH_S`.
            elapsed: Tells how old something is.
        """
        self._jobs, self._ask, self._elapsed = jobs, amiss, elapsed
        self._kept: OrderedDict[str, _Told] = OrderedDict()
        self._lock = threading.Lock()
        self._amiss: tuple[str, ...] = ()
        self._asked_at: float | None = None

    def body(self, glance: Glance | None, make: Callable[[], bytes]) -> bytes:
        """A status as JSON: as it was told last, or made now.

        Args:
            glance: At the job, taken just before; None where there is no job yet.
            make: Makes it.
        """
        if glance is None:
            return make()
        files, amiss, now = self._files(glance), self._account(), self._elapsed()
        with self._lock:
            known = self._kept.get(glance.id)
        lasts = KEPT_S if glance.is_finished else FRESH_S
        if (
            known is not None
            and (known.glance, known.files, known.amiss) == (glance, files, amiss)
            and now - known.at < lasts
        ):
            return known.body
        body = make()
        with self._lock:
            self._kept[glance.id] = _Told(glance, files, amiss, now, body)
            self._kept.move_to_end(glance.id)
            while len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return body

    def _files(self, glance: Glance) -> tuple[int, ...]:
        """Size and time of what a running job's status is read from; nothing of one that has ended."""
        if glance.is_finished:
            return ()
        folder = JobFolder(self._jobs / glance.id)
        found: list[int] = []
        for path in (folder.events, folder.path / machine_view.FILE):
            try:
                seen = path.stat()
            except FileNotFoundError:
                found += (0, 0)
            else:
                found += (seen.st_size, seen.st_mtime_ns)
        return tuple(found)

    def _account(self) -> tuple[str, ...]:
        with self._lock:
            now = self._elapsed()
            if self._asked_at is not None and now - self._asked_at < FRESH_S:
                return self._amiss
            self._asked_at = now
        found = self._ask()
        with self._lock:
            self._amiss = found
        return found
