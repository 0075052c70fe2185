"""Files of a rented machine, fetched piece by piece: whole and verified, or not under their name.

The pieces follow the line: small ones on a slow line, so that each takes far less time than the
vendor's proxy allows a request. What a machine says of its files is data from elsewhere.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import quote

from podtune.core.clock import Monotonic, Sleep, monotonic, sleep
from podtune.core.errors import ArtifactError, UnavailableError
from podtune.core.handover import CHUNK_BYTES, RemoteFile
from podtune.storage.artifact_folder import sha256_file
from podtune.storage.object_wire import KEPT_FREE
from podtune.storage.pod_wire import PodWire

FIRST_CHUNK: Final = 2**20
WANTED_CHUNK_S: Final = 15.0
"""What one piece should take: far under the proxy's 100 s, so that a slow minute ends nothing."""

MAX_BYTES: Final = 256 * 1024**3
"""Of all files of one fetch; a rank-1,024 adapter of a 70 B model is about 50 GB, its checkpoint with
the optimiser's state four times that at most."""

MAX_FILES: Final = 1_000
"""More are no adapter (`archive.MAX_FILES`)."""

TRIES: Final = 4
"""Of one piece, within one call."""

PAUSE_S: Final = 1.0
"""Before a piece is tried again, times the number of tries."""


class Pace:
    """How long the next piece may be, and how often the last ones failed."""

    def __init__(
        self,
        clock: Monotonic = monotonic,
        sleep: Sleep = sleep,
    ) -> None:
        """Begins with a small piece."""
        self.clock, self._sleep = clock, sleep
        self.chunk = FIRST_CHUNK
        self._failed = 0

    def went(self, length: int, took_s: float) -> None:
        """A piece arrived: the next is as long as fits into `WANTED_CHUNK_S`, twice this at most."""
        self._failed = 0
        fits = length * WANTED_CHUNK_S / max(took_s, 0.001)
        wanted = min(fits, 2 * max(length, FIRST_CHUNK), CHUNK_BYTES)
        self.chunk = max(FIRST_CHUNK, int(wanted))

    def failed(self, error: UnavailableError) -> None:
        """A piece did not arrive: wait a little, or raise after too many in a row."""
        self._failed += 1
        self.chunk = max(FIRST_CHUNK, self.chunk // 4)
        if self._failed >= TRIES:
            self._failed = 0
            raise error
        self._sleep(PAUSE_S * self._failed)


def fetch(
    wire: PodWire, pace: Pace, file: RemoteFile, target: Path, checkpoint: str | None
) -> Iterator[int]:
    """Fetch a file piece by piece; yields the bytes that are here.

    Args:
        wire: The machine's port.
        pace: Of its line.
        file: As the machine listed it.
        target: The file's path here; one that is there with its sum is not fetched again.
        checkpoint: Of which checkpoint it is; of the artifact when None.

    Raises:
        ArtifactError: other bytes than were listed.
        UnavailableError: nobody answers, or (`disk_full`) there is no room here.
    """
    if target.is_file() and sha256_file(target) == file.sha256:
        return
    refuse_flood([file])
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    if part.exists() and part.stat().st_size > file.bytes:
        part.unlink()
    part.touch()
    at = part.stat().st_size
    free = shutil.disk_usage(target.parent).free
    if at < file.bytes and file.bytes - at > free - KEPT_FREE:
        raise UnavailableError(  # room can be made while the machine is there
            f"{file.name!r} has {file.bytes:,} bytes, this machine's disk {free:,} free",
            code="disk_full",
            hint="free some space; `podtune doctor` shows how much there is",
        )
    while at < file.bytes:
        at = _fetch_piece(wire, pace, file, part, checkpoint)
        yield at
    if sha256_file(part) != file.sha256:
        part.unlink()
        raise ArtifactError(
            f"the checksum of {file.name!r} differs from what the machine said",
            code="integrity_mismatch",
            hint="it is fetched again by itself while the machine is there",
        )
    part.replace(target)


def _fetch_piece(
    wire: PodWire, pace: Pace, file: RemoteFile, part: Path, checkpoint: str | None
) -> int:
    at = part.stat().st_size
    length = min(pace.chunk, file.bytes - at)
    place = f"checkpoints/{checkpoint}" if checkpoint else "files"
    path = f"{place}/{quote(file.name, safe='/')}"
    began = pace.clock()
    span = {"Range": f"bytes={at}-{at + length - 1}"}
    try:
        with wire.stream("GET", path, headers=span) as answer, part.open("ab") as stream:
            for block in wire.blocks(answer):
                if stream.tell() + len(block) > at + length:
                    raise ArtifactError(
                        f"the machine sends more of {file.name!r} than was asked for",
                        code="integrity_mismatch",
                    )
                stream.write(block)
    except UnavailableError as error:
        pace.failed(error)
    else:
        pace.went(length, pace.clock() - began)
    return part.stat().st_size


def refuse_flood(files: Sequence[RemoteFile]) -> int:
    """Bytes of files that a machine lists, before the first of them is fetched.

    Raises:
        ArtifactError: they are more, or larger, than any adapter's: they would fill this disk.
    """
    total = sum(file.bytes for file in files)
    if len(files) > MAX_FILES or total > MAX_BYTES:
        raise ArtifactError(
            f"the machine lists {len(files):,} files of {total:,} bytes, more than an adapter has",
            code="artifact_too_large",
        )
    return total


def safe_name(name: str) -> PurePosixPath:
    """A path below a folder, as a machine says it, which is data from elsewhere.

    Raises:
        ArtifactError: it leads elsewhere.
    """
    path = PurePosixPath(name)
    stray = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
    if stray or not path.parts or not name.isprintable():
        raise ArtifactError(f"{name[:200]!r} is no name below a folder", code="archive_unsafe")
    return path
