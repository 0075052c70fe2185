"""Serverless jobs on loopback: a volume with a tiny base model, a data set to fetch, a place for adapters."""

import json
import os
import shutil
from pathlib import Path

import serverless_places
from serverless_worker import Worker
from support import tiny_model
from support.put_server import PutServer

MODEL = "tiny/grinder-chat"
SECRET = "signature=planted-secret"


class Bench:
    """Everything that a job of a test needs; servers run until `close`."""

    def __init__(self, folder: Path, model: Path, *, volume=True):
        self.folder = folder
        self.volume = folder / "volume"
        place = self.volume / "models" / MODEL.split("/")[1]
        place.parent.mkdir(parents=True)
        shutil.copytree(model, place)
        self.server = PutServer()
        self.home = self.volume / "podtune" if volume else folder / "home"
        self.updates = []

    def close(self):
        self.server.close()

    def serve(self, path: Path) -> str:
        """A signed address of a file's content."""
        at = f"/{path.name}?{SECRET}"
        self.server.kept[at] = path.read_bytes()
        return self.server.url + at

    def rows(self, count=24, name="tickets.jsonl") -> str:
        return self.serve(tiny_model.write_rows(self.folder / name, count))

    def array(self, count=24) -> str:
        path = tiny_model.write_rows(self.folder / "rows.jsonl", count)
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        whole = self.folder / "tickets.json"
        whole.write_text(json.dumps(rows), encoding="utf-8")
        return self.serve(whole)

    def environment(self, **more) -> dict[str, str]:
        port = self.server.url.rpartition(":")[2]
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("RUNPOD_", "SUPABASE_"))}
        return {
            **kept,
            "PODTUNE_RUNPOD_VOLUME": str(self.volume),
            "PODTUNE_WORKER_HOME": str(self.home),
            "PODTUNE_EGRESS_HTTP": "true",
            "PODTUNE_EGRESS_PRIVATE_HOSTS": f"127.0.0.1:{port}",
            "HF_HUB_OFFLINE": "1",
            "RUNPOD_AI_API_KEY": "rpa_planted_key_of_the_platform",
            **more,
        }

    def input(self, url: str, job_id="job-1", **more) -> dict[str, object]:
        """A request of specification B."""
        body = {
            "job_id": job_id,
            "dataset_url": url,
            "hyperparameters": {
                "base_model": MODEL, "learning_rate": 0.01, "batch_size": 4, "num_epochs": 6,
                "lora_rank": 8, "lora_alpha": 16, "lora_dropout": 0.0,
            },
            "gpu_config": {"gpu_type": "H100", "num_gpus": 1, "gpu_memory_gb": 80,
                           "cost_per_gpu_hour": 3.35},
            "upload": {"archive": self.server.address(f"{job_id}.tar.gz")},
        }  # fmt: skip
        hyper = more.pop("hyperparameters", {})
        return {**body, "hyperparameters": {**body["hyperparameters"], **hyper}, **more}

    def worker(self, *, worker_id="worker-1", process="p1", **more) -> Worker:
        environment = self.environment(**more)
        return Worker(
            places=serverless_places.of(environment), environment=environment,
            worker_id=worker_id, process=process,
            update=lambda job, status: self.updates.append((job["id"], status)),
            look_s=0.05, beat_s=0.2, every_s=0.2,
        )  # fmt: skip
