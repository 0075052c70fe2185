"""What of this installation travels to other machines: podtune, the worker's files, locks.

In a checkout they lie beside the source, in an installed podtune inside the package; the wheel that
is made of either is the same to the byte.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import podtune
from podtune.core.errors import StateError

WORKER: Final = "worker"
LOCKS: Final = "locks"
POD_LOCK: Final = "pod.lock"
BASE_MODEL_LOCK: Final = "base-model.lock"
IMAGE_LOCKS: Final = ("serverless.lock", "serverless-gpu.lock")
"""What the serverless worker's image holds; no pod needs them, so the wheel that pods get has them not."""

_SKIPPED: Final = frozenset({"__pycache__", ".DS_Store"})
_TIME: Final = (1980, 1, 1, 0, 0, 0)
"""The earliest a zip can say; the same each time."""


def package_folder() -> Path:
    """Where podtune's own modules are."""
    return Path(podtune.__file__).resolve().parent


def worker_folder() -> Path:
    """The worker's files.

    Raises:
        StateError: they are missing.
    """
    package = package_folder()
    for candidate in (package.parent.parent / "runpod-worker", package / WORKER):
        if (candidate / "train_lora.py").is_file():
            return candidate
    raise StateError("the worker's files are missing", hint="install podtune again")


def lock_file(name: str) -> Path:
    """A lock of hash-pinned libraries.

    Args:
        name: `POD_LOCK`, `BASE_MODEL_LOCK` or one of `IMAGE_LOCKS`.

    Raises:
        StateError: it is missing.
    """
    package = package_folder()
    for candidate in (package.parent.parent / "requirements" / name, package / LOCKS / name):
        if candidate.is_file():
            return candidate
    raise StateError(f"the lock {name} is missing", hint="install podtune again")


def wheel_name() -> str:
    """The wheel's file name."""
    return f"podtune-{podtune.__version__}-py3-none-any.whl"


def write_wheel(path: Path) -> Path:
    """Write podtune as a wheel: the same installation, the same bytes.

    Args:
        path: The wheel's path; its folder exists.
    """
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in sorted(_contents()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return path


def _contents() -> Iterator[tuple[str, bytes]]:
    """Name in the wheel and bytes of everything it holds."""
    package = package_folder()
    for path in _files(package):
        name = path.relative_to(package)
        if name.parts[0] not in (WORKER, LOCKS):
            yield f"podtune/{name.as_posix()}", path.read_bytes()
    worker = worker_folder()
    for path in _files(worker):
        yield f"podtune/{WORKER}/{path.relative_to(worker).as_posix()}", path.read_bytes()
    for lock in (POD_LOCK, BASE_MODEL_LOCK):
        yield f"podtune/{LOCKS}/{lock}", lock_file(lock).read_bytes()
    about = f"podtune-{podtune.__version__}.dist-info"
    said = f"Metadata-Version: 2.1\nName: podtune\nVersion: {podtune.__version__}\n"
    yield f"{about}/METADATA", said.encode()
    tags = "Wheel-Version: 1.0\nGenerator: podtune\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    yield f"{about}/WHEEL", tags.encode()


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not _SKIPPED.intersection(path.parts) and path.suffix != ".pyc":
            yield path
