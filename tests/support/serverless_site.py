"""A stand-in account on a virtual clock with the clients that deploy uses, and a worker that a test scripts."""

import json

from pydantic import SecretStr

from podtune.app import deploy, deploy_apply
from podtune.app.deploy import Here
from podtune.app.deploy_wish import Wish
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.queue import QueueClient
from podtune.testing.clock import START, VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.http import Request
from podtune.testing.options import CloudOptions, RateLimits
from podtune.testing.serverless.endpoint import BASE_PATH
from podtune.testing.serverless.service import attach
from podtune.testing.transport import transport

KEY = "rpa_PLANTEDSECRET0123456789"
OWNER = "h4wx7npc"
IMAGE = "podtune/worker:1.0"
HERE = Here(owner=OWNER)
SERVICE_KEY = SecretStr("eyPlantedServiceKey0123456789")

METRICS = {
    "training_loss": 1.5, "validation_loss": None, "learning_rate": 0.0002, "throughput": 100.0,
    "gpu_utilization": None, "gradient_norm": 0.5,
}  # fmt: skip


def update(progress, **changes):
    """A status object of a job that runs, as the worker's handler sends it."""
    return {
        "status": "running", "progress": progress, "current_epoch": 0, "current_step": int(progress),
        "stage": "training", "metrics": METRICS, "error_message": None, **changes,
    }  # fmt: skip


def result(job, **changes):
    """What a completed job gives."""
    path = f"lora-models/adapters/job-{job['input']['job_id']}.tar.gz"
    return update(100, status="completed", stage="uploading", adapter_path=path) | changes


class Site:
    """An account, and requests to it that are written down."""

    def __init__(self, *faults, gpus=None, worker=None, **options):
        self.clock = VirtualClock()
        limits = RateLimits(per_minute=0, per_hour=0, per_day=0)
        self.cloud = Cloud(
            self.clock,
            options=CloudOptions(rate_limits=limits, **options),
            faults=faults,
            gpus=gpus,
        )
        attach(self.cloud)
        self.requests = []
        self.worker = worker
        inner = transport(self.cloud)
        handle = inner.handle_request

        def seen(request):
            self.requests.append(request)
            return handle(request)

        inner.handle_request = seen
        access = RunPodAccess(
            SecretStr(KEY), "http://127.0.0.1:8460/v2", "http://127.0.0.1:8460/graphql",
            f"http://127.0.0.1:8460{BASE_PATH}",
        )  # fmt: skip
        more = {"transport": inner, "sleep": self.pause, "clock": self.seconds}
        self.client = RunPodClient(access, **more)
        self.queue = QueueClient(access, **more)

    def seconds(self):
        return (self.clock.now() - START).total_seconds()

    def pause(self, seconds):
        """Time passes, and the worker works."""
        self.clock.advance(seconds)
        self.cloud.tick()
        if self.worker is not None:
            self.worker.step(self.cloud)

    @property
    def writes(self):
        """What was sent besides reads, as `METHOD /path`."""
        return [f"{r.method} {r.url.path}" for r in self.requests if r.method != "GET"]

    def sent(self, call):
        """Bodies of one call."""
        return [json.loads(r.content) for r in self.requests if f"{r.method} {r.url.path}" == call]

    def ask(self, method, path, body=None):
        """Something that another program does to the account."""
        headers = {"authorization": f"Bearer {KEY}", "user-agent": "another"}
        raw = b"" if body is None else json.dumps(body).encode()
        return self.cloud.handle(Request.of(method, path, headers, raw))

    def volume(self, name="qwen-model-cache", center="US-KS-2", size=200):
        told = {"name": name, "size": size, "dataCenter": center}
        return self.ask("POST", "/v2/network-volumes", told).json()["id"]

    def plan(self, here=HERE, **wish):
        return deploy.plan(self.client, Wish(**{"image": IMAGE, **wish}), here)

    def deploy(self, here=HERE, **wish):
        planned = self.plan(here, **wish)
        return deploy_apply.apply(self.client, planned, here, pause=self.pause)

    def endpoints(self):
        return [{"id": e.id, **e.settings} for e in self.cloud.account.endpoints.values()]

    def templates(self):
        return [{"id": t.id, **t.settings} for t in self.cloud.account.templates.values()]


class HandWorker:
    """A worker of the queue that plays a script: updates one by one, then the last word.

    `script(job)` gives a list; of its entries all but the last are progress updates, the last is the body
    of the result. None for the last means that it never ends.
    """

    def __init__(self, script, name="w1"):
        self.script, self._name = script, name
        self._job, self._left = None, []
        self.stopped = []
        self.hears = True
        """Whether it lets go of a job that it is told to stop."""

    def step(self, cloud):
        for endpoint_id in list(cloud.account.endpoints):
            self._step(cloud, f"{BASE_PATH}/{endpoint_id}")

    def _step(self, cloud, base):
        def ask(method, path, body=None):
            raw = b"" if body is None else json.dumps(body).encode()
            headers = {"authorization": KEY, "user-agent": "worker"}
            return cloud.handle(Request.of(method, f"{base}/{path}", headers, raw))

        if self._job is None:
            order = ask("GET", f"job-take/{self._name}?gpu=X&job_in_progress=0")
            if order.later is not None or order.status != 200:
                return
            self._job = order.json()
            self._left = list(self.script(self._job))
            if len(self._left) > 1 or self._left == [None]:
                return  # a script of one entry is over as soon as it is begun
        job_id = self._job["id"]
        stop = ask("GET", f"job-stop/{self._name}?gpu=X")
        if (
            self.hears
            and stop.later is None
            and stop.status == 200
            and job_id in stop.json()["jobsToStop"]
        ):
            self.stopped.append(job_id)
            self._job = None
            ask("GET", f"ping/{self._name}?gpu=X")
            return
        ask("GET", f"ping/{self._name}?gpu=X&job_id={job_id}")
        done = f"job-done/{self._name}/{job_id}?gpu=X&isStream=false"
        if len(self._left) > 1:
            ask("POST", done, {"status": "IN_PROGRESS", "output": self._left.pop(0)})
        elif self._left[0] is not None:
            ask("POST", done, self._left[0])
            self._job = None
