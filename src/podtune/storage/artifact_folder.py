"""An artifact on disk: checksums, verification and copies."""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from podtune.core.artifact import (
    PROOF,
    RECEIPT,
    Artifact,
    EffectProof,
    required_files,
    weights_file,
)
from podtune.core.errors import ArtifactError, ConflictError

_CHUNK: Final = 1024 * 1024


def sha256_file(path: Path) -> str:
    """sha256 of a file in hex, in constant memory."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """File -> sha256 for every file of an artifact but the receipt, sorted by name."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / RECEIPT)
    return {p.relative_to(folder).as_posix(): sha256_file(p) for p in files}


def combined(files: Mapping[str, str]) -> str:
    """One sha256 for all: over the sorted lines `<sha256>  <file>`."""
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def verify(folder: Path, expected: Mapping[str, str]) -> Artifact:
    """Check an artifact against what its maker said, and that its proof passed.

    Raises:
        ArtifactError: a file is missing, differs, or the proof did not pass.
    """
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set[str]()
    missing = [n for n in required_files(names) if not (folder / n).is_file()]
    if missing:
        raise ArtifactError(f"the artifact lacks {', '.join(missing)}", code="artifact_incomplete")
    files = checksums(folder)
    differing = sorted(n for n in files.keys() | expected.keys() if files.get(n) != expected.get(n))
    if differing:
        raise ArtifactError(
            f"checksum differs for {', '.join(differing)}",
            code="integrity_mismatch",
            hint="the files were changed after training; train again or fetch them again",
        )
    try:
        proof = EffectProof.model_validate_json((folder / PROOF).read_bytes())
    except ValidationError as error:
        raise ArtifactError(f"{PROOF} cannot be read", code="bad_proof") from error
    if not proof.passed or proof.adapter_sha256 != files[weights_file(files)]:
        raise ArtifactError(
            "the adapter's proof of effect did not pass",
            code="no_effect",
            hint="train longer or with a higher learning rate",
        )
    size = sum((folder / name).stat().st_size for name in files)
    return Artifact(
        uri=folder.resolve().as_uri(), files=files, size_bytes=size, sha256=combined(files)
    )


def copy(folder: Path, target: Path) -> Path:
    """Copy an artifact folder, all or nothing; the same artifact already there is success.

    Raises:
        ConflictError: the target holds something else.
        ArtifactError: the copy failed (disk full, no permission).
    """
    if target.resolve().is_relative_to(folder.resolve()):
        raise ConflictError(f"{str(target)!r} is inside the artifact itself")
    if target.exists():
        if target.is_dir() and _same(target, folder):
            return target
        if not target.is_dir() or any(target.iterdir()):
            raise ConflictError(
                f"{str(target)!r} exists and is not this artifact",
                hint="name another folder with -o, or remove that one",
            )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".podtune-") as temporary:
            staged = Path(temporary) / "artifact"
            shutil.copytree(folder, staged)
            if target.is_dir():
                target.rmdir()
            staged.replace(target)
    except OSError as error:
        raise ArtifactError(
            f"the artifact cannot be copied to {str(target)!r}: {error.strerror or error}",
            code="copy_failed",
            hint="name a folder you may write to, with enough room",
        ) from error
    return target


def _same(left: Path, right: Path) -> bool:
    """Whether two folders hold the same artifact and the same receipt."""
    receipts = [
        (f / RECEIPT).read_bytes() if (f / RECEIPT).is_file() else b"" for f in (left, right)
    ]
    return receipts[0] == receipts[1] and checksums(left) == checksums(right)
