"""The machine's token-protected port: takes the work, tells how it goes, gives the artifact.

Every request but `GET /health` needs the job's token, of which only the sha256 is known here.
Bodies, connections and slow clients are bounded. The messages: `podtune/core/handover.py`.
"""

import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import cargo
import delivery
import failure
import orders as order_book
from attempt import Attempt
from fill_cache import CacheFill
from gpu_facts import Gpus
from job_status import JobStatus
from orders import Orders, Refused
from port_server import MAX_CHUNK, MAX_MESSAGE, Answer, Ask, Server, piece, tail
from state import PodState

BUNDLE_TIMES = 2
"""A bundle is there twice while it is unpacked."""

LIBRARY_BYTES = 10**9
"""Installed libraries: 0.6 GB of the lock of 2026-11-22, and some for pip while it works."""


class Bundle:
    """The bundle as it arrives in pieces."""

    def __init__(self, state: PodState, attempt: Attempt) -> None:
        """What an earlier process received goes on."""
        self._state, self._attempt = state, attempt
        self._lock = threading.Lock()

    def received(self) -> int:
        """Bytes that are here."""
        path = self._attempt.bundle
        return path.stat().st_size if path.exists() else 0

    def append(self, offset: int, read: Callable[[int], bytes], length: int) -> dict[str, Any]:
        """Take a piece; when it was the last one, work begins.

        Raises:
            Refused: 409 where it does not fit what is here, 422 where the whole is another file.
        """
        with self._lock:
            handed = self._state.handed
            awaited = self._state.phase == "receiving"
            if handed is None or not awaited or handed.bundle["via"] != "port":
                raise Refused(409, "no bundle is awaited", received=self.received())
            here = self.received()
            if offset != here or here + length > handed.bundle["bytes"]:
                raise Refused(409, f"{here} bytes are here", received=here)
            try:
                taken = self._write(read)
            except OSError as error:
                if error.errno not in failure.FULL_DISK:  # the client is gone or too slow
                    raise
                self._attempt.start(failure.of_system(error))
                raise Refused(507, "the disk takes no more", received=here) from None
            self._begin_when_whole()
            return {"received": offset + taken}

    def _write(self, read: Callable[[int], bytes]) -> int:
        taken = 0
        with self._attempt.bundle.open("ab") as stream:
            while block := read(cargo.BLOCK):
                stream.write(block)
                taken += len(block)
                self._state.moved()
        return taken

    def handed_over(self) -> None:
        """Begin where nothing has to be received any more; drop what is of another bundle."""
        with self._lock:
            handed = self._state.handed
            if handed is None or self._state.phase != "receiving":
                return
            room = shutil.disk_usage(self._state.orders.folder).free + self.received()
            needed = BUNDLE_TIMES * handed.bundle["bytes"] + LIBRARY_BYTES
            if room < needed:
                self._attempt.start(failure.small_disk(room, needed))
                return
            if handed.bundle["via"] == "https":
                self._attempt.start()
                return
            if self.received() > handed.bundle["bytes"]:
                self._attempt.bundle.unlink()
            try:
                self._begin_when_whole()
            except Refused:  # it begins at 0 again, and the answer says so
                return

    def _begin_when_whole(self) -> None:
        handed = self._state.handed
        if handed is None or self.received() < handed.bundle["bytes"]:
            return
        found = cargo.sha256_of(self._attempt.bundle, self._state.moved)
        if found != handed.bundle["sha256"]:
            self._attempt.bundle.unlink()
            raise Refused(422, "the bundle is another file", received=0)
        self._state.enter("installing", "the bundle is here")
        self._attempt.start()


