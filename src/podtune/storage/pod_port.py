"""The direct channel to a rented machine: hand over, send the bundle, follow, fetch.

Every verb may be called again and goes on from where the last call ended, on this side or on the
other. A machine that does not answer yet is an `UnavailableError`: ask again later.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from podtune.core.cache_filling import FillOrder, FillStatus
from podtune.core.clock import Monotonic, Sleep, monotonic, sleep
from podtune.core.errors import ArtifactError, ConflictError, ProviderError, UnavailableError
from podtune.core.handover import (
    HandOver,
    NamedAddress,
    PodStatus,
    Received,
    RemoteCheckpoint,
    RemoteFile,
    RemoteFiles,
)
from podtune.storage import pod_files
from podtune.storage.pod_files import Pace, safe_name
from podtune.storage.pod_wire import PodWire

if TYPE_CHECKING:
    import httpx2

_BLOCK: Final = 256 * 1024

OnProgress = Callable[[int, int], None]
"""Called with bytes done and bytes in all."""

_Model = TypeVar("_Model", bound=BaseModel)


class Tail(NamedTuple):
    """What a growing file of the machine holds from a byte on."""

    block: bytes
    total: int
    """The file's size."""


class PodPort:
    """One machine's port; not for several threads at once."""

    def __init__(
        self,
        url: str,
        token: SecretStr,
        *,
        transport: "httpx2.BaseTransport | None" = None,
        clock: Monotonic = monotonic,
        sleep: Sleep = sleep,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: Of the port, as the provider gives it; https, or this machine itself.
            token: The job's.
            transport: Takes the network's place.
            clock: Monotonic seconds.
            sleep: Between tries.
        """
        self._wire = PodWire(url, token, transport=transport, clock=clock)
        self._clock, self._pace = clock, Pace(clock, sleep)

    def __enter__(self) -> "PodPort":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections."""
        self._wire.close()

    def status(self) -> PodStatus:
        """Where the machine stands.

        Raises:
            UnavailableError: nobody answers there yet.
        """
        return self._read("status", PodStatus)

    def hand_over(self, message: HandOver) -> None:
        """Give the machine its work; the same again is success until the attempt begins.

        Raises:
            ConflictError: `pod_begun`: adopt it and follow; `pod_another`: it is not this job's.
            UnavailableError: nobody answers there yet.
        """
        self._wire.ask("POST", "hand-over", content=message.model_dump_json().encode())

    def fill(self, order: FillOrder) -> None:
        """Have the machine fill a network volume; the same again is success.

        Raises:
            ConflictError: it has other work, or is another run's.
            UnavailableError: nobody answers there yet.
        """
        self._wire.ask("POST", "fill", content=order.model_dump_json().encode())

    def fill_status(self) -> FillStatus:
        """Where a machine that fills a volume stands.

        Raises:
            UnavailableError: nobody answers there yet.
        """
        return self._read("status", FillStatus)

    def received(self) -> Received:
        """How much of the bundle is there."""
        return self._read("bundle", Received)

    def send_bundle(
        self, path: Path, *, within_s: float, on_progress: OnProgress | None = None
    ) -> bool:
        """Send the bundle, or go on with it.

        Args:
            path: The bundle that was announced.
            within_s: About how long this call may take; it ends after the piece in hand.
            on_progress: Told after every piece.

        Returns:
            Whether all of it is there; False when the time was not enough.

        Raises:
            ArtifactError: the machine received another file twice.
            UnavailableError: nobody answers.
            ConflictError: no bundle is awaited (work began, or nothing was handed over).
        """
        until = self._clock() + within_s
        size, at, again = path.stat().st_size, self.received().received, False
        with path.open("rb") as stream:
            while at < size:
                if self._clock() >= until:
                    return False
                try:
                    at = self._send_piece(stream, at, min(self._pace.chunk, size - at))
                except ArtifactError:
                    if again:
                        raise
                    again, at = True, 0
                if on_progress:
                    on_progress(at, size)
        return True

    def _send_piece(self, stream: "BinaryFile", at: int, length: int) -> int:
        """Send one piece; gives the byte to go on from."""
        began = self._clock()
        try:
            answer = self._wire.ask(
                "PUT",
                f"bundle?offset={at}",
                content=self._wire.in_time(_blocks(stream, at, length)),
                headers={"Content-Length": str(length)},
            )
        except ConflictError as error:
            here = error.context.get("received")
            if not isinstance(here, int) or here == at:
                raise
            return here
        except UnavailableError as error:
            self._pace.failed(error)
            return self.received().received
        self._pace.went(length, self._clock() - began)
        return _parsed(answer.body, Received).received

    def events(self, after: int) -> Tail:
        """The worker's events from a byte on; at most 4 MiB."""
        return self._tail("events", after)

    def log(self, after: int) -> Tail:
        """The worker's log from a byte on; at most 4 MiB."""
        return self._tail("log", after)

    def files(self) -> tuple[RemoteFile, ...]:
        """The artifact's files, once it is finished; none before."""
        return self._read("files", RemoteFiles).files

    def checkpoints(self) -> tuple[RemoteCheckpoint, ...]:
        """Sealed checkpoints, the newest first."""
        body = self._wire.ask("GET", "checkpoints").body
        try:
            return _CHECKPOINTS.validate_json(body)
        except ValidationError as error:
            raise _unreadable("checkpoints") from error

    def fetch_files(
        self,
        folder: Path,
        files: Sequence[RemoteFile],
        *,
        checkpoint: str | None = None,
        within_s: float = 600.0,
        on_progress: OnProgress | None = None,
    ) -> bool:
        """Fetch files below a folder; those that are there with their sum are not fetched again.

        Args:
            folder: Where they go, under their own names.
            files: As the machine listed them.
            checkpoint: Of which checkpoint they are; of the artifact when not given.
            within_s: About how long this call may take.
            on_progress: Told after every piece.

        Returns:
            Whether all of them are there; False when the time was not enough.

        Raises:
            ArtifactError: a name that leads elsewhere, or a sum that differs.
            UnavailableError: nobody answers.
        """
        until = self._clock() + within_s
        done, total = 0, pod_files.refuse_flood(files)
        for file in files:
            target = folder / safe_name(file.name)
            for at in pod_files.fetch(self._wire, self._pace, file, target, checkpoint):
                if on_progress:
                    on_progress(done + at, total)
                if self._clock() >= until and at < file.bytes:
                    return False
            done += file.bytes
        return True

    def fetch(self, file: RemoteFile, target: Path, *, checkpoint: str | None = None) -> Path:
        """Fetch one file: the whole of it, verified, or nothing under its name."""
        for _ in pod_files.fetch(self._wire, self._pace, file, target, checkpoint):
            pass
        return target

    def renew(self, address: NamedAddress) -> None:
        """Give the machine a fresh address to deliver to."""
        self._wire.ask("PUT", "address", content=address.model_dump_json().encode())

    def cancel(self) -> None:
        """Ask the worker to stop; it saves a checkpoint first."""
        self._wire.ask("POST", "cancel", content=b"")

    def release(self) -> None:
        """Say that everything was picked up: the machine may end itself.

        Raises:
            ConflictError: `pod_busy`: something still runs.
        """
        self._wire.ask("POST", "release", content=b"")

    def _tail(self, name: str, after: int) -> Tail:
        answer = self._wire.ask("GET", f"{name}?after={after}")
        total = answer.headers.get("x-total", "")
        return Tail(answer.body, int(total) if total.isdecimal() else after + len(answer.body))

    def _read(self, path: str, kind: type[_Model]) -> _Model:
        return _parsed(self._wire.ask("GET", path).body, kind)


if TYPE_CHECKING:
    from typing import IO

    BinaryFile = IO[bytes]

_CHECKPOINTS: Final = TypeAdapter(tuple[RemoteCheckpoint, ...])


def _blocks(stream: "BinaryFile", at: int, length: int) -> Iterator[bytes]:
    stream.seek(at)
    while length and (block := stream.read(min(length, _BLOCK))):
        length -= len(block)
        yield block


def _parsed(body: bytes, kind: type[_Model]) -> _Model:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise _unreadable(kind.__name__) from error


def _unreadable(what: str) -> ProviderError:
    return ProviderError(f"the machine's {what} cannot be read", code="pod_answer")
