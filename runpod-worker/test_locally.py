"""Try the worker on this machine: no network, no GPU, no RunPod.

    python runpod-worker/test_locally.py

Only RunPod's event structure is imitated: `{"id": ..., "input": {...}}`. What answers is the real handler,
with its real programs, on a tiny model that is made on the spot; failures are real ones, two of them
brought about inside the trainer by a hook that lives in this file alone. While it runs,
`GET /training/status/{id}` on the address it prints shows the status of each job. Exit code 0 when every
check passed, 1 otherwise, 2 where it cannot run. Takes 1 to 3 minutes on two cores.
"""

import asyncio
import json
import os
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent
MODEL: Final = "tiny/grinder-chat"

STATUS_KEYS: Final = (
    "status", "progress", "current_epoch", "current_step", "stage", "metrics", "error_message",
)  # fmt: skip
METRIC_KEYS: Final = (
    "training_loss", "validation_loss", "learning_rate", "throughput", "gpu_utilization",
    "gradient_norm",
)  # fmt: skip
"""Specification B, "Expected Status Response Format"."""

HOOK: Final = """
import importlib.abc, importlib.util, os, sys

def spoil(module):
    import torch
    whole = module.PackedTrainer.compute_loss
    def compute_loss(self, *arguments, **options):
        if FAULT == "memory":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return whole(self, *arguments, **options) * float("nan")
    module.PackedTrainer.compute_loss = compute_loss

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "packed_trainer":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        load = spec.loader.exec_module
        def exec_module(module):
            load(module)
            spoil(module)
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""
"""`sitecustomize.py` of a trainer that is to fail at its first step; the worker itself knows nothing of it."""


class Site:
    """Data sets to fetch, a place for adapters, and the status of jobs, all on loopback."""

    def __init__(self, statuses: Callable[[str], dict[str, Any] | None]) -> None:
        """Serves until closed."""
        self.files: dict[str, bytes] = {}
        self.broken: dict[str, int] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                if path.startswith("/training/status/"):
                    found = statuses(path.rpartition("/")[2])
                    self._answer(200 if found else 404, json.dumps(found).encode())
                elif path in site.broken:
                    self._answer(site.broken[path], b"")
                else:
                    self._answer(200 if path in site.files else 404, site.files.get(path, b""))

            def do_PUT(self) -> None:
                size = int(self.headers["Content-Length"])
                site.files[self.path.partition("?")[0]] = self.rfile.read(size)
                self._answer(200, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Trial:
    """One run of all checks."""

    def __init__(self, folder: Path) -> None:
        """`folder` is temporary; it stands for a network volume."""
        self.folder = folder
        self.site = Site(self.status)
        self.updates: list[dict[str, Any]] = []
        self.workers: list[Any] = []
        self.passed = self.failed = 0

    def status(self, job: str) -> dict[str, Any] | None:
        """What `GET /training/status/{id}` answers."""
        managers = [w.statuses[job] for w in self.workers if job in w.statuses]
        return managers[-1].to_wire() if managers else None

    def check(self, what: str, ok: bool, seen: object = "") -> None:
        """Print one line for a check."""
        self.passed, self.failed = self.passed + ok, self.failed + (not ok)
        sys.stdout.write(f"{'ok  ' if ok else 'FAIL'}  {what}{'' if ok else f': {seen}'}\n")
        sys.stdout.flush()

    def worker(self, fault: str | None = None) -> Any:
        """A worker on this machine; its trainer fails by `memory` or `nan` where that is asked for."""
        import serverless_places
        from serverless_worker import Worker

        environment = dict(os.environ)  # noqa: TID251 - a program of its own
        paths = [str(ROOT / "src")]
        if fault:
            hook = self.folder / f"hook-{fault}"
            hook.mkdir()
            (hook / "sitecustomize.py").write_text(f"FAULT = {fault!r}\n{HOOK}", encoding="utf-8")
            paths.insert(0, str(hook))
        environment |= {
            "PYTHONPATH": os.pathsep.join([*paths, environment.get("PYTHONPATH", "")]),
            "PODTUNE_RUNPOD_VOLUME": str(self.folder),
            "PODTUNE_EGRESS_HTTP": "true",
            "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{self.site.port}",
            "HF_HUB_OFFLINE": "1",
        }
        for name in ("PODTUNE_WORKER_HOME", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"):
            environment.pop(name, None)
        made = Worker(
            places=serverless_places.of(environment),
            environment=environment,
            worker_id=f"local-{len(self.workers)}",
            process="test",
            update=lambda job, status: self.updates.append(status),
            every_s=0.5,
        )
        self.workers.append(made)
        return made

    def event(self, job_id: str, data: str, **hyperparameters: object) -> dict[str, Any]:
        """An event as RunPod hands it over: specification B's request in it."""
        return {
            "id": f"platform-{job_id}",
            "input": {
                "job_id": job_id,
                "dataset_url": f"{self.site.url}/{data}?token=a-secret-of-the-test",
                "hyperparameters": {
                    "base_model": MODEL,
                    "learning_rate": 0.01,
                    "batch_size": 8,
                    "num_epochs": 5,
                    "lora_rank": 16,
                    "lora_alpha": 32,
                    "lora_dropout": 0.1,
                    **hyperparameters,
                },
                "gpu_config": {"gpu_type": "H100", "num_gpus": 1},
                "upload": {"archive": {"url": f"{self.site.url}/{job_id}.tar.gz?token=x"}},
            },
        }

    def form(self, name: str, body: dict[str, Any]) -> None:
        """Check the documented form of a status object."""
        self.check(f"{name}: the seven documented keys", set(STATUS_KEYS) <= set(body), list(body))
        metrics = body.get("metrics") or {}
        self.check(f"{name}: the six metrics", set(METRIC_KEYS) <= set(metrics), list(metrics))
        words = (body["status"], body["stage"])
        known = words[0] in ("running", "completed", "failed")
        known = known and words[1] in ("training", "saving", "uploading")
        self.check(f"{name}: the documented words", known, words)
        text = json.dumps(body)
        self.check(
            f"{name}: no secret, no traceback", "a-secret" not in text and "Traceback" not in text
        )


