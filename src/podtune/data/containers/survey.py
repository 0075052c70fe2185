"""The first look at a file: its bytes summed and weighed, what they are, how their text is encoded.

One pass in constant memory over what is inside the compression. Decides nothing about rows.
"""

import codecs
import hashlib
import re
from pathlib import Path
from typing import Final, NamedTuple

from podtune.data.containers import streams

HEAD: Final = 256 * 1024
"""Bytes looked at to tell what a file is."""

BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, the longer before the shorter that begins alike."""

_WESTERN: Final = frozenset(
    {"cp1250", "cp1252", "cp1254", "cp1257", "cp1258", "latin_1", "iso8859_15", "iso8859_2",
     "iso8859_3", "iso8859_4", "iso8859_9", "iso8859_10", "iso8859_13", "iso8859_14", "iso8859_16",
     "mac_roman", "mac_latin2", "cp437", "cp850", "cp858", "cp852", "hp_roman8", "mac_iceland",
     "mac_turkish", "cp500", "cp037", "cp1140", "cp775", "cp860", "cp861", "cp863", "cp865"}
)  # fmt: skip
"""One-byte encodings of the Latin script; where cp1252 reads a text alike, it is the one meant:
Windows and its Excel write it, and the others are guesses between look-alikes."""


_WITH_NULS: Final = (
    "utf_16", "utf_16_be", "utf_16_le", "utf_32", "utf_32_be", "utf_32_le", "utf_7",
)  # fmt: skip
"""Encodings that a text without NULs and with bytes beyond ASCII cannot have."""

_LATIN: Final[tuple[str, ...]] = (
    "cp1252",
    "cp1250",
    "cp1254",
    "cp1257",
    "iso8859_2",
    "latin_1",
    "mac_roman",
)
"""What a text may be whose letters beyond ASCII stand alone."""

_PLAINER: Final = {
    **dict.fromkeys(("cp932", "shift_jis_2004", "shift_jisx0213"), "shift_jis"),
    **dict.fromkeys(("euc_jis_2004", "euc_jisx0213"), "euc_jp"),
}
"""Extension of an encoding -> the one that is meant where it is enough."""

_HIGH: Final = re.compile(rb"[\x80-\xff]+")
_HIGH_BYTES: Final = bytes(range(0x80, 0x100))

FEWEST: Final = 3
"""Letters in UTF-8 from which on a file can be UTF-8 in spite of other bytes in it."""

SHARE: Final = 0.9
"""Share of what is beyond ASCII that has to be UTF-8 then: damage, and no other encoding."""


class Survey(NamedTuple):
    """What a file is made of, before any record is read."""

    sha256: str
    """Of the file as it lies there."""
    size_bytes: int
    compression: str
    """`.gz`, `.zst` or nothing."""
    magic: str
    """`text`, `zip`, `parquet`, `pdf`, `binary` or `empty`."""
    encoding: str | None
    has_bom: bool
    crlf: bool
    """Whether most lines end in CR LF."""
    lone_cr: bool
    """Whether lines end in a bare CR, as on the Macs of old."""
    head: str
    """The beginning as text, without a mark; empty where there is none."""
    codec: str
    """What Python decodes it with; a mark is left out by it."""


def survey(path: Path) -> Survey:
    """Look at a whole file once.

    Raises:
        DatasetError: it cannot be read, or decompresses beyond the bounds.
    """
    compression = streams.compression_of(path)
    scan, digest = _Scan(), hashlib.sha256()
    with streams.opened(path, compression) as stream:
        while block := stream.read(1 << 20):
            scan.feed(block)
            if not compression:
                digest.update(block)
    sha256 = _sha256(path) if compression else digest.hexdigest()
    scan.end()
    return _judged(scan, sha256, path.stat().st_size, compression)


class _Scan:
    """What one pass over decoded bytes gathers."""

    def __init__(self) -> None:
        self.head = b""
        self.size = 0
        self.lines = 0
        self.crlf = 0
        self.carriage = 0
        self.nul = False
        """Whether there is a NUL with anything behind it; at the end a writer that crashed leaves them."""
        self.last = b""
        self.valid = self.bad = 0
        """Letters beyond ASCII that are UTF-8, and what is none."""
        self._ends_in_nuls = False
        self.first_bad: bytes | None = None
        """Bytes round the first that are not UTF-8."""
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._lenient = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, block: bytes) -> None:
        if len(self.head) < HEAD:
            self.head += block[: HEAD - len(self.head)]
        self.size += len(block)
        self._see_nuls(block)
        self.last = (self.last + block[-4:])[-4:]
        self.lines += block.count(b"\n")
        wide = self.nul and (block.count(b"\r\0\n\0") or block.count(b"\0\r\0\n"))
        self.crlf += wide or block.count(b"\r\n")
        self.carriage += block.count(b"\r")
        self._see_letters(block)

    def _see_nuls(self, block: bytes) -> None:
        body = block.rstrip(b"\0")
        self.nul = self.nul or b"\0" in body or (self._ends_in_nuls and bool(body))
        self._ends_in_nuls = len(body) < len(block) or (self._ends_in_nuls and not body)

    def _see_letters(self, block: bytes, *, final: bool = False) -> None:
        """Count letters beyond ASCII, and keep what stands round the first byte that is none."""
        text = self._lenient.decode(block, final)
        if not block.isascii() or len(text) != len(block):
            beyond = len(text) - len(block.translate(None, _HIGH_BYTES))
            bad = text.count("\ufffd") - block.count(b"\xef\xbf\xbd")
            self.bad += bad
            self.valid += beyond - bad
        if self.first_bad is None:
            try:
                self._utf8.decode(block, final)
            except UnicodeDecodeError as error:
                at = max(0, error.start - HEAD // 8)
                self.first_bad = block[at : at + HEAD] or self.head

    def end(self) -> None:
        """The end of the file."""
        self._see_letters(b"", final=True)
        if not self.nul and not self.head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            self.head = self.head.rstrip(b"\0") or self.head

    def is_utf8(self) -> bool:
        """Whether all of it is."""
        return self.first_bad is None

    def is_nearly_utf8(self) -> bool:
        """Whether it is but for some damage."""
        return self.valid >= FEWEST and self.valid >= SHARE * (self.valid + self.bad)

    def has_lone_cr(self) -> bool:
        """Whether lines end in a bare CR; the last may end in LF, as some editors add it."""
        ended = self.last.rstrip(b"\0").endswith(b"\n")
        return self.carriage > self.crlf and self.lines <= ended


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _judged(scan: _Scan, sha256: str, size: int, compression: str) -> Survey:
    magic = _magic(scan)
    encoding, codec, has_bom = None, "utf-8", False
    if magic == "empty":
        encoding = "utf-8"
    elif magic == "text":
        encoding, codec, has_bom = _encoding(scan)
        if encoding is None:
            magic = "binary"
    head = scan.head.decode(codec, errors="replace").lstrip("\ufeff") if magic == "text" else ""
    lone_cr = scan.has_lone_cr()
    if magic == "text" and not head.strip() and scan.size <= HEAD:
        magic = "empty"
    return Survey(
        sha256=sha256,
        size_bytes=size,
        compression=compression,
        magic=magic,
        encoding=encoding,
        has_bom=has_bom,
        crlf=scan.crlf > 0 and scan.crlf * 2 >= scan.lines and not lone_cr,
        lone_cr=lone_cr,
        head=head.replace("\r", "\n") if lone_cr else head,
        codec=codec,
    )


def _magic(scan: _Scan) -> str:
    head = scan.head
    if scan.size == 0:
        return "empty"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head[:1024].lstrip().startswith(b"%PDF-"):
        return "pdf"
    return "text"


def _encoding(scan: _Scan) -> tuple[str | None, str, bool]:
    """Name, codec and whether a mark stands first; no name where it is no text."""
    for mark, name in BOMS:
        if scan.head.startswith(mark):
            codec = "utf-8-sig" if name == "utf-8" else name
            if name == "utf-8" and not scan.is_utf8():
                return "utf-8", "utf-8-sig", True
            return name, codec, name == "utf-8"
    if scan.nul:
        wide = _utf16_without_mark(scan.head)
        return (wide, wide or "utf-8", False)
    if scan.is_utf8():
        return (None if _has_controls(scan.head) else "utf-8", "utf-8", False)
    if _has_controls(scan.head):
        return None, "utf-8", False
    if scan.is_nearly_utf8():
        return "utf-8", "utf-8", False
    legacy = _legacy(scan.first_bad or scan.head)
    return legacy, legacy or "utf-8", False


def _utf16_without_mark(head: bytes) -> str | None:
    """UTF-16 of mostly Latin text: every other byte is a NUL."""
    even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
    half = max(1, len(head[0:4096:2]))
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    if even > 0.4 * half and odd < 0.05 * half:
        return "utf-16-be"
    return None


def _has_controls(head: bytes) -> bool:
    """Whether over 3 % of the bytes are control characters that no text has."""
    controls = sum(byte < 9 or 13 < byte < 27 for byte in head[:65536])
    return controls > 0.03 * max(1, len(head[:65536]))


def _legacy(sample: bytes) -> str | None:
    """A one-byte or East Asian encoding of the past, by what its text would look like."""
    from charset_normalizer import from_bytes

    only: list[str] = [*_LATIN] if _is_sparse(sample) else []
    best = from_bytes(
        sample[: 64 * 1024], cp_isolation=only, cp_exclusion=[] if only else list(_WITH_NULS)
    ).best()
    if best is None:
        return "cp1252" if _decodes(sample, "cp1252") else "latin-1"
    name = best.encoding
    if name in _WESTERN and _decodes(sample, "cp1252"):
        alike = sample.decode("cp1252") == sample.decode(name, errors="replace")
        if alike or name != "cp1250" or not _east_european(sample.decode(name, errors="replace")):
            return "cp1252"
    plain = _PLAINER.get(name)
    if plain is not None and _decodes(sample, plain):
        return plain
    return codecs.lookup(name).name


def _is_sparse(sample: bytes) -> bool:
    """Whether letters beyond ASCII stand alone in a text, as they do in the Latin script only."""
    runs = [len(run) for run in _HIGH.findall(sample)]
    return sum(runs) < 0.15 * len(sample) and sum(runs) < 2.5 * len(runs)


def _decodes(sample: bytes, codec: str) -> bool:
    try:
        sample.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _east_european(text: str) -> bool:
    """Whether a text has letters that Polish, Czech or Hungarian have and Western languages lack."""
    return sum(text.count(c) for c in "ąćęłńśźżčďěňřšťůžőűĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽŐŰ") >= 3
