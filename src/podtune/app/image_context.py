"""What goes to the builder of the worker's image: podtune, the worker's files, two locks. Nothing else.

    Dockerfile
    requirements/serverless.lock  requirements/serverless-gpu.lock
    runpod-worker/...             the worker's files, the Dockerfile among them
    src/podtune/...               podtune's own modules

A list of what belongs there, not of what does not: a `.env`, a key, `.git` or somebody's data beside the
source is never copied, so it can be in no layer. A checkout and an installed podtune give the same folder.
"""

import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from podtune.core.errors import StateError
from podtune.storage import installed

DOCKERFILE: Final = "Dockerfile"
KINDS: Final = frozenset({".css", ".html", ".ini", ".jinja", ".js", ".mako", ".py", ".sh", ".sql", ".svg", ".typed"})  # fmt: skip
"""Endings of files that podtune and its worker are made of."""

NAMES: Final = frozenset({DOCKERFILE, "requirements.txt"})
"""Files that belong there whatever their ending."""

_APART: Final = (installed.WORKER, installed.LOCKS)
"""Folders of an installed podtune that go elsewhere."""


class Context(NamedTuple):
    """A build context that was written."""

    folder: Path
    files: int
    size: int
    """Bytes."""
    sha256: str
    """Over names and contents; the same files give the same."""


def write(folder: Path) -> Context:
    """Write the context of the worker's image.

    Args:
        folder: An empty folder.

    Raises:
        StateError: a file of this installation is missing, or the folder cannot be written to.
    """
    digest, files, size = hashlib.sha256(), 0, 0
    try:
        for name, source in sorted(_members()):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            target.chmod(0o644)
            content = target.read_bytes()
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
            files, size = files + 1, size + len(content)
    except OSError as error:
        raise StateError(
            f"the files of the image cannot be written to {str(folder)!r}: {error.strerror}",
            hint="free some space; `podtune doctor` shows how much there is",
        ) from error
    return Context(folder, files, size, digest.hexdigest())


def _members() -> Iterator[tuple[str, Path]]:
    """Name in the context and file here."""
    worker = installed.worker_folder()
    if not (worker / DOCKERFILE).is_file():
        raise StateError("the worker's Dockerfile is missing", hint="install podtune again")
    yield DOCKERFILE, worker / DOCKERFILE
    for lock in installed.IMAGE_LOCKS:
        yield f"requirements/{lock}", installed.lock_file(lock)
    for path in _files(worker):
        yield f"runpod-worker/{path.relative_to(worker).as_posix()}", path
    package = installed.package_folder()
    for path in _files(package):
        inside = path.relative_to(package)
        if inside.parts[0] not in _APART:
            yield f"src/podtune/{inside.as_posix()}", path


def _files(folder: Path) -> Iterator[Path]:
    """Files of the kinds that belong there; nothing hidden, and no link to somewhere else."""
    for path in folder.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        wanted = path.suffix in KINDS or path.name in NAMES
        if wanted and not hidden and not path.is_symlink() and path.is_file():
            yield path
