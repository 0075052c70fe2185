"""The folders a request in words may speak of: the working folder, and what a setting names beside it.

Says which files lie in them, and whether a path does. Reads names and sizes, never what is in a file.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from podtune.app.settings import Settings
from podtune.core.errors import PodtuneError, SpecError
from podtune.data.names import is_data_name
from podtune.data.sources import files_of

MAX_ENTRIES: Final = 20_000
"""Entries that are looked at in all; a working folder has hundreds. Chosen."""

MAX_DEPTH: Final = 6
"""Folders below a root. Chosen."""

MAX_FILES: Final = 2_000
"""Data files that are remembered. Chosen."""

LEFT_OUT: Final = frozenset(
    ("node_modules", "venv", "env", "site-packages", "dist-packages", "__pycache__", "vendor", "target")
)  # fmt: skip
"""Folders of programs, beside the hidden ones; one that holds `pyvenv.cfg` goes too, whatever its name."""


class DataFile(NamedTuple):
    """A file that may hold data, by its name."""

    path: Path
    root: Path
    size_bytes: int

    @property
    def inside(self) -> Path:
        """Where it lies below its root."""
        return self.path.relative_to(self.root)


class Found(NamedTuple):
    """What lies in the roots."""

    files: tuple[DataFile, ...]
    entries: int
    """Entries that were looked at."""
    is_all: bool
    """Whether nothing was left out because there was too much."""


class Workspace(NamedTuple):
    """Folders that may be looked in, and what of them may not."""

    roots: tuple[Path, ...]
    """Real paths; the first is the working folder."""
    closed: tuple[Path, ...] = ()
    """Real paths of folders in them that are never entered: podtune's own home."""

    @classmethod
    def of(cls, folder: Path, settings: Settings, more: Sequence[Path] = ()) -> "Workspace":
        """A working folder, what a caller names beside it, and the places of the setting.

        Raises:
            SpecError: a place of the setting is no folder; code `bad_setting`.
        """
        places = [Path(p).expanduser() for p in settings.data_places.split(os.pathsep) if p.strip()]
        for place in places:
            if not place.is_absolute() or not place.is_dir():
                raise SpecError(
                    f"PODTUNE_DATA_PLACES: {str(place)!r} is no folder, or not a whole path",
                    code="bad_setting",
                    hint="folders with their whole path, with ':' between them",
                )
        roots = dict.fromkeys(path.resolve() for path in (folder, *more, *places))
        return cls(tuple(roots), (settings.home.expanduser().resolve(),))

    def holds(self, path: Path) -> bool:
        """Whether a path leads into the roots, links followed, and to nothing that is closed."""
        try:
            real = path.resolve()
        except (OSError, RuntimeError):  # a loop of links
            return False
        return any(real.is_relative_to(r) for r in self.roots) and not any(
            real.is_relative_to(c) for c in self.closed
        )

    def source(self, named: str) -> str:
        """What a request names as its data, as a plan takes it: whole, and inside.

        Args:
            named: A path or a pattern, from the working folder on; an address stays as it is.

        Raises:
            SpecError: it leads out of the workspace, or a file in it does, by a link; code `outside_workspace`.
        """
        if "://" in named:
            return named
        path = Path(os.path.normpath(self.roots[0] / _home_of(named)))
        if not self.holds(path):
            raise SpecError(
                f"{named!r} lies outside of {str(self.roots[0])!r}",
                code="outside_workspace",
                hint="go to its folder, name that in PODTUNE_DATA_PLACES, or use podtune train PATH",
            )
        out = next((held for held in _several(path) if not self.holds(held)), None)
        if out is not None:
            raise SpecError(
                f"{self.shown(out)!r} of {named!r} leads out of {str(self.roots[0])!r} by a link",
                code="outside_workspace",
                hint="name the files that are meant, or copy that one into the folder",
            )
        return str(path)

    def shown(self, path: Path | str) -> str:
        """A path as people read it: from the working folder on where it lies there."""
        whole = Path(path)
        first = self.roots[0]
        return str(whole.relative_to(first)) if whole.is_relative_to(first) else str(whole)

    def data_files(self) -> Found:
        """Files that may hold data, by name; bounded by how much is looked at, never by time."""
        files: dict[Path, DataFile] = {}
        entries = 0
        for entry in self._walk():
            entries += 1
            if entries > MAX_ENTRIES or len(files) >= MAX_FILES:
                return Found(tuple(files.values()), entries - 1, is_all=False)
            if entry is not None:
                files.setdefault(entry.path, entry)
        return Found(tuple(files.values()), entries, is_all=True)

    def _walk(self) -> Iterator[DataFile | None]:
        """Each entry once, breadth first, so that what lies near is seen before a bound is met."""
        waiting = [(root, root, 0) for root in self.roots]
        seen: set[Path] = set()
        while waiting:
            folder, root, depth = waiting.pop(0)
            if folder in seen:
                continue
            seen.add(folder)
            for name, is_folder in _entries(folder):
                path = folder / name
                if not is_folder:
                    yield self._file(path, root)
                    continue
                yield None
                if depth < MAX_DEPTH and self._may_enter(path):
                    waiting.append((path, root, depth + 1))

    def _may_enter(self, folder: Path) -> bool:
        name = folder.name
        if name.startswith(".") or name.lower() in LEFT_OUT or folder.is_symlink():
            return False
        return folder not in self.closed and not (folder / "pyvenv.cfg").exists()

    def _file(self, path: Path, root: Path) -> DataFile | None:
        """A data file that lies inside, its link followed; None for anything else."""
        name = path.name
        if name.startswith((".", "~$")) or not is_data_name(name) or not self.holds(path):
            return None
        try:
            str(path).encode()  # a plan holds text: a name that is none cannot stand in it
            held = path.stat()
        except (OSError, UnicodeEncodeError):
            return None
        is_data = stat.S_ISREG(held.st_mode) and held.st_size
        return DataFile(path, root, held.st_size) if is_data else None


def _home_of(named: str) -> Path:
    """The path that is named, `~` filled in.

    Raises:
        SpecError: it is no path; code `outside_workspace`.
    """
    try:
        if "\0" not in named:
            return Path(named).expanduser()
    except RuntimeError:  # there is no such user
        pass
    raise SpecError(
        f"{named[:100]!r} is no path", code="outside_workspace", hint="name a file of this folder"
    )


def _several(path: Path) -> list[Path]:
    """The files of a folder or a pattern; none of what is a file by itself, or cannot be read anyway."""
    try:
        return [] if path.is_file() else files_of(path)
    except (OSError, PodtuneError):
        return []


def _entries(folder: Path) -> list[tuple[str, bool]]:
    """Names in a folder, sorted, and whether each is a folder itself; none where it may not be read."""
    try:
        with os.scandir(folder) as found:
            held = [
                (e.name, e.is_dir(follow_symlinks=False)) for e in islice(found, MAX_ENTRIES + 1)
            ]
    except OSError:
        return []
    return sorted(held)
