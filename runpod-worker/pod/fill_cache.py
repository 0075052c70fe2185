"""Fills a folder of a network volume with a model: fetched, compared, sealed.

The seal, `complete.json`, is written last and taken away first, so that whoever finds it may trust what lies
beside it. Files that are there already are compared and kept; a file that broke off goes on where it was. The
messages: `podtune/core/cache_filling.py`.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import fetch_file
import orders as order_book
from failure import FULL_DISK, Failure
from fetch_file import Source, Wanted
from lifetime import Lifetime
from orders import LOOPBACK, SECRETS, SHA256, Orders, Refused
from state import PodState

SEAL = "complete.json"
VERSION = 1
MOST_FILES = 1000
LANES = 4
"""Files under way at once: one connection to the Hub's store does not fill a machine's line."""

HOLD_S = 120.0
"""How long a machine that is done waits for somebody to read its last word, before it ends itself."""

COMMIT = re.compile(r"[0-9a-f]{40}")
FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?")
PART = r"[A-Za-z0-9_+-][A-Za-z0-9._+-]*"
PATH = re.compile(rf"{PART}(/{PART}){{0,4}}")


class FillOrder(NamedTuple):
    """What was asked for; its secrets are never written anywhere."""

    model: str
    commit: str
    folder: str
    source: Source
    files: tuple[Wanted, ...]

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files)

    def seal(self) -> dict[str, Any]:
        """What the seal says, its moment apart."""
        files = [
            {"path": f.path, "bytes": f.bytes, "sha256": f.sha256, "git_sha1": f.git_sha1}
            for f in self.files
        ]
        return {
            "version": VERSION, "model": self.model, "commit": self.commit, "bytes": self.total,
            "files": files,
        }  # fmt: skip


def read(body: bytes, orders: Orders) -> FillOrder:
    """Read an order for this machine.

    Raises:
        Refused: 400 where it is malformed, 409 where another machine is meant.
    """
    try:
        said = json.loads(body)
        if said["version"] != VERSION:
            raise Refused(400, "this version of the order is not known here")
        if (said["job"], said["attempt"]) != (orders.job, orders.attempt):
            raise Refused(409, f"this machine is for {orders.job}", kind="another")
        secrets = dict(said.get("secrets") or {})
        if not SECRETS.issuperset(secrets) or not all(isinstance(v, str) for v in secrets.values()):
            raise Refused(400, f"secrets may be {', '.join(sorted(SECRETS))} only")
        model, commit, folder = said["model"], said["commit"], said["folder"]
        if not (MODEL.fullmatch(model) and COMMIT.fullmatch(commit) and FOLDER.fullmatch(folder)):
            raise Refused(400, "model, commit or folder is no such name")
        files = tuple(_file(one) for one in said["files"])
        if not 0 < len(files) <= MOST_FILES or len({f.path for f in files}) != len(files):
            raise Refused(400, "the files are none, too many, or named twice")
        address = f"{_hub(said['hub'])}/{model}/resolve/{commit}"
        return FillOrder(model, commit, folder, Source(address, secrets.get("HF_TOKEN")), files)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(400, f"the order cannot be read: {type(error).__name__}") from None


def _file(said: dict[str, Any]) -> Wanted:
    path, size, sha256 = said["path"], said["bytes"], said.get("sha256")
    git = said.get("git_sha1")
    good = PATH.fullmatch(path) and path != SEAL and isinstance(size, int) and size >= 0
    if not good or (sha256 and not SHA256.fullmatch(sha256)) or (git and not COMMIT.fullmatch(git)):
        raise Refused(400, "a file has no proper path, size or sum")
    return Wanted(path, size, sha256, git)


def _hub(url: str) -> str:
    parts = urlsplit(url)
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not parts.hostname or parts.username or not (parts.scheme == "https" or plain):
        raise Refused(400, "the Hub's address is not https")
    return url.rstrip("/")


class CacheFill:
    """One filling; runs in a thread of its own, once."""

    def __init__(
        self,
        state: PodState,
        lifetime: Lifetime | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        hold_s: float = HOLD_S,
    ) -> None:
        """Nothing runs yet."""
        self._state, self._lifetime = state, lifetime or Lifetime(state.orders)
        self._sleep, self._hold_s = sleep, hold_s
        self._order: FillOrder | None = None
        self._lock = threading.Lock()
        self._halt = threading.Event()
        self._progress: dict[str, Any] = {}
        self._thread = threading.Thread(target=self.run, name="fill", daemon=True)

    def accept(self, body: bytes) -> None:
        """Take an order and begin; the same again is success.

        Raises:
            Refused: 400, 409.
        """
        order = read(body, self._state.orders)
        with self._state.lock:
            if self._order is not None:
                if self._order != order:
                    raise Refused(409, "this machine fills another folder already", kind="begun")
                return
            if self._state.phase != "waiting" or self._state.cancelled.is_set():
                raise Refused(409, "this machine has other work", kind="begun")
            self._order = order
            self._progress = {
                "done_bytes": 0, "total_bytes": order.total, "done_files": 0, "fetched_bytes": 0,
                "sealed": False, "error": None,
            }  # fmt: skip
            (self._state.orders.watch / "handed-over").touch()
            self._state.enter("receiving", f"{order.model}, {len(order.files)} files")
            self._thread.start()

    def status(self) -> dict[str, Any]:
        """For `GET /status`: nothing where this machine does other work."""
        with self._lock:
            return {"fill": dict(self._progress)} if self._progress else {}

    @property
    def is_busy(self) -> bool:
        """Whether it was begun: a cancel is for it then."""
        return self._order is not None

    def run(self) -> None:
        """The whole way. Never raises: the machine would be left without a word."""
        order = self._order
        if order is None:
            return
        try:
            self._fill(order)
        except Failure as error:
            self._failed(error)
        except OSError as error:
            self._failed(_of_disk(error))
        except Exception as error:  # noqa: BLE001 - its last word is a typed failure
            self._failed(
                Failure("pod_failed", f"the machine's program failed: {type(error).__name__}")
            )
        self._state.released.wait(self._hold_s)
        if not self._state.released.is_set():
            self._state.end("the filling is over, and nobody asked for more")

    def _fill(self, order: FillOrder) -> None:
        folder = self._state.orders.workspace / "models" / order.folder
        folder.mkdir(parents=True, exist_ok=True)
        sealed = _sealed(folder)
        if sealed is not None and sealed.get("model") != order.model:
            raise Failure(
                "folder_taken",
                f"models/{order.folder} of the volume holds {str(sealed.get('model'))[:120]}",
                "take another volume: --volume or --name",
            )
        if _says(sealed, order) and all(_has_size(folder, file) for file in order.files):
            self._tell(done_bytes=order.total, done_files=len(order.files), sealed=True)
            self._state.enter("finished", "the seal says that everything is there")
            return
        (folder / SEAL).unlink(missing_ok=True)
        self._bring(order, folder)
        self._state.enter("checking", "the seal")
        moment = datetime.now(timezone.utc).isoformat(timespec="seconds")  # noqa: UP017 - Python 3.10
        order_book.write(folder / SEAL, json.dumps({**order.seal(), "sealed_at": moment}, indent=1))
        self._tell(sealed=True)
        self._state.enter("finished", f"{order.model} is whole")

    def _bring(self, order: FillOrder, folder: Path) -> None:
        """Every file, several at a time; the first that fails stops the others."""
        with ThreadPoolExecutor(LANES, thread_name_prefix="lane") as lanes:
            work = [lanes.submit(self._one, order, file, folder) for file in order.files]
            done, _ = wait(work, return_when=FIRST_EXCEPTION)
            problems = [one.exception() for one in done if one.exception()]
            if problems:
                self._halt.set()
                for one in work:
                    one.cancel()
        for problem in problems:
            if problem is not None:
                raise problem

    def _one(self, order: FillOrder, file: Wanted, folder: Path) -> None:
        self._refuse_stopped()
        place = folder / file.path
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = place.with_name(place.name + fetch_file.PARTIAL)
        if fetch_file.is_there(file, place, self._state.moved):
            self._came(file.bytes, fetched=0)
        else:
            if partial.is_file():
                self._came(partial.stat().st_size, fetched=0)
            fetch_file.fetch(
                order.source, file, place, told=self._came, stop=self._is_stopped, sleep=self._pause
            )
        with self._lock:
            self._progress["done_files"] += 1

    def _came(self, count: int, fetched: int | None = None) -> None:
        self._state.moved()
        with self._lock:
            self._progress["done_bytes"] = max(0, self._progress["done_bytes"] + count)
            self._progress["fetched_bytes"] += max(0, count if fetched is None else fetched)

    def _tell(self, **facts: Any) -> None:
        with self._lock:
            self._progress.update(facts)

    def _is_stopped(self) -> bool:
        return self._halt.is_set() or self._state.cancelled.is_set() or self._lifetime.left_s() <= 0

    def _pause(self, seconds: float) -> None:
        self._refuse_stopped()
        self._sleep(seconds)

    def _refuse_stopped(self) -> None:
        if self._is_stopped():
            raise Failure("interrupted", "it was asked to stop", "run the command again")

    def _failed(self, error: Failure) -> None:
        order_book.say(f"podtune: {error.code}: {error.message}")
        said = {"code": error.code, "message": error.message, "advice": error.advice}
        self._tell(error=said)
        self._state.enter("failed", f"{error.code}: {error.message}")


def _sealed(folder: Path) -> dict[str, Any] | None:
    try:
        said = json.loads((folder / SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _says(sealed: dict[str, Any] | None, order: FillOrder) -> bool:
    """Whether a seal is of exactly this order."""
    return (
        sealed is not None and {k: v for k, v in sealed.items() if k != "sealed_at"} == order.seal()
    )


def _has_size(folder: Path, file: Wanted) -> bool:
    try:
        return (folder / file.path).stat().st_size == file.bytes
    except OSError:
        return False


def _of_disk(error: OSError) -> Failure:
    if error.errno in FULL_DISK:
        return Failure("disk_full", "the network volume is full", "make it larger: --size GB")
    return Failure("pod_failed", f"the machine's program failed: {error.strerror or error}")
