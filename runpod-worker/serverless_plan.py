"""What a serverless job trains, on this worker: the data set fetched, the base model found, the plan made.

A job that goes on from a checkpoint keeps its plan, for the checkpoint is of that plan; where the worker
has another device, it is planned anew from the data set that was kept.
"""

import shutil
from pathlib import Path
from typing import Final

import serverless_models
from podtune.app import device as devices
from podtune.app import effects, fetch, planner, rows
from podtune.app.settings import Settings
from podtune.core.errors import DatasetError, PodtuneError, SpecError
from podtune.core.job import WorkerOrder
from podtune.core.plan import Device, Plan
from podtune.core.request import TrainingRequest
from podtune.core.spec import CALLBACK, AdapterKind
from podtune.core.states import WorkerStage
from podtune.core.submission import Submission, request_of, warnings_of
from podtune.workflow.folder import JobFolder
from progress import EventWriter
from serverless_models import Found
from serverless_order import JobOrder

SOURCE: Final = "source"
_NOT_OURS: Final = (CALLBACK, "where.max_usd", "where.max_hours")
"""What a request says to whoever runs it, not to the training."""

MEMORY_SLACK: Final = 0.97
"""Cards of one name differ a little in what they tell of their memory."""


def settle(
    asked: Submission, order: JobOrder, folder: JobFolder, settings: Settings, events: EventWriter
) -> Plan:
    """The plan of this attempt, its rows and its order written.

    Raises:
        PodtuneError: the data, the base model or the machine are not fit for it.
    """
    events.stage(WorkerStage.DOWNLOADING)
    device = devices.detect()
    plan = kept(folder, device)
    if plan is None:
        for warning in (*warnings_of(asked), *about_card(asked, device)):
            events.warning(warning)
        if asked.max_usd is not None:
            events.warning("max_usd: a worker does not know its price; max_hours limits it")
        source = fetched(asked, folder, settings, events)
        plan = planned(asked, order, source, device, settings, events)
        write_rows(plan, folder, settings)
    effects.write_order(folder, asked.job_id, order.attempt, plan, settings.models)
    return plan


def kept(folder: JobFolder, device: Device) -> Plan | None:
    """The plan of an earlier attempt, if this worker can go on with it."""
    if not folder.order.is_file():
        return None
    try:
        plan = WorkerOrder.model_validate_json(folder.order.read_bytes()).plan
        effects.check_copies(plan, folder)
    except (ValueError, DatasetError):  # of another version, or cut short: planned anew
        return None
    here = plan.base_model.location is None or Path(plan.base_model.location).is_dir()
    same = plan.device.kind == device.kind and device.count >= plan.spec.where.count
    roomy = device.memory_bytes >= MEMORY_SLACK * plan.device.memory_bytes
    return plan if here and same and roomy else None


def fetched(asked: Submission, folder: JobFolder, settings: Settings, events: EventWriter) -> Path:
    """The data set as a file of this machine; one that was fetched whole before is taken.

    Raises:
        PodtuneError: as `fetch.fetch`: refused, expired, too large, out of reach.
    """
    there = folder.path / SOURCE
    known = sorted(there.iterdir()) if there.is_dir() else []
    if len(known) == 1:
        return known[0]
    incoming = folder.path / f"{SOURCE}.part"
    shutil.rmtree(incoming, ignore_errors=True)
    shutil.rmtree(there, ignore_errors=True)

    def tell(done: int, total: int | None) -> None:
        events.task("download data", done, total, "bytes")

    got = fetch.fetch(asked.dataset_url, incoming, settings, tell)
    incoming.replace(there)
    return there / got.name


def planned(
    asked: Submission,
    order: JobOrder,
    source: Path,
    device: Device,
    settings: Settings,
    events: EventWriter,
) -> Plan:
    """Plan the request for this machine.

    Raises:
        PodtuneError: `model_not_found` with every place that was looked at; as the planner says.
    """
    refuse_small(asked, device)
    found = serverless_models.find(asked.hyperparameters.base_model, order.places)
    for warning in found.warnings:
        events.warning(warning)
    request = request_for(asked, source, found, device)
    try:
        plan = planner.make_plan(request, settings)
    except PodtuneError as error:
        if error.code != "model_not_found" or found.folder is not None:
            raise
        name = asked.hyperparameters.base_model
        tried = (*found.tried, "the caches of HF_HOME", "the Hub")
        raise serverless_models.not_found(name, tried, error.message, order.places) from error
    for warning in plan.warnings:
        events.warning(warning)
    return named(plan, asked.hyperparameters.base_model, found)


def request_for(asked: Submission, source: Path, found: Found, device: Device) -> TrainingRequest:
    """The request for our planner: this machine, this file, that folder; 4 bits on a GPU."""
    stated = dict(request_of(asked, source=str(source)).stated)
    for path in _NOT_OURS:
        stated.pop(path, None)
    stated["where.on"] = "local"
    if found.folder is not None:
        stated["base_model.name"] = str(found.folder)
        stated["base_model.source"] = "path"
    if device.kind == "cuda":
        stated["adapter.kind"] = AdapterKind.QLORA.value
    return TrainingRequest(stated=stated)


def named(plan: Plan, name: str, found: Found) -> Plan:
    """The plan with the base model called as it was asked for: the adapter tells it to others."""
    if found.folder is None:
        return plan
    facts = plan.base_model.model_copy(update={"name": name, "revision": found.revision})
    return plan.model_copy(update={"base_model": facts})


def refuse_small(asked: Submission, device: Device) -> None:
    """Raise where the worker has fewer cards, or smaller ones, than was asked for.

    Raises:
        SpecError: code `machine_unfit`.
    """
    count, least = asked.gpu_config.num_gpus or 1, asked.gpu_config.gpu_memory_gb
    if count > device.count:
        raise SpecError(
            f"gpu_config.num_gpus is {count}, this worker has {device.count} ({device.name})",
            code="machine_unfit",
            hint="ask for fewer, or give the endpoint more GPUs per worker",
        )
    if device.kind == "cuda" and least and device.memory_bytes < MEMORY_SLACK * least * 1e9:
        raise SpecError(
            f"gpu_config.gpu_memory_gb is {least:g}, {device.name} has "
            f"{device.memory_bytes / 1e9:.0f}",
            code="machine_unfit",
            hint="ask for less, or give the endpoint a pool of larger cards",
        )


def about_card(asked: Submission, device: Device) -> tuple[str, ...]:
    """A warning where the worker has another card than was named."""
    wanted = asked.gpu_config.gpu_type
    if wanted is None or _plain(wanted) in _plain(device.name):
        return ()
    return (f"gpu_config.gpu_type: {wanted} was named, this worker has {device.name}",)


def write_rows(plan: Plan, folder: JobFolder, settings: Settings) -> None:
    """The job's own copies of its rows.

    Raises:
        PodtuneError: as `rows.write`.
    """
    folder.data.mkdir(parents=True, exist_ok=True)
    train = folder.data_file(effects.TRAIN_FILE)
    held = folder.data_file(effects.VALIDATION_FILE)
    rows.write(plan, settings, train, held)


def _plain(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())
