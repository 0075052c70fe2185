"""Which files a source names: itself, what a folder holds, what fits a pattern."""

import difflib
import glob
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from podtune.core.errors import DatasetError, NotFoundError
from podtune.data.names import SUFFIXES, is_data_name, split_of

MAX_FILES: Final = 10_000
"""Files of one folder or pattern."""


MAX_ENTRIES: Final = 200_000
"""Entries of a folder that are looked at; nobody means the root of a disk."""


def files_of(path: Path | str) -> list[Path]:
    """The files a source names: itself, what a folder holds, or what fits a pattern, sorted.

    Raises:
        NotFoundError: none.
        DatasetError: too many.
    """
    try:
        source = Path(path).expanduser()
        is_folder = source.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # too long a name, no such user, a NUL
        raise NotFoundError(
            f"{str(path)[:100]!r} is no path: {getattr(error, 'strerror', None) or error}",
            code="file_not_found",
            hint="check the path",
        ) from error
    if not str(path).strip():
        raise NotFoundError("no source was named", code="file_not_found", hint="name a file")
    if is_folder:
        found = list(islice(_beneath(source), MAX_FILES + 1))
        missing = f"the folder {str(source)!r} holds no data file"
    elif glob.has_magic(str(source)) and not source.exists():
        found = [Path(p) for p in glob.glob(str(source), recursive=True) if Path(p).is_file()]  # noqa: PTH207 - a pattern may be absolute
        missing = f"no file fits {str(source)!r}"
    else:
        if not source.exists():
            raise _not_there(source)
        return [source]
    if not found:
        raise NotFoundError(
            missing, code="file_not_found", hint=f"it may hold {', '.join(SUFFIXES)}"
        )
    if len(found) > MAX_FILES:
        raise DatasetError(
            f"{len(found):,} files or more; at most {MAX_FILES:,} are read",
            code="too_many_files",
            hint="name a folder or a pattern that holds fewer, or put the rows into one file",
        )
    # what is trained on first: then a leak is told where it is held out
    return sorted(found, key=lambda p: (split_of(p.name) == "validation", p))


def _not_there(source: Path) -> NotFoundError:
    """There is no such file; the name that was meant, where one beside it is like it."""
    beside = (
        [p.name for p in islice(source.parent.iterdir(), 1000)] if source.parent.is_dir() else []
    )
    like = difflib.get_close_matches(source.name, beside, 1)
    hint = (
        f"did you mean {str(source.with_name(like[0]))!r}?"
        if like
        else "check the path; `podtune train examples/support.jsonl` runs the demo"
    )
    return NotFoundError(f"no data file at {str(source)!r}", code="file_not_found", hint=hint)


def _beneath(folder: Path) -> Iterator[Path]:
    """Data files of a folder and its folders; hidden ones and links to folders are left alone.

    Raises:
        DatasetError: it has too many entries.
    """
    seen = 0
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        seen += len(names) + len(folders)
        if seen > MAX_ENTRIES:
            raise DatasetError(
                f"{str(folder)!r} holds more than {MAX_ENTRIES:,} files",
                code="too_many_files",
                hint="name the folder that holds the data",
            )
        for name in sorted(names):
            path = Path(parent, name)
            if is_data_name(name) and not name.startswith((".", "~$")) and path.is_file():
                yield path
