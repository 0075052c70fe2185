"""Checkpoints of a pod brought here: the newest one when a job leaves, and now and then before that.

A machine can go from one moment to the next, with its disk. What is here is where `resume` goes on.
"""

import json
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from podtune.app import incoming
from podtune.app.pod_view import PodView
from podtune.core.clock import Clock
from podtune.core.handover import RemoteFile
from podtune.core.job import Job
from podtune.storage import bundle
from podtune.storage.artifact_folder import sha256_file
from podtune.storage.places import BundleStore, StoreKey
from podtune.storage.pod_files import safe_name
from podtune.storage.pod_port import PodPort

EVERY: Final = timedelta(minutes=5)
"""At most so much of a training is lost with its machine. Chosen: a checkpoint of an 8 B model's adapter
(some 250 MB) takes about 40 s at 50 Mbit/s."""

KEPT: Final = 2
"""Of those that were brought here; the worker itself keeps as many."""

PREFIX: Final = "checkpoint-"


class CheckpointPulls:
    """Remembers when a checkpoint of each job was last asked for."""

    def __init__(
        self,
        jobs: Path,
        view: PodView,
        clock: Clock,
        *,
        within_s: float,
        confirm: Callable[[Job], None],
    ) -> None:
        """`within_s` bounds one call; the next one goes on. `confirm` raises where another holds the job."""
        self._jobs, self._view, self._clock, self._within_s = jobs, view, clock, within_s
        self._confirm = confirm
        self._last: dict[str, datetime] = {}

    def now_and_then(self, job: Job, port: PodPort) -> None:
        """Bring the newest checkpoint here, if the last one was brought long enough ago.

        Raises:
            UnavailableError: the machine does not answer.
        """
        now = self._clock()
        if now - self._last.setdefault(job.id, now) >= EVERY and self.newest(job, port):
            self._last[job.id] = now

    def newest(self, job: Job, port: PodPort) -> bool:
        """Bring the newest sealed checkpoint, its seal last; whether all of it is here.

        Raises:
            UnavailableError: the machine does not answer.
            ArtifactError: what came is not what it has.
            LeaseLostError: another driver holds the job by now.
        """
        found = port.checkpoints()
        if not found:
            return True
        newest = max(found, key=lambda checkpoint: checkpoint.step)
        folder = self._folder(job)
        files = sorted(newest.files, key=lambda file: file.name == bundle.SEAL)
        target = folder / newest.name
        if _has(target, files):
            return True
        arriving = incoming.of(folder, job)
        whole = port.fetch_files(
            arriving / newest.name,
            files,
            checkpoint=newest.name,
            within_s=self._within_s,
            on_progress=self._view.progress(job, "training", f"fetching {newest.name}"),
        )
        if whole:
            self._confirm(job)
            (target / bundle.SEAL).unlink(missing_ok=True)
            incoming.move_in(arriving / newest.name, [file.name for file in files], target)
            incoming.clear(arriving)
            prune(folder)
        return whole

    def left_in(self, store: BundleStore, job: Job) -> bool:
        """The same as the function of this name, in this home."""
        return left_in(store, self._jobs / job.id, job, self._confirm)

    def _folder(self, job: Job) -> Path:
        return self._jobs / job.id / "checkpoints"


def left_in(store: BundleStore, folder: Path, job: Job, confirm: Callable[[Job], None]) -> bool:
    """Bring the checkpoint that a machine left in its job's store; whether all that it left is here.

    Args:
        store: The job's.
        folder: The job's.
        job: The job.
        confirm: Raises where another driver holds the job by now.

    Raises:
        ArtifactError: what came is not what the machine made.
        LeaseLostError: another driver holds the job by now.
    """
    kept = folder / "checkpoints"
    arriving = incoming.of(kept, job)
    is_here = store.fetch_checkpoint(StoreKey(job.id, job.attempt), arriving)
    for came in filter(is_sealed, sorted(arriving.glob(f"{PREFIX}*"))):
        confirm(job)
        shutil.rmtree(kept / came.name, ignore_errors=True)
        came.replace(kept / came.name)
    if is_here:
        incoming.clear(arriving)
    return is_here


def _has(folder: Path, files: Sequence[RemoteFile]) -> bool:
    """Whether a folder holds just these bytes."""
    paths = [(folder / safe_name(file.name), file.sha256) for file in files]
    return all(path.is_file() and sha256_file(path) == digest for path, digest in paths)


def newest_here(folder: Path) -> int | None:
    """The step of the newest sealed checkpoint of a folder; None without one."""
    steps = [
        int(path.name.removeprefix(PREFIX))
        for path in folder.glob(f"{PREFIX}*")
        if path.name.removeprefix(PREFIX).isdecimal() and is_sealed(path)
    ]
    return max(steps, default=None)


def prune(folder: Path) -> None:
    """Remove all sealed checkpoints of a folder but the newest."""
    sealed = [
        (int(path.name.removeprefix(PREFIX)), path)
        for path in folder.glob(f"{PREFIX}*")
        if path.name.removeprefix(PREFIX).isdecimal() and is_sealed(path)
    ]
    for _, path in sorted(sealed)[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def is_sealed(path: Path) -> bool:
    """Whether a checkpoint's folder was written to its end."""
    try:
        return isinstance(json.loads((path / bundle.SEAL).read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False
