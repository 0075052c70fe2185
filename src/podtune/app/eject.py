"""A job as a folder that trains on any GPU machine without podtune being installed there.

train.sh                       installs and trains; holds no word of a user's
README.md  spec.yaml           for people
requirements.lock              libraries by hash, torch apart
podtune-<version>-...whl       podtune with the worker
training-data.jsonl            the checked rows; validation-data.jsonl where there are
job/order.json                 what the worker is told
model/<name>/                  the base model, where it is a folder here
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

import yaml

from podtune.app import device as devices
from podtune.app import planner, rows
from podtune.app.settings import Settings
from podtune.core.errors import SpecError, StateError
from podtune.core.job import WorkerOrder
from podtune.core.plan import Device, Plan
from podtune.core.request import TrainingRequest
from podtune.core.spec import ModelSource, Place
from podtune.core.units import GIB, duration, gib
from podtune.intake.resolve import resolve
from podtune.planning import cards, model_facts
from podtune.planning import plan as planning
from podtune.storage import bundle, installed

TRAIN_DATA: Final = "training-data.jsonl"
VALIDATION_DATA: Final = "validation-data.jsonl"
SCRIPT: Final = "train.sh"
DEFAULT_VRAM_GIB: Final = 24.0
"""The card that most people have or rent first: RTX 3090, 4090, A5000, L4."""

CORES: Final = 8
"""Processor cores counted on beside a card; they feed it and do not train."""


_KEPT: Final = frozenset({"where.on", "where.gpu", "where.count", "where.max_hours"})
"""What of `where` means anything on a machine of one's own."""


class Target(NamedTuple):
    """The machine the folder is meant for; the first that is given counts."""

    card: str | None = None
    """A card by its full name, such as `NVIDIA L40S`."""
    vram_gib: float | None = None
    """Any card with so much memory, Ampere or newer."""
    cpu: bool = False
    """A processor like this machine's."""


def plan(request: TrainingRequest, target: Target, settings: Settings) -> Plan:
    """The plan of a request on the machine it is ejected for; nothing is rented or asked of a cloud.

    Raises:
        PodtuneError: as any plan.
    """
    stated = {**request.stated, "where.on": str(Place.LOCAL), "where.gpu": "auto"}
    for path in [p for p in stated if p.startswith("where.") and p not in _KEPT]:
        del stated[path]
    here = request.model_copy(update={"stated": stated})
    spec, notes = resolve(here)
    given = planner.gather(here, spec, notes, settings)
    machine = device(target)
    packable = model_facts.keeps_documents_apart(given.facts, machine.kernels)
    speeds: Mapping[str, float] = given.reached_speeds if target.cpu else {}
    return planning.plan(given._replace(device=machine, packable=packable, reached_speeds=speeds))


def device(target: Target) -> Device:
    """The machine as the plan computes with it.

    Raises:
        SpecError: a card that cannot train.
    """
    if target.cpu:
        return devices.detect("cpu")
    if target.card is None:
        memory = (target.vram_gib or DEFAULT_VRAM_GIB) * cards.REAL_SHARE
        return _card(f"a card of {target.vram_gib or DEFAULT_VRAM_GIB:g} GiB", memory, bf16=True)
    why = cards.refusal(target.card)
    known = cards.CARDS.get(target.card)
    if why or known is None or known.memory_mib is None:
        raise SpecError(
            f"{target.card!r}: {why or 'not a card whose memory is known'}",
            code="unknown_gpu",
            hint="`podtune runpod gpus` lists names; or say how much memory it has: --vram 24",
        )
    return _card(target.card, known.memory_mib / 1024, bf16=known.architecture.bf16)


def _card(name: str, memory_gib: float, *, bf16: bool) -> Device:
    memory = int(memory_gib * GIB)
    return Device(kind="cuda", name=name, memory_bytes=memory, cores=CORES, bf16=bf16, count=8)


