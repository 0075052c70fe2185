"""A serverless job whose plan was made and approved elsewhere: its bundle fetched, checked and laid out.

`bundle` of the input says that what lies at `dataset_url` is no data set but podtune's own bundle
(`podtune.storage.bundle`): the order with its plan, the rows, perhaps a checkpoint and a base model. What it
says of libraries is passed by: the image has them. Before it is fetched, a mark is put to `upload.begun`: who
has removed the bundle and finds no mark knows that nothing begins any more.
"""

import json
import shutil
import time
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError

import serverless_models
import serverless_plan
import serverless_upload
from podtune.app import device as devices
from podtune.app import effects
from podtune.app.settings import Settings
from podtune.core.errors import ArtifactError, SpecError
from podtune.core.job import WorkerOrder
from podtune.core.plan import Device, Plan
from podtune.core.spec import ModelSource
from podtune.core.states import WorkerStage
from podtune.core.submission import Submission
from podtune.egress.client import Egress
from podtune.storage import archive
from podtune.storage.artifact_folder import sha256_file
from podtune.workflow.folder import JobFolder
from progress import EventWriter
from serverless_order import JobOrder
from serverless_request import Bundle
from serverless_upload import Upload

FOLDER: Final = "bundle"
MARK: Final = "begun.json"


class Given(NamedTuple):
    """What a bundle is laid out with."""

    bundle: Bundle
    asked: Submission
    order: JobOrder
    upload: Upload | None
    settings: Settings


def settle(given: Given, folder: JobFolder, events: EventWriter) -> Plan:
    """The plan of this attempt as it was approved, its rows and its order written.

    Raises:
        PodtuneError: the bundle cannot be fetched or is not what was announced; the worker's machine is not
            fit for the plan; the base model is nowhere.
    """
    events.stage(WorkerStage.DOWNLOADING)
    device = devices.detect()
    plan = serverless_plan.kept(folder, device)
    if plan is None:
        unpacked = _fetched(given, folder, events)
        plan = _plan(unpacked / "job" / "order.json")
        refuse_unfit(plan, device)
        plan = _with_model(plan, given, unpacked, events)
        _lay_out(unpacked / "job", folder)
        effects.check_copies(plan, folder)
    name, attempt = given.asked.job_id, given.order.attempt
    effects.write_order(folder, name, attempt, plan, given.settings.models)
    return plan


def refuse_unfit(plan: Plan, device: Device) -> None:
    """Raise where this machine is another than the plan was made for.

    Raises:
        SpecError: code `machine_unfit`.
    """
    wanted = plan.device
    same = wanted.kind == device.kind and device.count >= plan.spec.where.count
    if same and device.memory_bytes >= serverless_plan.MEMORY_SLACK * wanted.memory_bytes:
        return
    raise SpecError(
        f"the plan is for {plan.spec.where.count} x {wanted.name} ({wanted.memory_bytes / 1e9:.0f} GB), this "
        f"worker has {device.count} x {device.name} ({device.memory_bytes / 1e9:.0f} GB)",
        code="machine_unfit",
        hint="plan it again: the endpoint's cards have changed",
    )


def mark(given: Given, folder: JobFolder) -> None:
    """Say in the job's store that this job begins, where an address for that was given.

    Raises:
        PodtuneError: it cannot be said, so nothing may begin: whoever ordered could not know.
    """
    address = given.upload.begun if given.upload else None
    if address is None:
        return
    path = folder.path / MARK
    path.write_text(json.dumps({"external_job_id": given.order.external_id}), encoding="utf-8")
    client = Egress(given.settings.egress_policy)
    serverless_upload.put(
        address, "begun", path, "application/json", client, lambda done, total: None, time.sleep
    )


def _fetched(given: Given, folder: JobFolder, events: EventWriter) -> Path:
    """The bundle, unpacked.

    Raises:
        PodtuneError: as `Egress.download`; code `integrity_mismatch` where it is another.
    """
    mark(given, folder)
    packed = folder.path / f"{FOLDER}.tar"
    packed.unlink(missing_ok=True)

    def tell(done: int, total: int | None) -> None:
        events.task("download bundle", done, total, "bytes")

    client = Egress(given.settings.egress_policy)
    got = client.download(given.asked.dataset_url, packed, on_progress=tell).path
    if got.stat().st_size != given.bundle.bytes or sha256_file(got) != given.bundle.sha256:
        got.unlink()
        raise ArtifactError(
            "what lies at the bundle's address is not what was announced",
            code="integrity_mismatch",
            hint="submit the job again",
        )
    unpacked = folder.path / FOLDER
    shutil.rmtree(unpacked, ignore_errors=True)
    archive.unpack(got, unpacked, compressed=False)
    got.unlink()
    return unpacked


def _plan(path: Path) -> Plan:
    """The plan of a bundle's order.

    Raises:
        SpecError: code `worker_outdated`: it is of another version of podtune.
    """
    try:
        return WorkerOrder.model_validate_json(path.read_bytes()).plan
    except (OSError, ValidationError) as error:
        raise SpecError(
            "this worker's image cannot read the order: it is of another version of podtune",
            code="worker_outdated",
            hint="podtune runpod image, then podtune runpod deploy --image IMAGE",
        ) from error


def _with_model(plan: Plan, given: Given, unpacked: Path, events: EventWriter) -> Plan:
    """The plan with its base model where it is on this machine.

    Raises:
        PodtuneError: `model_not_found`.
    """
    base = plan.spec.base_model
    if base.source is ModelSource.PATH:
        there = (unpacked / "job" / base.name).resolve()
        if not there.is_relative_to(unpacked.resolve()) or not there.is_dir():
            raise ArtifactError("the bundle lacks the base model", code="artifact_incomplete")
        return _at(plan, there)
    found = serverless_models.find(base.name, given.order.places)
    for warning in found.warnings:
        events.warning(warning)
    if found.folder is None:
        return plan
    if found.revision != base.revision:
        if found.revision is not None:
            events.warning(f"{base.name} on the volume is of another commit than planned: fetched")
            return plan
        events.warning(f"{base.name} is taken from the volume, which does not tell its commit")
    return _at(plan, found.folder)


def _at(plan: Plan, folder: Path) -> Plan:
    """The plan with its base model in a folder here; it keeps its name, which the adapter tells others."""
    base = plan.spec.base_model.model_copy(
        update={"name": str(folder), "source": ModelSource.PATH, "revision": None}
    )
    return plan.model_copy(update={"spec": plan.spec.model_copy(update={"base_model": base})})


def _lay_out(job: Path, folder: JobFolder) -> None:
    """Rows and checkpoints of the bundle in the job's folder; what the folder has of a checkpoint stays."""
    shutil.rmtree(folder.data, ignore_errors=True)
    (job / "data").replace(folder.data)
    kept = folder.path / "checkpoints"
    kept.mkdir(exist_ok=True)
    for found in (job / "checkpoints").glob("checkpoint-*"):
        if not (kept / found.name).exists():
            found.replace(kept / found.name)
