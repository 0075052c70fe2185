"""The bytes of an uploaded file: its name as it may stand on a disk, and how it is written within its limits."""

import hashlib
import os
import re
import shutil
from pathlib import Path
from typing import IO, Final

from podtune.core.errors import ForbiddenError, RequestError, StateError, UnsupportedError
from podtune.core.units import gib

MAX_BYTES: Final = 512_000_000
"""Of one file: what the hosted API takes (its reference, "Upload file": "up to 512 MB"; read 2026-11-23)."""
KEPT_FREE: Final = 1024**3
"""Bytes of the disk that no upload takes. Chosen."""
_BLOCK: Final = 1024**2


def safe_name(name: str) -> str:
    """A caller's file name as it may stand on a disk.

    >>> safe_name("../my data.jsonl")
    'my_data.jsonl'
    """
    last = name.replace("\\", "/").rpartition("/")[2]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last)[-120:].lstrip(".-") or "data.jsonl"


def over_quota() -> ForbiddenError:
    """The error of a tenant whose files fill its share."""
    return ForbiddenError(
        "the file does not fit into your share of this gateway's disk",
        code="files_quota",
        hint="delete some: client.files.delete(id); jobs keep their rows",
        context={"param": "file"},
    )


def written(content: IO[bytes], path: Path, left: int | None) -> tuple[int, str]:
    """Write an upload to a new file, in flat memory; its bytes and its sum.

    Args:
        content: Read once.
        path: Where there is no file yet, in a folder that is there.
        left: Bytes that its tenant may still bring; None for no limit.

    Raises:
        UnsupportedError: code `file_too_large`.
        ForbiddenError: code `files_quota`.
        StateError: `disk_full`, or `cannot_write`.
        RequestError: code `empty_file`.
    """
    size, digest = 0, hashlib.sha256()
    try:
        free = shutil.disk_usage(path.parent).free - KEPT_FREE
        with path.open("xb") as stream:
            while block := content.read(_BLOCK):
                size += len(block)
                if size > MAX_BYTES:
                    raise UnsupportedError(
                        f"the file has more than {gib(MAX_BYTES)}",
                        code="file_too_large",
                        hint="split it, or name its address: podtune train https://...",
                        context={"param": "file"},
                    )
                if left is not None and size > left:
                    raise over_quota()
                if size > free:
                    raise StateError(
                        "the disk of this gateway is full",
                        code="disk_full",
                        hint="free some space in PODTUNE_HOME",
                    )
                digest.update(block)
                stream.write(block)
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise StateError(
            f"the file cannot be written: {error.strerror or error}",
            code="cannot_write",
            hint="check the free space and the rights of PODTUNE_HOME",
        ) from error
    if not size:
        raise RequestError("the file is empty", code="empty_file", context={"param": "file"})
    return size, digest.hexdigest()
