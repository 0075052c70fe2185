"""An artifact as one archive, packed for a request and gone once it was sent."""

import functools
import shutil
import tempfile
from pathlib import Path
from typing import Final

from anyio import to_thread
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from podtune.app.desk import Desk
from podtune.app.preparing import PACKED
from podtune.core.errors import StateError
from podtune.gateway.limits import PACKING
from podtune.storage import archive

KEPT_FREE: Final = 1 << 30
"""Bytes of the disk that no archive takes; chosen, as uploads have it."""


async def answer(desk: Desk, job_id: str, name: str) -> FileResponse:
    """A completed job's artifact as `.tar.gz`.

    Args:
        desk: The caller's.
        job_id: Of a job.
        name: What the file is called for whoever saves it.

    Raises:
        NotFoundError: the caller has no such job, or it has no artifact.
        StateError: code `disk_full`.
    """
    work = functools.partial(_packed, desk, job_id)
    folder, path = await to_thread.run_sync(work, limiter=PACKING.limiter)
    return FileResponse(
        path,
        media_type="application/gzip",
        filename=name,
        background=BackgroundTask(folder.cleanup),
    )


def _packed(desk: Desk, job_id: str) -> "tuple[tempfile.TemporaryDirectory[str], Path]":
    """A fresh archive in a folder that goes once it was sent; `Preparing.sweep` removes what a crash left."""
    source = desk.artifact(job_id)
    place = desk.service.settings.home / "downloads"
    place.mkdir(parents=True, exist_ok=True)
    size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    if shutil.disk_usage(place).free - size < KEPT_FREE:
        raise StateError(
            "the disk of this gateway is full",
            code="disk_full",
            hint="free some space in PODTUNE_HOME",
        )
    folder = tempfile.TemporaryDirectory(prefix=PACKED, dir=place)
    try:
        return folder, archive.pack(source, Path(folder.name) / "adapter.tar.gz").path
    except BaseException:
        folder.cleanup()
        raise
