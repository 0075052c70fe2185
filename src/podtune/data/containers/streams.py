"""Bytes of a file, decompressed within bounds, and their physical lines.

Knows nothing of encodings beyond turning lines into UTF-8, and nothing of records.
"""

import codecs
import gzip
import io
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Protocol, cast

from podtune.core.errors import DatasetError, NotFoundError, UnsupportedError
from podtune.core.units import gib

MAX_DECODED: Final = 8 * 1024**3
"""Bytes that a compressed file may become (threat model, `hostile bytes`)."""

MAX_RATIO: Final = 200
"""Times that a compressed file may grow; text rarely does 30, a bomb a thousand."""

RATIO_FROM: Final = 16 * 1024**2
"""Decoded bytes below which the ratio is not looked at: small files of equal rows are no bombs."""

MAX_LINE: Final = 16 * 1024**2
"""Bytes of one line, and of one record."""

_ZST_BLOCK: Final = 1 << 10
"""Packed bytes taken at once: the library gives all they hold, up to 32,000 times as many."""

BLOCK: Final = 1 << 20
"""Bytes read at once."""


class Readable(Protocol):
    """What bytes can be read from."""

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes; none at the end."""
        ...


def compression_of(path: Path) -> str:
    """`.gz`, `.zst` or nothing, by the first bytes.

    Raises:
        NotFoundError: there is no such file.
        DatasetError: it is a directory or cannot be read.
    """
    if not path.exists():
        raise NotFoundError(
            f"no data file at {str(path)!r}",
            code="file_not_found",
            hint="check the path; `podtune train examples/support.jsonl` runs the demo",
        )
    if not path.is_file():
        kind = "directory" if path.is_dir() else "device, pipe or socket"
        raise DatasetError(
            f"{str(path)!r} is a {kind}, not a data file",
            code="is_directory",
            hint="name a file in it",
        )
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
    except OSError as error:
        raise _unreadable(path, error) from error
    if head[:2] == b"\x1f\x8b":
        return ".gz"
    return ".zst" if head == b"\x28\xb5\x2f\xfd" else ""


@contextmanager
def opened(path: Path, compression: str) -> Generator[IO[bytes]]:
    """The file's bytes, decompressed; reading beyond the bounds is an error.

    Raises:
        DatasetError: it cannot be read, is damaged, or grows beyond the bounds.
    """
    try:
        with path.open("rb") as stream:
            if not compression:
                yield stream
                return
            inner = _decompressor(stream, compression)
            bounded = Bounded(inner, path.stat().st_size, path.name)
            yield io.BufferedReader(bounded, 1 << 20)
    except OSError as error:
        raise _unreadable(path, error) from error


class Bounded(io.RawIOBase):
    """A decompressed stream that stops at the bounds, and tells damage apart."""

    def __init__(self, inner: Readable, packed_bytes: int, name: str) -> None:
        """`packed_bytes` is the compressed size the ratio is taken of."""
        self._inner = inner
        self._packed = max(1, packed_bytes)
        self._name = name
        self._total = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read some bytes.

        Raises:
            DatasetError: beyond the bounds, or damaged.
        """
        try:
            block = self._inner.read(len(buffer))
        except (EOFError, zlib.error, gzip.BadGzipFile, ValueError, OSError) as error:
            raise damaged(self._name) from error
        except Exception as error:
            # the decompressors of zstandard and zipfile raise classes of their own
            if type(error).__module__.split(".")[0] in {"zstandard", "zipfile"}:
                raise damaged(self._name) from error
            raise
        self._total += len(block)
        if self._total > MAX_DECODED or (
            self._total > RATIO_FROM and self._total > MAX_RATIO * self._packed
        ):
            raise DatasetError(
                f"{self._name!r} grows beyond the bounds when it is decompressed "
                f"({gib(MAX_DECODED)}, {MAX_RATIO} times its size)",
                code="decompression_bound",
                hint="decompress it yourself, look at it, and name the file inside",
            )
        buffer[: len(block)] = block
        return len(block)


def damaged(name: str) -> DatasetError:
    """The error for compressed data that does not decompress."""
    return DatasetError(
        f"{name!r} is damaged: it does not decompress to its end",
        code="damaged_file",
        hint="copy or download it again",
    )