async def events(trial: Trial) -> None:
    """Odd events: each is answered by the documented object, none raises."""
    worker = trial.worker()
    for name, event in {
        "no input": {"id": "e1"},
        "an empty input": {"id": "e2", "input": {}},
        "a list": {"id": "e3", "input": []},
        "an unknown key": {"id": "e4", "input": {"job_id": "e4", "dataset": "x"}},
    }.items():
        body = await worker.run(event)
        trial.check(f"{name}: failed", body["status"] == "failed", body)
        trial.check(f"{name}: the SDK's error key", bool(body.get("error")), body)


async def validation(trial: Trial) -> None:
    """Every fault of a request is named at once."""
    event = trial.event("bad", "tickets.jsonl", learning_rate=-1, lora_rank=0, num_epochs="many")
    body = await trial.worker().run(event)
    message = str(body["error_message"])
    named = all(word in message for word in ("learning_rate", "lora_rank", "num_epochs"))
    trial.check("a bad request: every fault named", named, message)
    trial.form("a bad request", body)


async def success(trial: Trial) -> None:
    """A whole training, from a JSON array to the adapter at its address."""
    body = await trial.worker().run(trial.event("good", "tickets.json"))
    trial.check("a training: completed", body["status"] == "completed", body)
    trial.form("a training", body)
    trial.check("a training: progress 100", body["progress"] == 100, body["progress"])
    path = "lora-models/adapters/job-good.tar.gz"
    trial.check("a training: adapter_path", body.get("adapter_path") == path, body)
    there = trial.site.files.get("/good.tar.gz", b"")
    trial.check("a training: the adapter was uploaded", there[:2] == b"\x1f\x8b")
    running = [u for u in trial.updates if u["status"] == "running"]
    trial.check("a training: progress was told", len(running) > 3, len(running))
    shown = await asyncio.to_thread(_get, f"{trial.site.url}/training/status/good")
    trial.check("GET /training/status/good", shown["status"] == "completed", shown)
    again = await trial.worker().run(trial.event("good", "tickets.json"))
    trial.check(
        "a second dispatch: answered, not trained",
        again["adapter_sha256"] == body["adapter_sha256"],
    )


async def failures(trial: Trial) -> None:
    """The three failures of specification B, each with its advice."""
    cases: list[tuple[str, str | None, str, str, str]] = [
        ("memory", "memory", "tickets.jsonl", "out_of_memory", "batch"),
        ("nan", "nan", "tickets.jsonl", "loss_not_finite", "learning rate"),
        ("download", None, "busy.jsonl", "fetch_failed", "try again"),
        ("expired", None, "expired.jsonl", "url_expired", "signed"),
        ("missing", None, "nowhere.jsonl", "url_not_found", "dataset_url"),
    ]
    for job_id, fault, data, code, word in cases:
        body = await trial.worker(fault).run(trial.event(job_id, data))
        trial.check(f"{job_id}: failed as {code}", body["error_code"] == code, body)
        trial.check(f"{job_id}: advice on {word}", word in str(body["advice"]), body["advice"])
        trial.form(job_id, body)


def _get(url: str) -> dict[str, Any]:
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return json.load(answer)


def prepare(trial: Trial) -> None:
    """The tiny model on the volume, and the data sets."""
    from support import tiny_model  # pyright: ignore[reportMissingImports] - of the checkout

    tiny_model.make(trial.folder / "models" / MODEL.rpartition("/")[2])
    rows = tiny_model.write_rows(trial.folder / "rows.jsonl", 24).read_bytes()
    trial.site.files["/tickets.jsonl"] = rows
    whole = [json.loads(line) for line in rows.splitlines()]
    trial.site.files["/tickets.json"] = json.dumps(whole).encode()
    trial.site.broken |= {"/busy.jsonl": 503, "/expired.jsonl": 403}


def main() -> int:
    """Run every check and sum up."""
    if not (ROOT / "tests" / "support" / "tiny_model.py").is_file():
        sys.stderr.write("this needs a checkout: it makes its model with tests/support\n")
        return 2
    sys.path[:0] = [str(HERE), str(ROOT / "src"), str(ROOT / "tests")]
    with tempfile.TemporaryDirectory(prefix="podtune-local-") as folder:
        trial = Trial(Path(folder))
        try:
            sys.stdout.write(f"status: {trial.site.url}/training/status/JOB\n")
            prepare(trial)
            steps: tuple[Callable[[Trial], Awaitable[None]], ...] = (
                events, validation, success, failures,
            )  # fmt: skip
            for step in steps:
                asyncio.run(_whole(step, trial))
        finally:
            trial.site.close()
    sys.stdout.write(f"{trial.passed} checks passed, {trial.failed} failed\n")
    return 1 if trial.failed else 0


async def _whole(step: Callable[[Trial], Awaitable[None]], trial: Trial) -> None:
    await step(trial)


if __name__ == "__main__":
    sys.exit(main())
