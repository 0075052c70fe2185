"""What all simulations of a process share: a home, a database, plans. For tests only.

Made once, emptied between two schedules: opening a database, migrating it, packing a wheel and writing
the pod's first program cost more than a whole schedule.
"""

import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from unittest import mock

from pydantic import SecretStr

from podtune.app import pod_order
from podtune.app.effects import TRAIN_FILE
from podtune.app.installation import KEY_FILE, OWNER_FILE, owner, signing_key
from podtune.app.settings import Settings
from podtune.core.job import Job
from podtune.core.plan import Plan
from podtune.core.spec import Place
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.catalogue import disk_usd_per_hour
from podtune.storage import installed
from podtune.storage.artifact_folder import sha256_file
from podtune.storage.bootstrap_program import bootstrap_program
from podtune.testing.clock import START
from podtune.testing.gpus import GPUS
from podtune.workflow.database import open_database
from podtune.workflow.folder import JobFolder
from podtune.workflow.tables import metadata
from support import build

OWNER: Final = "simulate"
JOB: Final = "demo-abc234"
KEY: Final = "rpa_SIMULATIONKEY0123456789ABCDEFGHIJKLMN"
HUB_TOKEN: Final = "hf_simulationtokenabcdefghijklmnopqrstu"
CANARY: Final = "canary of a row that nobody may read"
HOST: Final = "cloud.test"
CALLBACK_SECRET: Final = "callbackcanary0123456789"
CALLBACK: Final = f"https://callback.test/hook?key={CALLBACK_SECRET}"
STEPS: Final = 10

SCALED: Final = {
    "boot_limit_s": 120, "silence_limit_s": 90, "settle_s": 10, "proof_window_s": 6,
    "upload_reserve_s": 30, "terminate_alarm_s": 60, "pull_s": 20, "reap_every_s": 30,
}  # fmt: skip
"""Limits of a short world: about a sixth of the real ones. What follows from clocks that differ (120 s)
and from a reaper each minute is as it is."""


class Stage:
    """One process's home."""

    def __init__(self, folder: Path | None = None) -> None:
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(dir=folder or (memory if memory.is_dir() else None)))
        self.settings = Settings.model_validate({"home": self.folder / "home", **SCALED})
        self.second = self.settings.model_copy(update={"home": self.folder / "second"})
        self.settings.jobs.mkdir(parents=True)
        (self.settings.home / OWNER_FILE).write_text(OWNER, encoding="ascii")
        (self.settings.home / KEY_FILE).write_bytes(hashlib.sha256(b"simulation").digest())
        self.owner = owner(self.settings.home)
        self.engine = open_database(self.settings.database)
        self.rows = self.folder / TRAIN_FILE
        self.rows.write_text(f'{{"messages": "{CANARY}"}}\n', encoding="utf-8")
        self._wheel = installed.write_wheel(self.folder / installed.wheel_name())
        self._program = bootstrap_program()
        self.access = RunPodAccess(
            SecretStr(KEY),
            rest_url=f"https://{HOST}/v2",
            graphql_url=f"https://{HOST}/graphql",
            proxy_url=f"https://{HOST}/proxy/{{pod}}-{{port}}",
        )

    def close(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def playing(self) -> Iterator[None]:
        """What is the same for every job is made once: the wheel of a bundle, the pod's program."""
        small = self.folder / "small.whl"
        small.write_bytes(b"wheel")

        def write_wheel(path: Path) -> Path:
            os.link(small, path)
            return path

        small_lock = self.folder / "small.lock"
        small_lock.write_bytes(b"lock")
        with (
            mock.patch.object(installed, "write_wheel", write_wheel),
            mock.patch.object(installed, "lock_file", return_value=small_lock),
            mock.patch.object(pod_order, "bootstrap_program", return_value=self._program),
            mock.patch.dict(os.environ, {"PODTUNE_POD_HF_TOKEN": HUB_TOKEN}),
        ):
            yield

    def reset(self) -> JobFolder:
        """An empty store, and a folder of the job as a submit leaves it."""
        with self.engine.begin() as connection:
            for table in reversed(metadata.sorted_tables):
                connection.execute(table.delete())
        folder = JobFolder(self.settings.jobs / JOB)
        shutil.rmtree(folder.path, ignore_errors=True)
        folder.data.mkdir(parents=True)
        os.link(self.rows, folder.data_file(TRAIN_FILE))
        return folder

    def job(self, gpus: tuple[str, ...], usd: Any, hours: float) -> Job:
        """A job just submitted."""
        plan = self._plan(gpus, str(usd), float(hours))
        return build.job(id=JOB, owner=self.owner, plan=plan, created_at=START, updated_at=START)

    @functools.cache  # noqa: B019 - a stage lives as long as its process
    def _plan(self, gpus: tuple[str, ...], usd: str, hours: float) -> Plan:
        made = build.plan()
        where = made.spec.where.model_copy(update={"on": Place.RUNPOD})
        deliver = made.spec.deliver.model_copy(update={"callback_url": CALLBACK})
        spec = made.spec.model_copy(update={"where": where, "deliver": deliver})
        disk = disk_usd_per_hour(where.disk_gb + where.volume_gb)
        ladder = [
            build.offer(row.id, row.memory_gb, row.secure, disk_usd_per_hour=disk)
            for gpu in gpus
            for row in GPUS
            if row.id == gpu
        ]
        report = made.report.model_copy(update={"rows_sha256": sha256_file(self.rows)})
        price = build.price(*ladder, max_usd=usd, max_hours=hours)
        return made.model_copy(update={"spec": spec, "price": price, "report": report})

    def secrets(self, name: str) -> tuple[str, ...]:
        """Everything secret of an attempt whose machine has this name."""
        key = signing_key(self.settings.home)
        derived = [key.derive(f"{what} of {name}") for what in ("port", "events")]
        return (KEY, HUB_TOKEN, CANARY, CALLBACK_SECRET, key.private.hex(), *derived)
