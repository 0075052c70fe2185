"""An artifact folder as one `.tar.gz`, and such an archive as a folder again.

Plain gzip and plain tar, so that `tar` and Python's `tarfile` read it. Compressed by isal's igzip:
15 to 23 times less CPU than Python's gzip for a smaller file (`bench/archive.py`, 2026-11-22).
Knows nothing of what the files mean: checksums of an artifact are `artifact_folder`'s.
"""

import contextlib
import gzip
import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Generator
from pathlib import Path, PurePosixPath
from typing import IO, Final, NamedTuple, cast

from isal import igzip, igzip_lib

from podtune.core.errors import ArtifactError, ConflictError
from podtune.storage.artifact_folder import sha256_file

SUFFIXES: Final = (".tar.gz", ".tgz")
"""How the name of an archive ends."""

LEVEL: Final = 2
"""igzip's 0 to 3. Level 0 makes weights larger than they are (lab: +23 %), 2 is its own default."""

MAX_FILES: Final = 1_000
"""More members than this are no adapter."""

MAX_BYTES: Final = 64 * 1024**3
"""Unpacked bytes one archive may hold; a rank-1,024 adapter of a 70 B model is about 50 GB."""

_BLOCK: Final = 1024 * 1024
_MODE: Final = 0o644

_FOREIGN: Final = (
    tarfile.TarError,
    gzip.BadGzipFile,
    cast("type[Exception]", igzip_lib.IsalError),  # isal's stub takes the class for an instance
    zlib.error,
    EOFError,
    ValueError,
    OverflowError,
    RecursionError,
)
"""What the libraries raise on a damaged archive; the last on a chain of extended headers."""


class Archived(NamedTuple):
    """An archive that was written."""

    path: Path
    sha256: str
    """Of the archive itself, in hex."""
    size_bytes: int
    files: int


def is_archive(path: Path) -> bool:
    """Whether a path is named as an archive."""
    return path.name.lower().endswith(SUFFIXES)


def pack(folder: Path, target: Path) -> Archived:
    """Write every file of a folder into an archive: the whole of it or nothing.

    The same files give the same bytes: members are sorted, owner, mode and times are fixed. The
    files stand at the root, so that what unpacks it names the folder. Memory stays flat.

    Args:
        folder: The artifact's folder.
        target: The archive's path. The same archive there already is success.

    Raises:
        ConflictError: something else is at the target, or the target is inside the folder.
        ArtifactError: the folder holds something that is no file, or it cannot be written.
    """
    if target.resolve().is_relative_to(folder.resolve()):
        raise ConflictError(f"{str(target)!r} is inside the artifact itself")
    if target.is_dir():
        raise _exists(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".podtune-") as temporary:
            staged = Path(temporary) / "archive"
            written = _write(folder, staged)
            if not target.exists():
                staged.replace(target)
            elif sha256_file(target) != written.sha256:
                raise _exists(target)
    except OSError as error:
        raise ArtifactError(
            f"the archive cannot be written to {str(target)!r}: {error.strerror or error}",
            code="copy_failed",
            hint="name a file in a folder you may write to, with enough room",
        ) from error
    return written._replace(path=target)


def unpack(
    archive: Path,
    target: Path,
    *,
    sha256: str | None = None,
    max_files: int = MAX_FILES,
    max_bytes: int = MAX_BYTES,
    compressed: bool = True,
) -> tuple[str, ...]:
    """Unpack an archive into a new folder: the whole of it or nothing.

    Only plain files and folders below the target are taken. Absolute names, `..`, links, devices,
    two files of one name, and more files or bytes than allowed are refused, before anything stands
    at the target. What is declared and what is really there both count.

    Args:
        archive: A tar; it may come from anywhere.
        target: A folder that is absent or empty.
        sha256: What the archive's own checksum must be.
        max_files: Members allowed.
        max_bytes: Unpacked bytes allowed, headers included.
        compressed: Whether by gzip; a bundle is not.

    Returns:
        Names of the files, in the archive's order.

    Raises:
        ConflictError: the target holds something.
        ArtifactError: not the expected archive, damaged, unsafe, or too large.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConflictError(f"{str(target)!r} exists and is not an empty folder")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with (
            archive.open("rb") as raw,
            tempfile.TemporaryDirectory(dir=target.parent, prefix=".podtune-") as temporary,
        ):
            _refuse_another(raw, sha256)
            staged = Path(temporary) / "artifact"
            staged.mkdir()
            with _damage_is_ours(archive), _plain(raw, compressed) as plain:
                stream = _Forward(plain, max_bytes)
                names = _extract(stream, staged, max_files)
                _refuse_trailing(stream)
            if target.is_dir():
                target.rmdir()
            staged.replace(target)
    except OSError as error:
        raise ArtifactError(
            f"{str(archive)!r} cannot be unpacked to {str(target)!r}: {error.strerror or error}",
            code="copy_failed",
        ) from error
    return names


def _plain(
    raw: IO[bytes], compressed: bool
) -> contextlib.AbstractContextManager[gzip.GzipFile | IO[bytes]]:
    return igzip.IGzipFile(fileobj=raw, mode="rb") if compressed else contextlib.nullcontext(raw)


class _Sink(io.RawIOBase):
    """A file that takes the sha256 of what is written to it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: bytes, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride] - bytes is what igzip writes
        self.digest.update(data)
        self.size += len(data)
        return self._stream.write(data)


