"""Where artifacts and checkpoints arrive before they are put in place: a folder for each holder of a job.

A driver that was frozen in mid-fetch and comes back after another has taken its job goes on writing to
files that it holds open, and on naming them. Nothing of that may reach what the other has verified, or
take its files from under it: each writes to a folder of its own, and puts what is whole in place only
while it still holds the job.
"""

import contextlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from podtune.core.job import Job
from podtune.storage.pod_files import safe_name

PREFIX: Final = "incoming-"


def of(folder: Path, job: Job) -> Path:
    """The folder of the job's holder, which goes on from what an earlier one had fetched.

    `job.token` is greater for each holder. What was there before is copied, not moved: somebody may still
    write to it. `clear` removes it once all is in place.
    """
    here = folder / f"{PREFIX}{job.attempt}-{job.token}"
    others = [path for path in folder.glob(f"{PREFIX}*") if _order(path) < _order(here)]
    if not here.is_dir():
        here.mkdir(parents=True)
        before = [path for path in others if _order(path)[0] == job.attempt]
        if before:
            _copy(max(before, key=_order), here)
    for other in others:
        shutil.rmtree(other, ignore_errors=True)
    return here


def move_in(arrived: Path, names: Iterable[str], into: Path) -> None:
    """Put files in place in the order of their names, each at once."""
    for name in names:
        target = into / safe_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        (arrived / safe_name(name)).replace(target)


def clear(arrived: Path) -> None:
    """Remove a holder's folder."""
    shutil.rmtree(arrived, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    """Every file that stays where it is meanwhile; what comes is verified before it counts."""
    for path in _files(source):
        copy = target / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # its writer has just given it its name
            shutil.copyfile(path, copy)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _order(path: Path) -> tuple[int, int]:
    """Attempt and token of a holder's folder."""
    attempt, _, token = path.name.removeprefix(PREFIX).partition("-")
    return int(attempt), int(token)
