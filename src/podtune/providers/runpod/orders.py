"""Which machines were ordered, on disk before each order: a crash in between must not order twice.

One small file a name, in the job's own folder. It is there from before the order until it was surely
refused, or its machine is proved gone. That RunPod took the order, or that a list showed the machine, is
not enough: a driver that dies before it has noted the machine leaves a next one that may get no list.
"""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

FOLDER: Final = "orders"


class OrderBook:
    """The orders of one job."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the job's."""
        self._folder = folder / FOLDER

    def begin(self, name: str, now: datetime) -> None:
        """Write down, for good, that a machine is about to be ordered under a name.

        Raises:
            FileExistsError: somebody else is ordering it, or has: it may not be ordered again.
            OSError: it cannot be written, so nothing may be ordered.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._path(name).open("x", encoding="ascii") as file:
            file.write(now.isoformat())
            file.flush()
            os.fsync(file.fileno())
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def settle(self, name: str) -> None:
        """The machine is proved gone, or the order surely refused."""
        self._path(name).unlink(missing_ok=True)

    def open_since(self, name: str) -> datetime | None:
        """When a machine of this name was ordered; None for never, or where it is settled."""
        path = self._path(name)
        try:
            moment = datetime.fromisoformat(path.read_text(encoding="ascii"))
        except FileNotFoundError:
            return None
        except ValueError:  # the crash came between creating the file and writing it
            return datetime.fromtimestamp(path.stat().st_mtime, UTC)
        return moment

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.open"
