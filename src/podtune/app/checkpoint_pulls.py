"""Checkpoints of a pod brought here: the newest one when a job leaves, and now and then before that.

A machine can go from one moment to the next, with its disk. What is here is where `resume` goes on.
"""

import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from podtune.app.pod_view import PodView
from podtune.core.job import Job
from podtune.storage import bundle
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
        self, jobs: Path, view: PodView, clock: Callable[[], datetime], *, within_s: float
    ) -> None:
        """`within_s` bounds one call; the next one goes on."""
        self._jobs, self._view, self._clock, self._within_s = jobs, view, clock, within_s
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
        """
        found = port.checkpoints()
        if not found:
            return True
        newest = max(found, key=lambda checkpoint: checkpoint.step)
        folder = self._jobs / job.id / "checkpoints"
        files = sorted(newest.files, key=lambda file: file.name == bundle.SEAL)
        whole = port.fetch_files(
            folder / newest.name,
            files,
            checkpoint=newest.name,
            within_s=self._within_s,
            on_progress=self._view.progress(job, "training", f"fetching {newest.name}"),
        )
        if whole:
            prune(folder)
        return whole


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
