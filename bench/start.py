"""From the start of the worker's process to its first training step, and what importing costs.

Imports: CPU seconds of fresh processes, the median of three. Phases: one run of the demo's job,
cut off after its first step; CPU seconds of the worker are read as each of its events arrives.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measure
import psutil

sys.path[:0] = [str(measure.ROOT / "src"), str(measure.ROOT / "runpod-worker")]

IMPORTS = {
    "nothing": "",
    "podtune.core.job": "import podtune.core.job",
    "tokenizers": "import tokenizers",
    "torch": "import torch",
    "transformers, bare": "import transformers",
    "transformers, one model": "from transformers.models.llama import LlamaForCausalLM",
    "transformers, Trainer": "from transformers import Trainer",
    "peft": "import peft",
    "bitsandbytes": "import bitsandbytes",
    "all the worker needs": "from transformers import AutoModelForCausalLM, Trainer; import peft",
    "the same by libraries.load, quantised": "import libraries; libraries.leave_out_unused(quantised=True); libraries.load()",
    "the same by libraries.load": "import libraries; libraries.leave_out_unused(quantised=False); libraries.load()",
}
QUIET = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def importing(code: str) -> float:
    """CPU seconds of a fresh interpreter that runs this."""
    said = f"{code}\nimport time\nprint(time.process_time())"
    runs = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", said],
            capture_output=True, text=True, check=True, env={**os.environ, **QUIET},
            cwd=measure.ROOT / "runpod-worker",
        )  # fmt: skip
        runs.append(float(done.stdout.splitlines()[-1]))
    return round(statistics.median(runs), 2)


def order(job: Path) -> None:
    """The demo's job, as a driver hands it to a worker; its base model is converted already."""
    from memory import base_folder

    from podtune.app import planner, sources
    from podtune.app.settings import Settings
    from podtune.core.job import WorkerOrder
    from podtune.data import canonical

    data = str(measure.ROOT / "examples" / "support.jsonl")
    settings = Settings(home=job / "home")
    plan = planner.make_plan(planner.source_request(data, {}), settings)
    rows = sources.read(data, plan.spec.data, settings, fresh=False)
    (job / "data").mkdir()
    canonical.write(rows.conversations, job / "data" / "train.jsonl")
    told = WorkerOrder(
        job="start", attempt=1, plan=plan, train_file="data/train.jsonl",
        validation_file=None, models_dir=str(base_folder().parent),
    )  # fmt: skip
    (job / "order.json").write_text(told.model_dump_json(), encoding="utf-8")


def phases(job: Path) -> dict[str, dict[str, float]]:
    """CPU and wall seconds up to each change of stage or task, and up to the first step."""
    from podtune.core.events import MARKER

    begun = time.monotonic()
    worker = subprocess.Popen(
        [sys.executable, str(measure.ROOT / "runpod-worker" / "train_lora.py"), str(job)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "GOMP_SPINCOUNT": "3000", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    process = psutil.Process(worker.pid)
    seen: dict[str, dict[str, float]] = {}
    try:
        for line in worker.stdout:
            if not line.startswith(MARKER):
                continue
            event = json.loads(line.removeprefix(MARKER))
            times = process.cpu_times()
            wall = time.monotonic() - begun
            reached = {"cpu_s": round(times.user + times.system, 2), "wall_s": round(wall, 2)}
            seen.setdefault(name(event), reached)
            if event["kind"] == "step":
                return seen
    finally:
        worker.kill()
        worker.wait()
    raise SystemExit("the worker ended before its first step; see `podtune doctor`")


def name(event: dict) -> str:
    """What has been reached: the end of a task, the beginning of a stage, the first step."""
    task = event.get("task")
    if event["kind"] == "step":
        return "first step done"
    if task:
        return f"{task['name']}, {'begun' if not task['done'] else 'done'}"
    return f"{event['kind']} {event['stage']}"


def main() -> None:
    figures: dict[str, object] = {"imports_cpu_s": {k: importing(v) for k, v in IMPORTS.items()}}
    with tempfile.TemporaryDirectory() as place:
        order(Path(place))
        figures["reached"] = phases(Path(place))
    measure.write("start", figures)


if __name__ == "__main__":
    main()