def _write(folder: Path, path: Path) -> Archived:
    """The archive at `path`, on the disk to the last byte."""
    members = [(file.relative_to(folder).as_posix(), file) for file in _files(folder)]
    with path.open("xb") as stream:
        sink = _Sink(stream)
        with (
            igzip.IGzipFile("", "wb", LEVEL, sink, mtime=0) as packed,
            tarfile.TarFile(fileobj=packed, mode="w", copybufsize=_BLOCK) as tar,
        ):
            for name, file in members:
                with file.open("rb") as content:
                    tar.addfile(_header(name, os.fstat(content.fileno()).st_size), content)
        stream.flush()
        os.fsync(stream.fileno())
    return Archived(path, sink.digest.hexdigest(), sink.size, len(members))


def _files(folder: Path) -> list[Path]:
    """Every file below a folder, sorted by name; links and devices are no files of an artifact."""
    found: list[Path] = []
    for path in folder.rglob("*"):
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise ArtifactError(
                f"the artifact holds {path.relative_to(folder).as_posix()!r}, which is no plain file",
                code="copy_failed",
            )
        if path.is_file():
            found.append(path)
    if not found:
        raise ArtifactError(f"{str(folder)!r} holds no file", code="artifact_incomplete")
    return sorted(found, key=lambda file: file.relative_to(folder).as_posix())


def _header(name: str, size: int) -> tarfile.TarInfo:
    """A member of fixed owner, mode and time (TarInfo's own are 0 and nobody)."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, _MODE
    return header


def _exists(target: Path) -> ConflictError:
    return ConflictError(
        f"{str(target)!r} exists and is not this archive",
        hint="name another file with -o, or remove that one",
    )


def _refuse_another(stream: IO[bytes], sha256: str | None) -> None:
    """Raise where the open file is not the one that was meant; leaves it at its beginning."""
    if sha256 is None:
        return
    digest = hashlib.file_digest(stream, "sha256").hexdigest()  # pyright: ignore[reportArgumentType] - any binary file will do
    stream.seek(0)
    if digest != sha256:
        raise ArtifactError(
            "the archive's checksum differs from what was promised",
            code="integrity_mismatch",
            hint="fetch it again",
        )


class _Forward(io.RawIOBase):
    """Reads a decompressed stream forwards only, in pieces, up to a limit.

    tarfile reads a member's extended header whole, as long as the archive says it is: a piece
    over the bound is refused before memory is asked for.
    """

    def __init__(self, stream: gzip.GzipFile | IO[bytes], limit: int) -> None:
        self._stream, self._limit, self._at = stream, limit, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        if size < 0 or size > _BLOCK:
            raise tarfile.ReadError("a header is larger than any of an adapter")
        block = self._stream.read(size)
        self._at += len(block)
        if self._at > self._limit:
            raise _too_large(f"it unpacks to over {self._limit:,} bytes")
        return block

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence != io.SEEK_SET or offset < self._at:
            raise tarfile.ReadError("its parts do not follow each other")
        while self._at < offset and self.read(min(_BLOCK, offset - self._at)):
            pass
        return self._at


def _extract(stream: _Forward, folder: Path, max_files: int) -> tuple[str, ...]:
    names: list[str] = []
    taken: set[str] = set()
    with tarfile.TarFile(fileobj=stream, mode="r") as tar:
        for count, member in enumerate(tar, 1):
            if count > max_files:
                raise _too_large(f"it holds over {max_files:,} files")
            path = _safe(member)
            if member.isdir():
                (folder / path).mkdir(parents=True, exist_ok=True)
                continue
            if path.as_posix().casefold() in taken:
                raise _unsafe(f"{member.name[:200]!r} is in it twice")
            taken.add(path.as_posix().casefold())
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            _copy(tar, member, folder / path)
            names.append(path.as_posix())
    if not names:
        raise tarfile.ReadError("it holds no file")
    return tuple(names)


def _safe(member: tarfile.TarInfo) -> PurePosixPath:
    """The member's path below any folder.

    Raises:
        ArtifactError: it is no plain file or folder, or its name leads elsewhere.
    """
    name, path = member.name, PurePosixPath(member.name)
    if not (member.isdir() or (member.isreg() and not member.issparse())):
        raise _unsafe(f"{name[:200]!r} is no plain file")
    stray = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
    if stray or (not path.parts and not member.isdir()) or not name.isprintable():
        raise _unsafe(f"{name[:200]!r} is no name below a folder")
    return path


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    content = tar.extractfile(member)
    if content is None or member.size < 0:
        raise tarfile.ReadError(f"{member.name[:200]!r} cannot be read")
    with path.open("xb") as stream:
        shutil.copyfileobj(content, stream, _BLOCK)
        if stream.tell() != member.size:
            raise tarfile.ReadError(f"{member.name[:200]!r} is cut short")


def _refuse_trailing(stream: _Forward) -> None:
    """Read to the end, so that gzip's own checksum is looked at; tar pads with zeros only."""
    while block := stream.read(_BLOCK):
        if block.strip(b"\0"):
            raise tarfile.ReadError("there is more behind its end")


@contextlib.contextmanager
def _damage_is_ours(archive: Path) -> Generator[None]:
    """Whatever the libraries say of a damaged archive is one typed error."""
    try:
        yield
    except _FOREIGN as error:
        raise ArtifactError(
            f"{str(archive)!r} is no undamaged .tar.gz: {str(error)[:200]}",
            code="archive_damaged",
            hint="fetch it again",
        ) from error


def _unsafe(why: str) -> ArtifactError:
    return ArtifactError(f"the archive is refused: {why}", code="archive_unsafe")


def _too_large(why: str) -> ArtifactError:
    return ArtifactError(f"the archive is refused: {why}", code="archive_too_large")
