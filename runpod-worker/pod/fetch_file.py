"""One file of the Hub, fetched to its place: resumed, compared, and named only when it is whole.

The token goes to the Hub alone: a redirect to where large files lie is followed without it. Knows
nothing of models and volumes.
"""

import hashlib
import http.client
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from failure import FULL_DISK, Failure
from orders import LOOPBACK

BLOCK = 4 * 2**20
TIMEOUT_S = 60.0
"""For a connection, and for the next bytes."""

PAUSES_S = (1.0, 3.0, 9.0, 20.0, 30.0)
"""Between attempts that brought nothing new; one that brought something begins at the first again."""

AGENT = "podtune-pod/1"
PARTIAL = ".partial"
REDIRECTS = 5


class Wanted(NamedTuple):
    """A file as the Hub describes it."""

    path: str
    bytes: int
    sha256: str | None
    git_sha1: str | None

    def digest(self) -> Any:
        """A sum that begins as this file's does; None where the Hub says none."""
        if self.sha256:
            return hashlib.sha256()
        if self.git_sha1:
            return hashlib.sha1(b"blob %d\0" % self.bytes)  # noqa: S324 - git's own names
        return None

    def is_sum(self, digest: Any) -> bool:
        """Whether a sum of a whole file is this file's."""
        return digest is None or digest.hexdigest() == (self.sha256 or self.git_sha1)


class Source(NamedTuple):
    """Where files come from."""

    address: str
    """`https://hub/org/name/resolve/commit`."""
    token: str | None = None


class Broken(Exception):  # noqa: N818 - tried again
    """An attempt that failed and may be repeated."""


class Spoilt(Broken):
    """What came has another sum, and was thrown away."""


def is_there(file: Wanted, place: Path, moved: Callable[[], None] = lambda: None) -> bool:
    """Whether a file of that name is there with the same bytes; reads all of it."""
    try:
        if place.stat().st_size != file.bytes:
            return False
        digest = file.digest()
        if digest is not None:
            _feed(digest, place, moved)
    except OSError:
        return False
    return file.is_sum(digest)


def fetch(
    source: Source,
    file: Wanted,
    place: Path,
    *,
    told: Callable[[int], None] = lambda count: None,
    stop: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Bring a file to its place, going on with what an earlier attempt left.

    Args:
        source: The Hub.
        file: What it has to be.
        place: Where it belongs; its folder exists.
        told: Called with bytes that came (or, below 0, were thrown away).
        stop: Whether to leave off; what came is kept.
        sleep: Between attempts.

    Raises:
        Failure: `download_failed`, `hub_refused`, `integrity_mismatch`, `interrupted`.
        OSError: the disk is full, or cannot be written.
    """
    partial = place.with_name(place.name + PARTIAL)
    idle, spoilt = 0, 0
    while True:
        before = _size(partial)
        try:
            _attempt(source, file, partial, told, stop)
            break
        except Spoilt as error:
            spoilt += 1
            if spoilt > 1:
                raise Failure(
                    "integrity_mismatch", f"{file.path} came with another sum twice: {error}",
                    "run the command again; where it stays so, the Hub serves a damaged file",
                ) from error  # fmt: skip
        except Broken as error:
            idle = 0 if _size(partial) > before else idle + 1
            if idle > len(PAUSES_S):
                raise Failure(
                    "download_failed", f"{file.path} cannot be fetched: {error}",
                    "run the command again; it goes on where this left off",
                ) from error  # fmt: skip
            sleep(PAUSES_S[max(0, idle - 1)])
    partial.replace(place)


def _attempt(
    source: Source,
    file: Wanted,
    partial: Path,
    told: Callable[[int], None],
    stop: Callable[[], bool],
) -> None:
    have = _size(partial)
    if have > file.bytes:
        partial.unlink()
        told(-have)
        have = 0
    digest = file.digest()
    if have and digest is not None:
        _feed(digest, partial, lambda: None)
    if have < file.bytes or not partial.exists():
        try:
            _receive(source, file, partial, have, digest, told, stop)
        except OSError as error:
            # a full disk is told as it is; a broken connection is tried again
            if error.errno in FULL_DISK or not _is_network(error):
                raise
            raise Broken(_why(error)) from None
        except http.client.HTTPException as error:
            raise Broken(type(error).__name__) from None
    if not file.is_sum(digest):
        there = _size(partial)
        partial.unlink()
        told(-there)
        raise Spoilt("what came is not what the Hub names")


def _receive(
    source: Source,
    file: Wanted,
    partial: Path,
    have: int,
    digest: Any,
    told: Callable[[int], None],
    stop: Callable[[], bool],
) -> None:
    with _opened(source, file, have) as answer, partial.open("ab") as stream:
        if have and answer.status != 206:  # it begins anew: skip what is here
            _skip(answer, have)
        elif have and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
            raise Broken("another range than was asked for")
        while have < file.bytes:
            if stop():
                raise Failure("interrupted", "it was asked to stop", "run the command again")
            block = answer.read(min(BLOCK, file.bytes - have))
            if not block:
                raise Broken(f"the connection ended at {have} of {file.bytes} bytes")
            stream.write(block)
            have += len(block)
            if digest is not None:
                digest.update(block)
            told(len(block))


def _opened(source: Source, file: Wanted, have: int) -> Any:
    """The answer to a request for the rest of a file, behind its redirects."""
    hub = f"{source.address}/{urllib.parse.quote(file.path)}"
    url, own = hub, urllib.parse.urlsplit(hub)
    opener = urllib.request.build_opener(_NoRedirect)
    for _ in range(REDIRECTS + 1):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise Failure(
                "hub_refused", f"the Hub leads to an address that is not https: {file.path}"
            )
        request = urllib.request.Request(url, headers={"User-Agent": AGENT})  # noqa: S310 - as said
        if have:
            request.add_header("Range", f"bytes={have}-")
        if source.token and (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
            request.add_unredirected_header("Authorization", f"Bearer {source.token}")
        try:
            return opener.open(request, timeout=TIMEOUT_S)
        except urllib.error.HTTPError as error:
            with error:
                led = error.headers.get("Location")
                if error.code not in (301, 302, 303, 307, 308) or not led:
                    raise _refusal(error.code, file) from None
            url = urllib.parse.urljoin(url, led)
    raise Broken("redirects without an end")


def _refusal(status: int, file: Wanted) -> Exception:
    if status in (401, 403):
        return Failure(
            "hub_refused", f"the Hub refuses {file.path} (HTTP {status})",
            "accept the model's licence on its page, and set PODTUNE_POD_HF_TOKEN to a "
            "fine-grained token that may read it",
        )  # fmt: skip
    if status == 404:
        return Failure("hub_refused", f"the Hub has no {file.path} at this commit")
    return Broken(f"HTTP {status}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None


def _skip(answer: Any, count: int) -> None:
    while count:
        block = answer.read(min(BLOCK, count))
        if not block:
            raise Broken("the connection ended")
        count -= len(block)


def _feed(digest: Any, path: Path, moved: Callable[[], None]) -> None:
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            moved()


def _is_network(error: OSError) -> bool:
    kinds = (urllib.error.URLError, ConnectionError, TimeoutError, socket.gaierror)
    return isinstance(error, kinds) or "ssl" in type(error).__module__


def _why(error: OSError) -> str:
    reason = getattr(error, "reason", error)
    return f"{type(reason).__name__}: {str(reason)[:120]}"


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
