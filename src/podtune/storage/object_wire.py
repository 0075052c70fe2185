"""HTTP with a store of objects: small questions, files sent and files received, in bounded time.

Redirects are not followed, nothing is held in memory but a block, and an error names the host and
never more of an address: a signed one is a secret. Knows nothing of any store's own words.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, cast
from urllib.parse import urlsplit

from podtune import __version__
from podtune.core.clock import Monotonic, Sleep, monotonic, sleep
from podtune.core.errors import ArtifactError, UnavailableError

if TYPE_CHECKING:
    import httpx2

OnProgress = Callable[[int, int | None], None]
"""Called with bytes done and bytes in all, None while nobody knows."""

CONNECT_S: Final = 10.0
READ_S: Final = 60.0
"""For the next bytes, not for the whole; stores answer a large PUT only once it is stored."""

SLOWEST_BYTES_PER_S: Final = 64 * 1024
"""A transfer slower than this on the whole is given up: 200 MB may take 52 minutes."""

LEAST_S: Final = 120.0
"""What even the smallest transfer may take."""

PAUSES_S: Final = (1.0, 3.0, 9.0)
"""Between attempts, where the store did not answer as it should."""

KEPT_FREE: Final = 1024**3
"""Bytes of this machine's disk that no fetch takes."""

MAX_ANSWER: Final = 8 * 1024 * 1024
"""Of an answer that is read into memory."""

_BLOCK: Final = 256 * 1024
_PASSING: Final = frozenset((408, 425, 429, 500, 502, 503, 504))


