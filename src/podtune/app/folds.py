"""What the events of jobs add up to, kept between looks: each look reads only what was told since the last.

A kept sum belongs to one file as it was. Where the file was replaced, was cut, or says something else now where
the last look ended, all of it is read again. Bounded: what was not asked for the longest is given up.
"""

import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from podtune.core.progress import Folded, Folding
from podtune.workflow.folder import events_in, whole_lines

MOST_FILES: Final = 4096
"""Files of which sums are kept. Chosen: some 10 kB each, besides their curves."""
MOST_POINTS: Final = 2_000_000
"""Points of loss curves that are kept, of all files together: 16 bytes each. Chosen."""
MARK_BYTES: Final = 256
"""What is compared of the end of what was read: the tail of a line with its step, time and figures."""


class Folds:
    """Sums of one process. Safe to use from several threads: of one file one reads, the others wait for it."""

    def __init__(self, *, most_files: int = MOST_FILES, most_points: int = MOST_POINTS) -> None:
        """Nothing is kept yet."""
        self._most_files, self._most_points = most_files, most_points
        self._kept: OrderedDict[Path, _Sum] = OrderedDict()
        self._lock = threading.Lock()
        self._points = 0

    def look(self, path: Path) -> Folded:
        """What a file of events adds up to now, without its loss curve; nothing where there is no file."""
        with self._lock:
            kept = self._kept.setdefault(path, _Sum())
            self._kept.move_to_end(path)
        found, grown = kept.look(path)
        if grown or len(self._kept) > self._most_files:
            with self._lock:
                self._weigh(path, kept)
        return found

    def _weigh(self, path: Path, kept: "_Sum") -> None:
        """Note how much one holds now, and give up others until all fit; the one that was asked for stays."""
        if self._kept.get(path) is kept:
            self._points += kept.size - kept.counted
            kept.counted = kept.size
        while len(self._kept) > 1 and (
            len(self._kept) > self._most_files or self._points > self._most_points
        ):
            _, given_up = self._kept.popitem(last=False)
            self._points -= given_up.counted


class _Seen(NamedTuple):
    """A file as it was when it was looked at."""

    device: int
    number: int
    size: int
    changed: int

    def is_of(self, other: "_Seen | None") -> bool:
        """Whether both are the same file, whatever stands in it."""
        return other is not None and (self.device, self.number) == (other.device, other.number)


class _Sum:
    """Of one file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counted = 0
        """How much it holds as its keeper has counted it."""
        self._begin()

    @property
    def size(self) -> int:
        """How much it holds."""
        return self._folding.size

    def look(self, path: Path) -> tuple[Folded, bool]:
        """The sum, and whether it was read for that."""
        with self._lock:
            try:
                if _seen(path) == self._as:
                    return self._found, False
                with path.open("rb") as stream:
                    self._read(stream)
            except FileNotFoundError:
                self._begin()
            return self._found, True

    def _begin(self) -> None:
        self._folding, self._found = Folding(), Folded()
        self._offset, self._mark = 0, b""
        self._as: _Seen | None = None

    def _read(self, stream: BinaryIO) -> None:
        seen = _seen(stream.fileno())
        if not seen.is_of(self._as) or not self._goes_on(stream):
            self._begin()
        stream.seek(self._offset)
        for block in whole_lines(stream):
            self._offset += len(block)
            self._mark = (self._mark + block[-MARK_BYTES:])[-MARK_BYTES:]
            self._folding.take(events_in(block))
        self._as, self._found = seen, self._folding.brief()

    def _goes_on(self, stream: BinaryIO) -> bool:
        """Whether what was read last still stands where it stood."""
        stream.seek(self._offset - len(self._mark))
        return stream.read(len(self._mark)) == self._mark


def _seen(file: Path | int) -> _Seen:
    found = file.stat() if isinstance(file, Path) else os.fstat(file)
    return _Seen(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
