"""The bundle: fetched or received, checked, unpacked by own rules, installed by one command.

Only plain files below the folder are taken; tarfile's and zipfile's own `extractall` is not used
(CVE-2025-4517 is in Python 3.11.7; reliability-security.md 0.8, 2026-11-22).
"""

import hashlib
import shutil
import sys
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO, Any

LOCK = "requirements.lock"
MODEL_LOCK = "base-model.lock"
"""The packaged base model, where it is trained on."""

BLOCK = 2**20
MAX_FILES = 10_000
TIMEOUT_S = 60.0
USER_AGENT = "podtune-pod/1"


class CargoError(Exception):
    """The bundle is not what was announced."""


def sha256_of(path: Path, moved: Callable[[], None]) -> str:
    """sha256 in hex; `moved` is called while it is computed."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(16 * BLOCK):
            digest.update(block)
            moved()
    return digest.hexdigest()


def download(bundle: dict[str, Any], path: Path, moved: Callable[[], None]) -> None:
    """Fetch the bundle from its address, from the byte the file already reaches.

    Raises:
        CargoError: the address does not answer as it should.
    """
    have = path.stat().st_size if path.exists() else 0
    if have >= bundle["bytes"]:
        return
    headers = {"User-Agent": USER_AGENT, **(bundle.get("headers") or {})}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(bundle["url"], headers=headers)  # noqa: S310 - checked by orders
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with (
            opener.open(request, timeout=TIMEOUT_S) as answer,
            path.open("ab" if answer.status == 206 else "wb") as stream,
        ):
            while block := answer.read(BLOCK):
                if stream.tell() + len(block) > bundle["bytes"]:
                    raise CargoError("the address gives more than was announced")
                stream.write(block)
                moved()
    except urllib.error.HTTPError as error:
        raise CargoError(f"the bundle's address answers {error.code}") from None
    except urllib.error.URLError as error:
        raise CargoError(f"the bundle's address cannot be reached: {error.reason}") from None


def unpack(bundle: Path, folder: Path, moved: Callable[[], None]) -> list[str]:
    """Unpack the bundle's tar into a new folder; returns the files' names.

    Raises:
        CargoError: a member is no plain file below the folder.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names: list[str] = []
    try:
        with tarfile.open(bundle, "r:") as tar:
            for member in tar:
                if not (member.isreg() or member.isdir()) or member.issparse():
                    raise CargoError("a member of the bundle is no plain file")
                path = folder / _safe(member.name)
                if member.isdir():
                    path.mkdir(parents=True, exist_ok=True)
                    continue
                content = tar.extractfile(member)
                if content is None:
                    raise CargoError("a member of the bundle cannot be read")
                _write(path, content, member.size, moved)
                names.append(member.name)
                if len(names) > MAX_FILES:
                    raise CargoError(f"the bundle holds over {MAX_FILES} files")
    except (tarfile.TarError, EOFError) as error:
        raise CargoError(f"the bundle is no undamaged tar: {error}") from None
    return names


def unpack_wheel(wheel: Path, folder: Path, moved: Callable[[], None]) -> None:
    """Unpack podtune's wheel beside the libraries.

    Raises:
        CargoError: it is no wheel.
    """
    shutil.rmtree(folder / "podtune", ignore_errors=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                path = folder / _safe(member.filename)
                if member.is_dir():
                    continue
                path.unlink(missing_ok=True)  # dist-info of an earlier attempt
                with archive.open(member) as content:
                    _write(path, content, member.file_size, moved)
    except (zipfile.BadZipFile, EOFError) as error:
        raise CargoError(f"podtune's wheel is damaged: {error}") from None


def wheel_of(folder: Path) -> Path:
    """The wheel of podtune in an unpacked bundle.

    Raises:
        CargoError: it is not there.
    """
    found = sorted(folder.glob("podtune-*.whl"))
    if len(found) != 1:
        raise CargoError("the bundle holds no wheel of podtune")
    return found[0]


def install_command(lock: Path, libraries: Path) -> list[str]:
    """The one way anything is installed on a machine: by hash, wheels only, nothing resolved."""
    return [
        sys.executable, "-m", "pip", "install", "--no-deps", "--require-hashes",
        "--only-binary", ":all:", "--target", str(libraries), "-r", str(lock),
    ]  # fmt: skip


def _safe(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    stray = path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name
    if stray or not path.parts or not name.isprintable():
        raise CargoError("a name in the bundle leads out of its folder")
    return path


def _write(path: Path, content: IO[bytes], size: int, moved: Callable[[], None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as stream:
        while block := content.read(BLOCK):
            stream.write(block)
            moved()
        if stream.tell() != size:
            raise CargoError("a member of the bundle is cut short")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None
