"""The bundle: one tar with everything a rented machine needs to train a job.

    podtune-<version>-py3-none-any.whl   podtune with the worker inside
    requirements.lock                    its libraries by hash, torch apart
    base-model.lock                      the packaged base model, where it is trained on
    job/order.json  job/data/*.jsonl     the order, with paths as they are there
    job/checkpoints/checkpoint-N/        to go on from
    model/<name>/                        a base model that is a folder here

The same job gives the same bytes: members are sorted, owner, mode and times fixed. No secret and no
path of this machine is in it. Memory stays flat.
"""

import hashlib
import io
import json
import re
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from podtune.core.errors import ArtifactError, SpecError
from podtune.core.job import Job, WorkerOrder
from podtune.core.spec import BaseModelSpec, ModelSource
from podtune.core.units import gib
from podtune.storage import installed
from podtune.storage.artifact_folder import sha256_file
from podtune.storage.bootstrap_program import bootstrap_program as bootstrap_program

LOCK: Final = "requirements.lock"
MAX_MODEL_BYTES: Final = 4 * 10**9
"""Largest base-model folder that is sent along: 4 GB take 11 minutes at 50 Mbit/s."""

SEAL: Final = "complete.json"
"""Written last into a checkpoint (runpod-worker/checkpoints.py)."""

_PLACES: Final = ("base_model.name", "data.source", "data.validation_source", "deliver.to")
"""Fields of the spec that may hold a path of this machine."""

_DATA: Final = ("train.jsonl", "validation.jsonl")
_BLOCK: Final = 1024 * 1024
_MODE: Final = 0o644


class Bundle(NamedTuple):
    """A bundle that was written."""

    path: Path
    sha256: str
    size: int
    """Bytes."""


def make(job: Job, folder: Path, target: Path, *, model: Path | None = None) -> Bundle:
    """Write the bundle of a job's present attempt.

    Args:
        job: The job.
        folder: Its folder, with `order.json`, `data/` and perhaps `checkpoints/`.
        target: Where the tar is written; one that is there is replaced.
        model: A base-model folder to send along although the plan takes it from the Hub.

    Raises:
        SpecError: the base model is too large to be sent along.
        ArtifactError: a file is missing, or the bundle cannot be written.
    """
    order = WorkerOrder.model_validate_json((folder / "order.json").read_bytes())
    base = model or model_folder(order.plan.spec.base_model)
    if base is not None:
        refuse_large(base)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".podtune-") as temporary:
            wheel = installed.write_wheel(Path(temporary) / installed.wheel_name())
            said = order.model_copy(update={"job": job.id, "attempt": job.attempt})
            staged = _write(
                Path(temporary) / "bundle.tar",
                order_text(said, folder, base),
                sorted(_members(order, folder, base, wheel)),
            )
            staged.path.replace(target)
    except OSError as error:
        raise ArtifactError(
            f"the bundle cannot be written to {str(target)!r}: {error.strerror or error}",
            code="bundle_failed",
            hint="free some space; `podtune doctor` shows how much there is",
        ) from error
    return staged._replace(path=target)


def refuse_large(base: Path) -> int:
    """The size of a base-model folder in bytes.

    Raises:
        SpecError: it is too large to be sent along.
    """
    size = sum(path.stat().st_size for path in _files(base))
    if size > MAX_MODEL_BYTES:
        raise SpecError(
            f"the base model {base.name!r} has {gib(size)}, at most "
            f"{gib(MAX_MODEL_BYTES)} are sent along",
            code="model_too_large",
            hint="put it into a private repository of the Hub (hf upload org/name FOLDER) and name "
            "that: --model org/name",
        )
    return size


def lock_sha256() -> str:
    """sha256 of the lock in a bundle: an image that holds its libraries says the same."""
    return sha256_file(installed.lock_file(installed.POD_LOCK))


def order_text(order: WorkerOrder, folder: Path, base: Path | None) -> bytes:
    """`order.json` as it is on the machine: relative to the job's folder, which the worker runs in.

    Args:
        order: As it is here.
        folder: The job's folder here.
        base: The base model that is sent along.
    """
    plan = order.plan
    names: dict[str, str] = {str(folder.resolve()): "job", str(Path.home()): "home"}
    places = [plan.spec.data.source, plan.spec.data.validation_source, plan.report.source]
    places += [plan.spec.deliver.to, order.models_dir, plan.base_model.location]
    if plan.validation_report:
        places.append(plan.validation_report.source)
    if plan.spec.base_model.source is ModelSource.PATH:
        places.append(plan.spec.base_model.name)
    for place in places:
        if place and Path(place).is_absolute():
            names[place] = Path(place).name
    if base is not None:
        names[str(base)] = names[str(base.resolve())] = base.name
    value = order.model_dump(mode="json")
    _rename_paths(value["plan"], names)
    value["models_dir"] = "../models"
    if base is not None:
        _place_model(value["plan"], base)
    return json.dumps(value, indent=1, ensure_ascii=False).encode()


