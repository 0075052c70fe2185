"""Folders of jobs that nobody touched for days: removed from the volume, which is paid by the month.

Failed and abandoned jobs leave rows, checkpoints and a log behind, so that they can go on. What is older
than the limit is given up: its whole folder, never a part of one. Knows nothing of training.

A folder is only taken where it is a job's (`asked.json`), and after it was moved aside: a worker that
begins the same job at that moment makes a new one.
"""

import logging
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from podtune.core.units import plural
from serverless_claim import CALLED, FRESH_S, OWNER, Claim
from serverless_order import ASKED, LOG, OUTCOME

KEEP_VARIABLE: Final = "PODTUNE_WORKER_KEEP_DAYS"
"""Of the endpoint: days that an untouched job's folder stays; 0 for ever."""

KEEP_DAYS: Final = 7.0
"""Where the variable is not set. As long as RunPod keeps an endpoint without jobs (runpod.md 0, fact 8)."""

BUDGET_S: Final = 60.0
"""Longest cleaning at one start; what is left comes with the next. Chosen."""

ASIDE: Final = ".removing-"

_TOUCHED: Final = (ASKED, OWNER, OUTCOME, LOG, "events.jsonl", "order.json", "checkpoints", CALLED)
"""Files and folders of a job that change when something happens to it."""

log = logging.getLogger("podtune.worker")


class Cleaned(NamedTuple):
    """What a cleaning did."""

    jobs: tuple[str, ...]
    bytes: int
    finished: bool
    """False where its time was over first."""


def keep_days(environment: Mapping[str, str]) -> float:
    """For how many days an untouched job stays; what is no number of days is told and not followed."""
    told = environment.get(KEEP_VARIABLE, "").strip()
    if not told:
        return KEEP_DAYS
    try:
        days = float(told)
    except ValueError:
        days = -1.0
    if 0 <= days <= 36_500:  # not a number is in no range
        return days
    log.warning("%s is no number of days; %g is taken", KEEP_VARIABLE, KEEP_DAYS)
    return KEEP_DAYS


def clean(
    home: Path,
    days: float,
    keep: Collection[str] = (),
    *,
    clock: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    budget_s: float = BUDGET_S,
) -> Cleaned:
    """Remove the folders of jobs that nobody touched for some days.

    Args:
        home: The worker's; jobs lie below `jobs`.
        days: How long is long; 0 removes nothing.
        keep: Names of jobs that stay in any case: this worker's own.
        clock: Unix seconds, as files have them.
        monotonic: Seconds; bounds the whole.
        budget_s: How long it may take.
    """
    until, removed, freed = monotonic() + budget_s, list[str](), 0
    if days <= 0:
        return Cleaned((), 0, finished=True)
    for folder in _candidates(home / "jobs"):
        if monotonic() >= until:
            return _told(removed, freed, days, finished=False)
        if folder.name in keep:
            continue
        try:
            aside = folder if folder.name.startswith(ASIDE) else _aside(folder, days, clock)
            if aside is None:
                continue
            bytes_, gone = _remove(aside, monotonic, until)
        except OSError as error:  # a volume that hangs, or another worker was quicker
            log.warning("%s was not removed: %s", folder.name, error.strerror)
            continue
        freed += bytes_
        if gone and aside != folder:
            removed.append(folder.name)
        if not gone:
            return _told(removed, freed, days, finished=False)
    return _told(removed, freed, days, finished=True)


def untouched_s(folder: Path, now: float) -> float:
    """Seconds since something last happened to a job; 0 while a worker holds it."""
    owner = Claim(folder, "", "").owner()
    if owner is not None and not owner.left and abs(now - owner.beat_at) < FRESH_S:
        return 0.0
    moments = [now - 36_500 * 86_400.0]
    for path in (folder, *(folder / name for name in _TOUCHED), *(folder / CALLED).glob("*")):
        try:
            moments.append(path.stat().st_mtime)
        except FileNotFoundError:
            continue
    return now - max(moments)


def _candidates(jobs: Path) -> Iterator[Path]:
    """Folders of jobs, and those that were moved aside before; links are none."""
    try:
        names = sorted(
            entry.name for entry in os.scandir(jobs) if entry.is_dir(follow_symlinks=False)
        )
    except FileNotFoundError:
        return
    for name in names:
        if name.startswith(ASIDE) or (jobs / name / ASKED).is_file():
            yield jobs / name


def _aside(folder: Path, days: float, clock: Callable[[], float]) -> Path | None:
    """The folder under another name, where it is old; None where it stays."""
    if untouched_s(folder, clock()) < days * 86_400:
        return None
    aside = folder.with_name(f"{ASIDE}{secrets.token_hex(6)}")
    folder.rename(aside)
    return aside


def _remove(folder: Path, monotonic: Callable[[], float], until: float) -> tuple[int, bool]:
    """Bytes that were freed, and whether all is gone; links are removed, never followed."""
    freed = 0
    for path, folders, files in os.walk(folder, topdown=False):
        for name in (*files, *folders):
            if monotonic() >= until:
                return freed, False
            one = Path(path) / name
            if one.is_dir() and not one.is_symlink():
                one.rmdir()
                continue
            freed += one.lstat().st_size
            one.unlink()
    folder.rmdir()
    return freed, True


def _told(removed: list[str], freed: int, days: float, *, finished: bool) -> Cleaned:
    if removed or not finished:
        log.info(
            "%s untouched for %g days removed, %.1f GB freed%s",
            plural(len(removed), "job"),
            days,
            freed / 1e9,
            "" if finished else "; the time for it is over, the rest comes with the next worker",
        )
    return Cleaned(tuple(removed), freed, finished)