def eject(made: Plan, folder: Path, settings: Settings) -> Path:
    """Write the folder.

    Args:
        made: As `plan` made it.
        folder: Must not exist, or be empty.
        settings: Of this installation.

    Raises:
        SpecError: the folder holds something, or the base model is too large to be copied.
        DatasetError: the data changed since it was planned.
        StateError: it cannot be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SpecError(
            f"{str(folder)!r} exists and is not empty",
            code="target_exists",
            hint="name a new folder; nothing is overwritten",
        )
    base = bundle.model_folder(made.spec.base_model)
    if base is not None:
        bundle.refuse_large(base)
    existed = folder.exists()
    try:
        (folder / "job").mkdir(parents=True)
        _fill(made, folder, base, settings)
    except OSError as error:
        _undo(folder, existed=existed)
        raise StateError(
            f"{str(folder)!r} cannot be written: {error.strerror or error}",
            hint="free some disk, or name another folder",
        ) from error
    except BaseException:
        _undo(folder, existed=existed)
        raise
    return folder


def _undo(folder: Path, *, existed: bool) -> None:
    """Leave nothing half written; the folder was empty or not there."""
    shutil.rmtree(folder, ignore_errors=True)
    if existed:
        folder.mkdir(parents=True, exist_ok=True)


def _fill(made: Plan, folder: Path, base: Path | None, settings: Settings) -> None:
    rows.write(made, settings, folder / TRAIN_DATA, folder / VALIDATION_DATA)
    order = WorkerOrder(
        job=folder.name[:40] or "job",
        attempt=1,
        plan=made,
        train_file=f"../{TRAIN_DATA}",
        validation_file=f"../{VALIDATION_DATA}" if made.validation_report else None,
        models_dir="../models",
    )
    (folder / "job" / "order.json").write_bytes(bundle.order_text(order, folder, base))
    installed.write_wheel(folder / installed.wheel_name())
    shutil.copyfile(installed.lock_file(installed.POD_LOCK), folder / bundle.LOCK)
    if made.spec.base_model.source is ModelSource.PACKAGE:
        name = installed.BASE_MODEL_LOCK
        shutil.copyfile(installed.lock_file(name), folder / name)
    if base is not None:
        shutil.copytree(base, folder / "model" / bundle.plain_name(base.name))
    (folder / "spec.yaml").write_text(_spec(made, base), encoding="utf-8")
    (folder / "README.md").write_text(_readme(made), encoding="utf-8")
    (folder / SCRIPT).write_text(script(), encoding="utf-8")
    (folder / SCRIPT).chmod(0o755)


def script() -> str:
    """`train.sh`: the same text for every job."""
    return (Path(__file__).parent / "pages" / SCRIPT).read_text(encoding="utf-8")


def _spec(made: Plan, base: Path | None) -> str:
    """The resolved spec, with places inside the folder; `podtune train spec.yaml` runs it too."""
    spec = made.spec.model_dump(mode="json")
    spec["data"] |= {
        "source": TRAIN_DATA,
        "validation_source": VALIDATION_DATA if made.validation_report else None,
        # the rows are written out in one form already
        **dict.fromkeys(("format", "sheet", "member", "speaker"), None),
        "columns": {},
        "fix": [],
    }
    if base is not None:
        spec["base_model"]["name"] = f"./model/{bundle.plain_name(base.name)}"
    spec["deliver"] |= {"to": None, "callback_url": None}
    return yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)


def _readme(made: Plan) -> str:
    memory, tokens = made.memory, made.tokens
    return f"""# Train this adapter on your own GPU

    bash {SCRIPT}

| | |
|---|---|
| planned for | {made.device.name} ({made.device.kind}), {made.spec.where.count} of it |
| memory | {gib(memory.total)} of {gib(made.device.memory_bytes)} |
| data | {tokens.train_rows} rows, {tokens.validation_rows} held out |
| steps | {made.schedule.steps} |
| time | about {duration(made.time.total_s)} ({made.time.basis}) |
| plan | {made.digest[:12]} |

The machine needs Linux, Python 3.11 or newer with torch 2.6 or newer, and pip. `{SCRIPT}` installs the
rest into `libraries/`, exact versions by hash. The adapter, its card and the proof that it changes the
model are then in `job/artifact/`.

- It may be run again: training goes on from the last checkpoint.
- A gated base model needs `HF_TOKEN` in the environment.
- Nothing is uploaded, and nothing ends the machine: if it is rented, end it yourself.
- `spec.yaml` holds every decision. `job/order.json` is what the worker reads.
"""
