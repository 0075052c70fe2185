"""Large files of a model into huggingface_hub's cache, however often the connection breaks.

A file grows beside its final place as `<etag>.partial` and is continued by range, in this call or
in one after a crash; huggingface_hub's own client begins a file anew after each. Whole and with the
sum the Hub names, it gets the name under which that client looks for it. Refuses nothing itself:
what is worth another attempt is said by the caller.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from filelock import FileLock

from podtune.core import clock

PAUSES_S: Final = (1.0, 2.0, 4.0, 8.0)
"""Between attempts that brought nothing; one that brought bytes begins the row again."""

AT_ONCE: Final = 8
"""Files at a time; as huggingface_hub does."""

TIMEOUT_S: Final = 30.0
"""For the next bytes, not for the file."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class TruncatedError(OSError):
    """The connection ended before the file did, or the file is not what the Hub says."""


class Patience(NamedTuple):
    """How often something is tried again."""

    transient: Callable[[Exception], bool]
    """Whether another attempt may help."""
    pauses_s: tuple[float, ...] = PAUSES_S
    sleep: clock.Sleep = clock.sleep

    def call(self, work: Callable[[], Any], progress: Callable[[], int] = lambda: 0) -> Any:
        """Do the work until it succeeds.

        Args:
            work: May raise; what it achieved so far must not be lost by that.
            progress: A number that grows with what was achieved.

        Raises:
            Exception: the work's own, when it is not transient or no attempt is left.
        """
        left = list(self.pauses_s)
        while True:
            before = progress()
            try:
                return work()
            except Exception as error:
                if progress() > before:
                    left = list(self.pauses_s)
                if not left or not self.transient(error):
                    raise
            self.sleep(left.pop(0))


class Counter:
    """Bytes of all files together; told as they come."""

    def __init__(self, total: int, on_bytes: Callable[[float, float], None]) -> None:
        """`on_bytes` gets bytes done and bytes in all."""
        self._total, self._on_bytes = total, on_bytes
        self._done: dict[str, int] = {}
        self._lock = threading.Lock()

    def tell(self, file: str, done: int) -> None:
        """So much of a file is here."""
        with self._lock:
            self._done[file] = done
            self._on_bytes(sum(self._done.values()), self._total)


def complete(
    name: str,
    commit: str,
    files: Iterable[tuple[str, int]],
    on_bytes: Callable[[float, float], None],
    patience: Patience,
) -> None:
    """Bring files of a model's commit into the cache, several at a time.

    Args:
        name: `org/name`.
        commit: 40 hex digits.
        files: Path and size of each.
        on_bytes: Called with bytes done and bytes in all.
        patience: When an attempt fails.

    Raises:
        Exception: of huggingface_hub and its HTTP client, or of the disk.
    """
    wanted = list(files)
    counter = Counter(sum(size for _, size in wanted), on_bytes)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tasks = [
            pool.submit(_one, name, commit, path, size, counter, patience) for path, size in wanted
        ]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one(
    name: str, commit: str, path: str, size: int, counter: Counter, patience: Patience
) -> None:
    hf, utils, place = _client()
    folder = Path(place.constants.HF_HUB_CACHE) / place.repo_folder_name(
        repo_id=name, repo_type="model"
    )
    if (folder / "snapshots" / commit / path).exists():
        counter.tell(path, size)
        return
    url = hf.hf_hub_url(name, path, revision=commit)
    headers: dict[str, str] = utils.build_hf_headers()
    etag: str = patience.call(lambda: hf.get_hf_file_metadata(url, headers=headers)).etag
    blob = folder / "blobs" / etag
    partial = blob.with_name(f"{etag}.partial")
    blob.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{partial}.lock"):
        if not blob.exists():

            def work() -> None:
                _go_on(url, headers, partial, size, lambda done: counter.tell(path, done))
                _refuse_other(partial, etag)

            patience.call(work, lambda: _size(partial))
            partial.replace(blob)
    Path(f"{partial}.lock").unlink(missing_ok=True)
    counter.tell(path, size)


def _go_on(
    url: str, headers: dict[str, str], partial: Path, size: int, tell: Callable[[int], None]
) -> None:
    """Add what is missing, from the byte after the last one that is here."""
    have = _size(partial)
    if have == size and partial.exists():
        return
    if have > size:
        partial.unlink()
        have = 0
    asked = {**headers, "Accept-Encoding": "identity"}
    if have:
        asked["Range"] = f"bytes={have}-"
    _, utils, _ = _client()
    with utils.get_session().stream(
        "GET", url, headers=asked, follow_redirects=True, timeout=TIMEOUT_S
    ) as response:
        utils.hf_raise_for_status(response)
        goes_on = response.status_code == 206
        if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise TruncatedError(f"{url} answers another range than was asked for")
        with partial.open("ab" if goes_on else "wb") as stream:
            for chunk in response.iter_bytes():  # as it comes: nothing waits to fill a block
                stream.write(chunk)
                tell(stream.tell())
    if _size(partial) != size:
        raise TruncatedError(f"{_size(partial)} of {size} bytes came")


def _refuse_other(partial: Path, etag: str) -> None:
    """Compare with the sum: the Hub's etag of a large file is its sha256.

    Raises:
        TruncatedError: it differs; what came is thrown away.
    """
    if not _SHA256.fullmatch(etag):
        return
    with partial.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != etag:
        partial.unlink()
        raise TruncatedError(f"what came is not the file the Hub names (sha256 {etag[:12]})")


def _client() -> tuple[Any, Any, Any]:
    """The Hub library and two of its modules, imported when first needed."""
    import huggingface_hub
    from huggingface_hub import file_download, utils

    return huggingface_hub, utils, file_download


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
