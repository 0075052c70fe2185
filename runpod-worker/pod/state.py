"""Where the machine stands: one object that the server shows and the attempt moves.

Whatever moves is told to the watchdog by the file `beat`; that all is done, by the file `end`.
"""

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Any

import orders as order_book
from orders import HandOver, Orders, Refused

RUNNING = ("receiving", "installing", "checking", "training", "delivering")


class PodState:
    """Thread-safe."""

    def __init__(self, orders: Orders) -> None:
        """Waiting for work."""
        self.orders = orders
        self.lock = threading.RLock()
        self.handed: HandOver | None = None
        self.addresses: dict[str, dict[str, Any]] = {}
        """Signed addresses by name; the newest counts."""
        self.new_address = threading.Event()
        self.cancelled = threading.Event()
        self.released = threading.Event()
        self.worker_exit: int | None = None
        self.files: list[dict[str, Any]] = []
        """The artifact's files, once it is whole."""
        self._phase, self._detail = "waiting", "waiting for work"
        self._moved = 0
        self._begin = time.monotonic()

    @property
    def phase(self) -> str:
        """One of `podtune.core.handover.PodPhase`."""
        return self._phase

    def enter(self, phase: str, detail: str = "") -> None:
        """Go on to a phase."""
        with self.lock:
            if (phase, detail) != (self._phase, self._detail):
                order_book.say(f"podtune: {phase}: {detail}" if detail else f"podtune: {phase}")
            self._phase, self._detail = phase, detail
            self._moved += 1

    def moved(self) -> None:
        """Something went on; silence is counted from here."""
        self._moved += 1

    def accept(self, handed: HandOver) -> None:
        """Take work, unless the attempt began already.

        Raises:
            Refused: 409.
        """
        with self.lock:
            if self.orders.begun.exists() or self._phase not in ("waiting", "receiving"):
                raise Refused(409, "this attempt has begun already", kind="begun")
            self.handed = handed
            if handed.deliver["via"] == "put":
                for name in order_book.addresses_of(handed.deliver):
                    self.addresses[name] = order_book.check_address(handed.deliver[name])
            if handed.deadline is not None:
                order_book.write(self.orders.shortened, str(handed.deadline))
            (self.orders.watch / "handed-over").touch()
            if self._phase == "waiting":
                self.enter("receiving", "the bundle")

    def renew(self, name: str, address: dict[str, Any]) -> None:
        """A fresh address for delivery.

        Raises:
            Refused: 400, 409 where nothing is written to addresses here.
        """
        if name not in ("archive", "result", "checkpoint"):
            raise Refused(400, "addresses are archive, result and checkpoint")
        if self.handed is None or self.handed.deliver["via"] != "put":
            raise Refused(409, "nothing is written to addresses here")
        self.addresses[name] = order_book.check_address(address)
        self.new_address.set()

    def release(self) -> None:
        """All was picked up: the machine may end.

        Raises:
            Refused: 409 while something runs.
        """
        with self.lock:
            if self._phase in RUNNING:
                raise Refused(409, f"the machine is {self._phase}", kind="busy")
            self.end("released: everything was picked up")

    def end(self, reason: str) -> None:
        """Ask the watchdog to end the machine."""
        order_book.write(self.orders.watch / "end", reason)
        self.released.set()

    def beat(self) -> None:
        """Tell the watchdog that this process lives, and what has moved."""
        sizes = [_size(self.orders.events), _size(self.orders.log)]
        said = {"phase": self._phase, "progress": [self._moved, *sizes], "at": time.monotonic()}
        order_book.write(self.orders.watch / "beat", json.dumps(said))

    def status(self) -> dict[str, Any]:
        """For `GET /status`, cards apart."""
        return {
            "phase": self._phase,
            "detail": self._detail,
            "attempt": self.orders.attempt,
            "worker_exit": self.worker_exit,
            "uptime_s": round(time.monotonic() - self._begin, 1),
            "disk_free_bytes": shutil.disk_usage(self.orders.folder).free,
            "events_bytes": _size(self.orders.events),
            "log_bytes": _size(self.orders.log),
        }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