class Answer(NamedTuple):
    """What a store said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def ok(self) -> bool:
        """Whether it did what was asked."""
        return 200 <= self.status < 300

    def fields(self) -> Mapping[str, object]:
        """The JSON object of the body; empty when it is none."""
        try:
            value: object = json.loads(self.body)
        except ValueError:
            return {}
        return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


class Received(NamedTuple):
    """A file that came, or the answer why not."""

    answer: Answer
    sha256: str
    size_bytes: int


class _PartReceivedError(Exception):
    """The body ended before it should."""


class ObjectWire:
    """Speaks HTTP with one service."""

    def __init__(
        self,
        service: str,
        *,
        transport: "httpx2.BaseTransport | None" = None,
        clock: Monotonic = monotonic,
        sleep: Sleep = sleep,
    ) -> None:
        """`service` is its name in errors; `transport` takes the network's place."""
        self._service, self._transport = service, transport
        self._clock, self._sleep = clock, sleep

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        again: bool = True,
    ) -> Answer:
        """Send a small request and read its answer.

        Args:
            method: Of HTTP.
            url: May be signed.
            headers: Beside the User-Agent.
            content: The body.
            again: Whether the same request may be sent twice.

        Raises:
            UnavailableError: no answer, or none but "later".
        """
        return self._patiently(
            url, lambda: self._once(method, url, dict(headers or {}), content, READ_S), again=again
        )

    def ask_json(
        self,
        method: str,
        url: str,
        value: object,
        headers: Mapping[str, str] | None = None,
        *,
        again: bool = True,
    ) -> Answer:
        """As `ask`, with a JSON body."""
        stated = {**(headers or {}), "Content-Type": "application/json"}
        return self.ask(
            method, url, headers=stated, content=json.dumps(value).encode(), again=again
        )

    def send(
        self,
        url: str,
        file: Path,
        *,
        method: str = "PUT",
        headers: Mapping[str, str] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Answer:
        """Send a file as a body; begins anew where the connection breaks.

        Raises:
            UnavailableError: as `ask`, or too slow on the whole.
        """
        size = file.stat().st_size
        limit_s = transfer_limit_s(size)
        stated = {**(headers or {}), "Content-Length": str(size)}

        def attempt() -> Answer:
            body = self._blocks(url, file, self._clock() + limit_s, on_progress)
            return self._once(method, url, stated, body, max(READ_S, limit_s / 4))

        return self._patiently(url, attempt, again=True)

    def receive(
        self,
        url: str,
        target: Path | None,
        *,
        headers: Mapping[str, str] | None = None,
        on_progress: OnProgress | None = None,
    ) -> Received:
        """Receive a body into a file (or only its sum, without one); begins anew where it breaks.

        Raises:
            UnavailableError: as `ask`, or too slow on the whole.
            ArtifactError: the file cannot be written.
        """
        got: list[Received] = []

        def attempt() -> Answer:
            got[:] = [self._into(url, target, dict(headers or {}), on_progress)]
            return got[0].answer

        try:
            answer = self._patiently(url, attempt, again=True)
        except OSError as error:
            raise ArtifactError(
                f"{str(target)!r} cannot be written: {error.strerror or error}",
                code="copy_failed",
                hint="free some space, or name a folder you may write to",
            ) from error
        return got[0]._replace(answer=answer)

    def _into(
        self,
        url: str,
        target: Path | None,
        headers: dict[str, str],
        on_progress: OnProgress | None,
    ) -> Received:
        stated = {**headers, "Accept-Encoding": "identity"}
        digest, done = hashlib.sha256(), 0
        with self._client(READ_S) as client, client.stream("GET", url, headers=stated) as response:
            answer = Answer(response.status_code, _lower(response.headers), b"")
            if not answer.ok:
                body = b"".join(_bounded(response.iter_raw(), MAX_ANSWER))
                return Received(answer._replace(body=body), "", 0)
            size = int(response.headers.get("content-length") or -1)
            until = self._clock() + transfer_limit_s(max(size, 0))
            with _opened(target) as stream:
                _refuse_full(target, size)
                for block in response.iter_raw(_BLOCK):
                    digest.update(block)
                    done += len(block)
                    if stream is not None:
                        stream.write(block)
                    if on_progress:
                        on_progress(done, size if size >= 0 else None)
                    self._refuse_late(url, until)
            if size >= 0 and done != size:
                raise _PartReceivedError
        return Received(answer, digest.hexdigest(), done)

    def _once(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        content: bytes | Generator[bytes] | None,
        read_s: float,
    ) -> Answer:
        with (
            self._client(read_s) as client,
            client.stream(method, url, headers=headers, content=content) as response,
        ):
            body = b"".join(_bounded(response.iter_bytes(), MAX_ANSWER))
            return Answer(response.status_code, _lower(response.headers), body)

    def _client(self, read_s: float) -> "httpx2.Client":
        import httpx2

        return httpx2.Client(
            headers={"User-Agent": f"podtune/{__version__}"},
            timeout=httpx2.Timeout(read_s, connect=CONNECT_S),
            transport=self._transport,
            follow_redirects=False,
        )

    def _patiently(self, url: str, work: Callable[[], Answer], *, again: bool) -> Answer:
        """Do the work until the store answers as it should or no attempt is left."""
        import httpx2

        pauses = list(PAUSES_S) if again else []
        while True:
            try:
                answer = work()
                if answer.status not in _PASSING:
                    return answer
                why = f"HTTP {answer.status}"
            except (httpx2.TransportError, _PartReceivedError) as error:
                why = type(error).__name__.strip("_")
            if not pauses:
                raise self._unreachable(url, why)
            self._sleep(pauses.pop(0))

    def _blocks(
        self, url: str, file: Path, until: float, on_progress: OnProgress | None
    ) -> Generator[bytes]:
        done, size = 0, file.stat().st_size
        with file.open("rb") as stream:
            while block := stream.read(_BLOCK):
                yield block
                done += len(block)
                if on_progress:
                    on_progress(done, size)
                self._refuse_late(url, until)

    def _refuse_late(self, url: str, until: float) -> None:
        if self._clock() > until:
            raise self._unreachable(url, "too slow")

    def _unreachable(self, url: str, why: str) -> UnavailableError:
        host = urlsplit(url).netloc.rpartition("@")[2]
        at = f" at {host}" if host else ""
        return UnavailableError(
            f"{self._service}{at} does not answer as it should ({why})",
            code="store_unavailable",
            hint="check the network and its address, and try again",
        )


def transfer_limit_s(size: int) -> float:
    """Seconds that a transfer of so many bytes may take."""
    return LEAST_S + size / SLOWEST_BYTES_PER_S


def _lower(headers: "httpx2.Headers") -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _bounded(blocks: Iterator[bytes], most: int) -> Generator[bytes]:
    """The first `most` bytes: nothing that a store says in words is longer."""
    done = 0
    for block in blocks:
        done += len(block)
        if done > most:
            return
        yield block


def _refuse_full(target: Path | None, size: int) -> None:
    """Refuse what would fill this machine's disk: a rented machine says how large its archive is.

    Raises:
        UnavailableError: room can be made, and it is asked for again.
    """
    if target is None or size <= 0:
        return
    free = shutil.disk_usage(target).free
    if size > free - KEPT_FREE:
        raise UnavailableError(
            f"{target.name!r} has {size:,} bytes, this machine's disk {free:,} free",
            code="disk_full",
            hint="free some space; `podtune doctor` shows how much there is",
        )


def _opened(target: Path | None) -> AbstractContextManager[IO[bytes] | None]:
    """A file for writing, or None for none."""
    if target is None:
        return nullcontext()
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.open("wb")
