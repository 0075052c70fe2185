"""A zip archive -> the one member that holds the data, unpacked within bounds.

Members are chosen by an allow-list of suffixes; no path is ever taken from the archive.
"""

import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from podtune.core.dataset import Choice
from podtune.core.errors import DatasetError
from podtune.data.containers import streams
from podtune.data.names import MEMBERS, split_of
from podtune.data.record import Reading

MAX_MEMBERS: Final = 10_000
"""Entries of an archive; a Slack workspace of ten years has fewer day files."""

FAULTS: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError,
    OverflowError, RuntimeError,
)  # fmt: skip
"""What a damaged archive makes Python's reader raise."""

_SLACK_DAY: Final = re.compile(r"[^/]+/\d{4}-\d{2}-\d{2}\.json")
_BESIDE: Final = re.compile(r"readme|licen[cs]e|changelog|manifest|metadata|schema|users|channels")
"""Names of what lies beside data."""


def members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Members that may hold data.

    Raises:
        DatasetError: too many entries, a path that leaves the archive, or encryption.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise DatasetError(
            f"the archive has {len(infos):,} entries; at most {MAX_MEMBERS:,} are looked at",
            code="too_many_members",
            hint="unpack it, and name the folder",
        )
    found: list[zipfile.ZipInfo] = []
    for info in infos:
        path = _path(info)
        if path.is_absolute() or ".." in path.parts:
            raise DatasetError(
                "the archive holds a path that leads out of it",
                code="unsafe_archive",
                hint="do not trust it; unpack it by hand if you must",
            )
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
        if info.is_dir() or hidden or path.suffix.lower() not in MEMBERS:
            continue
        if info.flag_bits & 1:
            raise DatasetError(
                "the archive is encrypted", code="encrypted", hint="unpack it with its password"
            )
        found.append(info)
    return found


def _path(info: zipfile.ZipInfo) -> PurePosixPath:
    """A member's path; Windows programs write it with backslashes."""
    return PurePosixPath(info.filename.replace("\\", "/"))


def slack_days(found: Sequence[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The day files of a Slack export, in order; none where it is no such export."""
    days = [info for info in found if _SLACK_DAY.fullmatch(info.filename)]
    return sorted(days, key=lambda info: info.filename) if days else []


def split_members(
    found: Sequence[zipfile.ZipInfo],
) -> tuple[zipfile.ZipInfo, zipfile.ZipInfo] | tuple[()]:
    """One member of training rows and one of held-out rows, where their names say so."""
    sides = [(info, split_of(_path(info).name)) for info in found]
    train = [info for info, side in sides if side == "train"]
    held = [info for info, side in sides if side == "validation"]
    return (train[0], held[0]) if len(train) == len(held) == 1 and train != held else ()


def choose(found: Sequence[zipfile.ZipInfo], reading: Reading) -> zipfile.ZipInfo:
    """The member with the data: the one asked for, the only one, or the likeliest.

    Raises:
        DatasetError: none, or not the one that was asked for.
    """
    names = [info.filename for info in found]
    if not found:
        raise DatasetError(
            "the archive holds no data file",
            code="no_data_in_archive",
            hint=f"it may hold {', '.join(MEMBERS)}",
        )
    wanted = reading.options.member
    if wanted is not None:
        for info in found:
            if wanted in {info.filename, _path(info).name}:
                reading.choices["member"] = _choice(info.filename, names, close=False)
                return info
        raise DatasetError(
            f"the archive has no data file {wanted!r}",
            code="unknown_member",
            hint=f"--member with one of: {', '.join(names[:10])}",
        )
    ranked = sorted(found, key=_rank)
    best = ranked[0]
    close = len(ranked) > 1 and _rank(ranked[1])[:2] == _rank(best)[:2]
    reading.choices["member"] = _choice(best.filename, names, close=close)
    return best


def _rank(info: zipfile.ZipInfo) -> tuple[int, int, int]:
    """Lower is likelier: training data by name, then structured before free text, then size."""
    path = _path(info)
    stem = path.stem.lower()
    beside = (
        2 if _BESIDE.match(stem) else 0 if re.match(r"train|_chat|data|conversations", stem) else 1
    )
    return beside, MEMBERS.index(path.suffix.lower()) // 7, -info.file_size


def _choice(name: str, names: Sequence[str], *, close: bool) -> Choice:
    others = tuple(other for other in names if other != name)[:10]
    return Choice(value=name, others=others, close=close, option="--member NAME")


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, into: Path) -> Path:
    """Write one member beneath a folder of ours, under a name of ours.

    Raises:
        DatasetError: damaged, or beyond the bounds of decompression.
    """
    target = into / f"member{_path(info).suffix.lower()}"
    try:
        with archive.open(info) as inner, target.open("wb") as out:
            bounded = streams.Bounded(inner, info.compress_size, info.filename)
            while block := bounded.read(1 << 20):
                out.write(block)
    except FAULTS as error:
        raise streams.damaged(info.filename) from error
    return target
