"""Job folders as the driver makes them, and the worker program run on them. For tests only."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from podtune.app import planner, sources
from podtune.app.settings import Settings
from podtune.core.events import EventKind, TrainingEvent, parse_line
from podtune.core.job import WorkerOrder
from podtune.data import canonical

QUICK = {
    "training.epochs": 2,
    "training.learning_rate": 0.01,
    "training.effective_batch": {"tokens": 256},
    "data.validation": 0.2,
    "evaluate.samples": 1,
}
"""Enough for a tiny model to change, in seconds."""


def make(job: Path, base: Path, data: Path, stated: Mapping[str, object]) -> Path:
    """A job folder with its order and canonical rows."""
    (job / "data").mkdir(parents=True)
    request = planner.source_request(str(data), {"base_model.name": str(base), **stated})
    settings = Settings(home=job / "home")
    plan = planner.make_plan(request, settings)
    rows = sources.read(str(data), plan.spec.data, settings, fresh=False, method=plan.spec.method)
    canonical.write(rows.conversations, job / "data" / "train.jsonl")
    order = WorkerOrder(
        job="demo", attempt=1, plan=plan, train_file="data/train.jsonl",
        validation_file=None, models_dir=str(job / "models"),
    )  # fmt: skip
    (job / "order.json").write_text(order.model_dump_json(), encoding="utf-8")
    return job


def run(job: Path, root: Path, timeout: float = 200) -> "subprocess.CompletedProcess[str]":
    """Run `train_lora.py` on a job folder."""
    return subprocess.run(
        [sys.executable, str(root / "runpod-worker" / "train_lora.py"), str(job)],
        capture_output=True, text=True, timeout=timeout, check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip


def events(job: Path) -> list[TrainingEvent]:
    """What the worker told, over all attempts."""
    lines = (job / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [event for line in lines if (event := parse_line(line))]


def facts(job: Path) -> dict[str, object]:
    """The worker's facts, the later ones winning."""
    found: dict[str, object] = {}
    for event in events(job):
        found.update(event.facts or {})
    return found


def losses(job: Path) -> list[float]:
    """Training losses in the order they were told."""
    return [
        e.metrics.training_loss
        for e in events(job)
        if e.kind is EventKind.STEP and e.metrics and e.metrics.training_loss is not None
    ]
