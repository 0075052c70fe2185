"""A stand-in cloud on a virtual clock, with requests in one line, and pods moved by hand."""

import json

from podtune.testing.clock import VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.executor import NoPods, Usage
from podtune.testing.http import Request, Response
from podtune.testing.options import CloudOptions

KEY = "rpa_ACCOUNT"
AGENT = "podtune/test"


class HandPods(NoPods):
    """Containers that do what a test says."""

    def __init__(self):
        self.started = []
        self.running = set()
        self.stopped = []
        self.removed = []
        self.codes = {}
        self.printed = {}
        self.problems = {}
        self.requests = []

    def pull_problem(self, image):
        return self.problems.get(image)

    def start(self, pod):
        self.started.append(pod)
        self.running.add(pod.pod_id)
        self.codes.pop(pod.pod_id, None)

    def poll(self, pod_id):
        code = self.codes.get(pod_id)
        if code is not None:
            self.running.discard(pod_id)
        return code

    def stop(self, pod_id, grace_s):
        self.stopped.append((pod_id, grace_s))
        self.running.discard(pod_id)

    def remove(self, pod_id):
        self.removed.append(pod_id)
        self.running.discard(pod_id)

    def lines(self, pod_id):
        return self.printed.pop(pod_id, [])

    def request(self, pod_id, port, request):
        self.requests.append((pod_id, port, request))
        return Response(200, {"content-type": "text/plain"}, b"from the pod")

    def usage(self, pod_id):
        return Usage(93.6, 41.2, 12.0, 30.0)


class Desk:
    """One cloud and who asks it.

    Args:
        options: Of `CloudOptions`.
        faults: Rules.
        seed: Of the cloud.
    """

    def __init__(self, faults=(), seed=1, gpus=None, key=KEY, **options):
        self.clock = VirtualClock()
        self.pods = HandPods()
        self.cloud = Cloud(
            self.clock, seed, self.pods, CloudOptions(**options), faults=faults, gpus=gpus
        )
        self.key = key

    def ask(self, method, url, body=None, key=None, **headers) -> Response:
        told = {"user-agent": AGENT, "authorization": f"Bearer {key or self.key}", **headers}
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        return self.cloud.handle(Request.of(method, url, told, raw))

    def create(self, name="pt-me-job-1-x1800000000", gpu="NVIDIA A40", **more) -> str:
        response = self.ask("POST", "/v2/pods", order(name, gpu, **more))
        assert response.status == 201, response.content()
        return response.json()["id"]

    def running(self, **more) -> str:
        pod_id = self.create(**more)
        self.clock.advance(10)
        self.cloud.tick()
        return pod_id

    def pod(self, pod_id):
        return self.ask("GET", f"/v2/pods/{pod_id}").json()

    def listed(self):
        return [pod["id"] for pod in self.ask("GET", "/v2/pods").json()["pods"]]

    def act(self, pod_id, action) -> Response:
        return self.ask("POST", f"/v2/pods/{pod_id}/action", {"action": action})


def order(name="pt-me-job-1-x1800000000", gpu="NVIDIA A40", **more):
    """A create as podtune sends it."""
    return {
        "name": name,
        "image": "runpod/pytorch:1.0.3-cu1281-torch291-ubuntu2404",
        "gpu": gpu if isinstance(gpu, dict) else {"id": gpu, "count": 1},
        "ports": ["8466/http"],
        "env": {"PODTUNE_JOB": "job"},
        "disk": 20,
        "mounts": {"persistent": {"size": 50, "path": "/workspace"}},
        **more,
    }


def frames(response):
    """Events of a log stream as far as they are there: (id, data)."""
    found = []
    for block in response.content().decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line)
        if fields:
            found.append((fields["id"], json.loads(fields["data"])))
    return found