def lines(stream: IO[bytes], codec: str = "utf-8", *, lone_cr: bool = False) -> Iterator[bytes]:
    """Physical lines as UTF-8 without their ends; one beyond MAX_LINE comes cut, as it is.

    Args:
        stream: At its beginning.
        codec: What its text is decoded with; a mark is left out.
        lone_cr: Whether a bare CR ends a line.
    """
    if codec not in {"utf-8", "utf-8-sig"} or lone_cr:
        yield from _transcoded(stream, codec, "\r" if lone_cr else "\n")
        return
    first = codec == "utf-8-sig"
    while line := stream.readline(MAX_LINE + 1):
        if len(line) > MAX_LINE and not line.endswith(b"\n"):
            _skip_rest(stream)
        if first:
            line, first = line.removeprefix(b"\xef\xbb\xbf"), False
        if line.endswith(b"\0"):  # what a writer that crashed left at the end
            line = line.rstrip(b"\0")
            if not line:
                continue
        yield line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")


def blocks(stream: IO[bytes], codec: str = "utf-8", *, lone_cr: bool = False) -> Iterator[bytes]:
    """The whole text as UTF-8 in blocks, whatever the length of its lines.

    Args:
        stream: At its beginning.
        codec: What its text is decoded with; a mark is left out.
        lone_cr: Whether a bare CR ends a line.
    """
    if codec in {"utf-8", "utf-8-sig"} and not lone_cr:
        yield stream.read(BLOCK).removeprefix(codecs.BOM_UTF8)
        while block := stream.read(BLOCK):
            yield block
        return
    decoder = codecs.getincrementaldecoder(codec)(errors="replace")
    begun = False
    while True:
        block = stream.read(BLOCK)
        text = decoder.decode(block, not block)
        if text and not begun:
            text, begun = text.removeprefix("\ufeff"), True
        yield (text.replace("\r", "\n") if lone_cr else text).encode("utf-8", errors="replace")
        if not block:
            return


def _skip_rest(stream: IO[bytes]) -> None:
    """Read on to the end of a line that is too long."""
    while block := stream.readline(1 << 20):
        if block.endswith(b"\n"):
            return


def _transcoded(stream: IO[bytes], codec: str, end: str) -> Iterator[bytes]:
    text = io.TextIOWrapper(stream, encoding=codec, errors="replace", newline=end)
    try:
        while line := text.readline(MAX_LINE + 1):
            cut = line.removesuffix(end).removesuffix("\r" if end == "\n" else "\n")
            if not cut and line == "\n" != end:
                return  # behind the last bare CR
            yield cut.removeprefix("\ufeff").encode("utf-8", errors="replace")
            while len(line) > MAX_LINE and not line.endswith(end):
                line = text.readline(1 << 20)
    finally:
        if not stream.closed:
            text.detach()


def _decompressor(stream: IO[bytes], compression: str) -> Readable:
    if compression == ".gz":
        return cast("Readable", gzip.GzipFile(fileobj=stream))
    try:
        import zstandard
    except ImportError as error:
        raise missing_library("zstandard", "read .zst files") from error
    return _Frames(stream, zstandard.ZstdDecompressor(max_window_size=1 << 27))


class _Frames:
    """Zstandard frames one after another; the library's own reader takes a cut one for whole."""

    def __init__(self, stream: IO[bytes], library: Any) -> None:
        self._stream = stream
        self._library = library
        self._frame: Any = None
        self._held = self._rest = b""
        self._at = 0

    def read(self, size: int = -1, /) -> bytes:
        """Some bytes; none at the end.

        Raises:
            EOFError: in the middle of a frame.
        """
        while self._at >= len(self._held):
            raw = self._rest or self._stream.read(_ZST_BLOCK)
            if not raw:
                if self._frame is not None and not self._frame.eof:
                    raise EOFError
                return b""
            if self._frame is None or self._frame.eof:
                self._frame = self._library.decompressobj()
            self._held, self._at = self._frame.decompress(raw), 0
            self._rest = self._frame.unused_data if self._frame.eof else b""
        block = self._held[self._at :] if size < 0 else self._held[self._at : self._at + size]
        self._at += len(block)
        return block


def missing_library(name: str, purpose: str) -> UnsupportedError:
    """The error where an optional library is needed."""
    return UnsupportedError(
        f"the library {name!r} is needed to {purpose}",
        code="library_missing",
        hint="pip install 'podtune[files]'",
    )


def _unreadable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(
        f"{str(path)!r} cannot be read: {error.strerror or error}",
        code="unreadable",
        hint="check the file's permissions",
    )