class Desk:
    """Answers requests that carried the token."""

    def __init__(self, orders: Orders, environment: Mapping[str, str]) -> None:
        """Nothing runs yet."""
        self.state = PodState(orders)
        self.attempt = Attempt(self.state, environment)
        self.bundle = Bundle(self.state, self.attempt)
        self.filling = CacheFill(self.state)
        self._gpus = Gpus()
        self._job_status = JobStatus(self.state, environment)
        self._routes: dict[tuple[str, str], Callable[[Ask], Answer]] = {
            ("GET", "status"): self._status,
            ("GET", "training"): self._training,
            ("GET", "bundle"): self._received,
            ("GET", "events"): lambda ask: tail(orders.events, ask),
            ("GET", "log"): lambda ask: tail(orders.log, ask),
            ("GET", "files"): self._files,
            ("GET", "checkpoints"): self._checkpoints,
            ("POST", "hand-over"): self._hand_over,
            ("POST", "fill"): self._fill,
            ("PUT", "bundle"): self._append,
            ("PUT", "address"): self._address,
            ("POST", "cancel"): self._cancel,
            ("POST", "release"): self._release,
        }

    def answer(self, ask: Ask) -> Answer:
        """The answer.

        Raises:
            Refused: with its status.
        """
        route = self._routes.get((ask.method, ask.parts[0] if ask.parts else ""))
        if route is None:
            raise Refused(404, "there is nothing of that name")
        return route(ask)

    def _status(self, _: Ask) -> Answer:
        gpus = self._gpus.read()
        return Answer(body={**self.state.status(), "gpus": gpus, **self.filling.status()})

    def _training(self, ask: Ask) -> Answer:
        if len(ask.parts) != 3 or ask.parts[1] != "status":
            raise Refused(404, "there is nothing of that name")
        return Answer(body=self._job_status.read(ask.parts[2]))

    def _received(self, _: Ask) -> Answer:
        handed = self.state.handed
        total = handed.bundle["bytes"] if handed else None
        awaited = self.state.phase in ("waiting", "receiving")
        here = self.bundle.received() if awaited else total or 0
        return Answer(body={"received": here, "total": total})

    def _hand_over(self, ask: Ask) -> Answer:
        handed = order_book.hand_over(ask.body(MAX_MESSAGE), self.state.orders)
        self.state.accept(handed)
        self.bundle.handed_over()
        return Answer(body={"accepted": True, "received": self.bundle.received()})

    def _fill(self, ask: Ask) -> Answer:
        self.filling.accept(ask.body(MAX_MESSAGE))
        return Answer(body={"accepted": True})

    def _append(self, ask: Ask) -> Answer:
        length = ask.length(MAX_CHUNK)
        return Answer(body=self.bundle.append(ask.number("offset"), ask.read, length))

    def _address(self, ask: Ask) -> Answer:
        said = ask.json()
        self.state.renew(str(said.get("name")), said)
        return Answer(body={"accepted": True})

    def _cancel(self, _: Ask) -> Answer:
        self.state.cancelled.set()
        with self.state.lock:
            if self.state.phase in ("waiting", "receiving") and not self.filling.is_busy:
                self.state.enter("installing", "cancelled before it began")
                self.attempt.start()
        return Answer(status=202, body={"accepted": True})

    def _release(self, _: Ask) -> Answer:
        self.state.release()
        return Answer(body={"accepted": True})

    def _files(self, ask: Ask) -> Answer:
        if len(ask.parts) == 1:
            return Answer(body={"files": self.state.files})
        return piece(self.state.orders.artifact, self.state.files, "/".join(ask.parts[1:]), ask)

    def _checkpoints(self, ask: Ask) -> Answer:
        folder = self.state.orders.job_folder / "checkpoints"
        found = delivery.list_checkpoints(folder)
        if len(ask.parts) == 1:
            return Answer(body=found)
        for one in found:
            if one["name"] == ask.parts[1]:
                return piece(folder / one["name"], one["files"], "/".join(ask.parts[2:]), ask)
        raise Refused(404, "there is no such checkpoint")


def main() -> int:
    """Serve until the machine ends."""
    environment = dict(os.environ)
    orders = order_book.read(environment)
    desk = Desk(orders, environment)
    server = Server(orders, desk)
    threading.Thread(target=_beat, args=(desk.state,), daemon=True).start()

    def stop(*_: object) -> None:
        desk.state.cancelled.set()  # the worker saves a checkpoint
        threading.Thread(target=_stop_when_quiet, args=(server, desk.state), daemon=True).start()

    signal.signal(signal.SIGTERM, stop)
    if orders.begun.exists():
        threading.Thread(target=desk.attempt.serve_again, daemon=True).start()
    order_book.say(f"podtune: attempt {orders.attempt} of {orders.job} listens on {orders.port}")
    server.serve_forever(poll_interval=0.2)
    return 0


def _stop_when_quiet(server: Server, state: PodState) -> None:
    while state.phase in ("checking", "training"):
        time.sleep(0.1)
    server.shutdown()


def _beat(state: PodState) -> None:
    while True:
        try:
            state.beat()
        except OSError as error:  # a full disk: the watchdog sees silence, and that is right
            order_book.say(f"podtune: no beat: {error.strerror}")
        time.sleep(state.orders.beat_interval_s)


if __name__ == "__main__":
    sys.exit(main())