def _rename_paths(plan: dict[str, Any], names: dict[str, str]) -> None:
    """In every part that may name a place; texts that are trained on stay as they are."""
    for path in _PLACES:
        section, _, key = path.partition(".")
        plan["spec"][section][key] = _renamed(plan["spec"][section][key], names)
    for note in plan["fields"]:
        note["why"] = _renamed(note["why"], names)
        if note["path"] in _PLACES:
            note["value"] = _renamed(note["value"], names)
    for part in ("report", "validation_report", "base_model", "warnings", "time", "schedule"):
        plan[part] = _renamed(plan[part], names)


def _place_model(plan: dict[str, Any], base: Path) -> None:
    where = {"name": f"../model/{plain_name(base.name)}", "source": str(ModelSource.PATH)}
    plan["spec"]["base_model"].update(where)
    plan["base_model"]["location"] = None


def _renamed(value: object, names: dict[str, str]) -> object:
    """Every text of a JSON value with the places of this machine replaced by names."""
    if isinstance(value, str):
        for place, name in sorted(names.items(), key=lambda pair: -len(pair[0])):
            value = value.replace(place, name)
        return value
    if isinstance(value, list):
        return [_renamed(one, names) for one in cast("list[object]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return {key: _renamed(one, names) for key, one in pairs}
    return value


def model_folder(spec: BaseModelSpec) -> Path | None:
    """The folder of a base model that is sent along; None where it comes from elsewhere.

    Raises:
        ArtifactError: it is not there any more.
    """
    if spec.source is not ModelSource.PATH:
        return None
    folder = Path(spec.name)
    if not (folder / "config.json").is_file():
        raise ArtifactError(
            f"the base model is no longer at {spec.name!r}",
            code="model_not_found",
            hint="put it back, or train with another --model",
        )
    return folder


def _members(
    order: WorkerOrder, folder: Path, base: Path | None, wheel: Path
) -> Iterator[tuple[str, Path]]:
    """Name in the tar and file, `order.json` apart."""
    yield wheel.name, wheel
    yield LOCK, installed.lock_file(installed.POD_LOCK)
    if order.plan.spec.base_model.source is ModelSource.PACKAGE:
        yield installed.BASE_MODEL_LOCK, installed.lock_file(installed.BASE_MODEL_LOCK)
    for name in _DATA:
        if (folder / "data" / name).is_file():
            yield f"job/data/{name}", folder / "data" / name
    checkpoint = newest_checkpoint(folder / "checkpoints")
    if checkpoint is not None:
        for path in _files(checkpoint):
            inside = path.relative_to(checkpoint).as_posix()
            yield f"job/checkpoints/{checkpoint.name}/{inside}", path
    if base is not None:
        for path in _files(base):
            yield f"model/{plain_name(base.name)}/{path.relative_to(base).as_posix()}", path


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest sealed checkpoint whose files are as when it was sealed."""
    numbered = {
        int(path.name.removeprefix("checkpoint-")): path
        for path in folder.glob("checkpoint-*")
        if path.name.removeprefix("checkpoint-").isdecimal()
    }
    for number in sorted(numbered, reverse=True):
        if _is_whole(numbered[number]):
            return numbered[number]
    return None


def _is_whole(checkpoint: Path) -> bool:
    try:
        sums: dict[str, str] = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        return all(sha256_file(checkpoint / name) == digest for name, digest in sums.items())
    except (OSError, ValueError, AttributeError):
        return False


def _files(folder: Path) -> list[Path]:
    """Every file below a folder; links are followed (the Hub's cache is made of them)."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )


def plain_name(name: str) -> str:
    """A folder's name of safe signs."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-") or "model"


def _write(path: Path, order: bytes, members: list[tuple[str, Path]]) -> Bundle:
    with path.open("xb") as stream:
        with tarfile.TarFile(fileobj=stream, mode="w", copybufsize=_BLOCK) as tar:
            tar.addfile(_header("job/order.json", len(order)), io.BytesIO(order))
            for name, file in members:
                with file.open("rb") as content:
                    tar.addfile(_header(name, file.stat().st_size), content)
        stream.flush()
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Bundle(path, digest, path.stat().st_size)


def _header(name: str, size: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, _MODE
    return header
