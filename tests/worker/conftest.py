import os
import subprocess
import sys

import pytest

from podtune.app import planner, sources
from podtune.app.settings import Settings
from podtune.core.job import WorkerOrder
from podtune.data import canonical
from support import tiny_model


@pytest.fixture(scope="session")
def trained(tmp_path_factory, tiny, root):
    """A job folder in which the worker program has trained, saved and proved a tiny adapter."""
    job = tmp_path_factory.mktemp("job")
    (job / "data").mkdir()
    data = tiny_model.write_rows(job / "tickets.jsonl", 40)
    request = planner.source_request(
        str(data),
        {
            "base_model.name": str(tiny),
            "training.epochs": 8,
            "training.learning_rate": 0.01,
            "training.effective_batch": {"tokens": 256},
            "data.validation": 0.2,
            "evaluate.samples": 3,
            "adapter.dropout": 0.05,
        },
    )
    settings = Settings(home=job / "home")
    plan = planner.make_plan(request, settings)
    rows = sources.read(str(data), plan.spec.data, settings, fresh=False)
    canonical.write(rows.conversations, job / "data" / "train.jsonl")
    order = WorkerOrder(
        job="demo", attempt=1, plan=plan, train_file="data/train.jsonl",
        validation_file=None, models_dir=str(job / "models"),
    )  # fmt: skip
    (job / "order.json").write_text(order.model_dump_json(), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(root / "runpod-worker" / "train_lora.py"), str(job)],
        capture_output=True, text=True, timeout=200, check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return job
