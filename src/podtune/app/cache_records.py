"""What this installation remembers of model caches: what was filled, and which machines fill now.

    model-caches/filled/<volume>/<folder>.json   the seal of a folder that was filled from here
    model-caches/runs/<run>/                     run.json (its machines), alive (a lock), orders/

A machine that fills a volume belongs to no job, so a reaper would end it. It does not while the command that
ordered it lives: that holds the lock `alive`, which the system gives back when it dies, however it dies. From
then on the reaper ends the machine, and the next command does so before it orders another.
"""

import json
import os
import re
import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from podtune.core.cache_filling import Seal
from podtune.core.job import Instance, TerminationProof
from podtune.workflow.reaper import Account

FOLDER: Final = "model-caches"
_RUN: Final = "run.json"
_ALIVE: Final = "alive"
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")


class Run(BaseModel):
    """One filling, and the machines that were ordered for it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job: str
    volume: str
    model: str
    names: tuple[str, ...] = ()
    """Of machines that are not proved gone."""
    ids: Mapping[str, str] = {}
    """Name -> id, where it is known."""


class CacheRecords:
    """The records of one home."""

    def __init__(self, home: Path) -> None:
        """Nothing is written yet."""
        self._folder = home / FOLDER
        self._runs = self._folder / "runs"

    def folder(self, job: str) -> Path:
        """Where a run keeps its orders."""
        return self._runs / job

    @contextmanager
    def alive(self, run: Run) -> Generator[None]:
        """Keep a run's machines from reapers while this process lives."""
        folder = self.folder(run.job)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / _ALIVE):
            self.write(run)
            yield
        self.forget(run.job)

    def write(self, run: Run) -> None:
        """Write a run down, all at once and for good."""
        _write(self.folder(run.job) / _RUN, run.model_dump_json())

    def forget(self, job: str) -> None:
        """Remove a run whose machines are all proved gone; another one stays."""
        run = self._read(self.folder(job))
        if run is not None and not run.names:
            shutil.rmtree(self.folder(job), ignore_errors=True)

    def left(self) -> list[Run]:
        """Runs whose command has died before their machines were proved gone."""
        return [run for run, is_alive in self._all() if run.names and not is_alive]

    def busy(self, volume: str) -> bool:
        """Whether a living command fills a volume."""
        return any(run.volume == volume and is_alive for run, is_alive in self._all())

    def held(self) -> set[str]:
        """Names of machines that a living command uses."""
        return {name for run, is_alive in self._all() if is_alive for name in run.names}

    def note(self, volume: str, folder: str, seal: Seal) -> None:
        """Remember what a folder of a volume holds."""
        place = self._noted(volume)
        place.mkdir(parents=True, exist_ok=True)
        _write(place / f"{folder}.json", seal.model_dump_json())

    def noted(self, volume: str) -> Mapping[str, Seal]:
        """Folder -> what it was filled with from here; of a volume that somebody changed since it may be wrong."""
        found: dict[str, Seal] = {}
        for path in sorted(self._noted(volume).glob("*.json")):
            try:
                found[path.stem] = Seal.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):
                continue
        return found

    def unnote(self, volume: str, folder: str) -> None:
        """Forget what a folder was filled with."""
        (self._noted(volume) / f"{folder}.json").unlink(missing_ok=True)

    def _noted(self, volume: str) -> Path:
        name = volume if _NAME.fullmatch(volume) else volume.encode().hex()
        return self._folder / "filled" / name

    def _all(self) -> list[tuple[Run, bool]]:
        """Every run, and whether its command lives."""
        found: list[tuple[Run, bool]] = []
        for folder in sorted(self._runs.glob("*")):
            is_alive = _is_locked(folder / _ALIVE)
            run = self._read(folder)
            if run is not None:
                found.append((run, is_alive))
        return found

    def _read(self, folder: Path) -> Run | None:
        try:
            return Run.model_validate_json((folder / _RUN).read_bytes())
        except (OSError, ValidationError):
            return None


class SparingAccount:
    """An account whose reaper does not see machines that a living command fills caches with."""

    def __init__(self, account: Account, home: Path) -> None:
        """`home` holds the records."""
        self._account, self._records = account, CacheRecords(home)

    def owned(self, owner: str) -> Sequence[Instance]:
        """Every other machine of an installation."""
        # The list first: a machine that it shows was written down before it was ordered.
        there = self._account.owned(owner)
        held = self._records.held()
        return [one for one in there if one.name not in held]

    def end_one(self, name: str, instance_id: str) -> TerminationProof | None:
        """As of the account."""
        return self._account.end_one(name, instance_id)

    def told_at(self) -> datetime | None:
        """As of the account."""
        return self._account.told_at()


def _is_locked(path: Path) -> bool:
    """Whether another process (or another lock of this one) holds a lock."""
    if not path.exists():
        return False
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return True
    lock.release()
    return False


def _write(path: Path, text: str) -> None:
    """Write a small file, all at once, so that a crash leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(json.loads(text), indent=1))
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
