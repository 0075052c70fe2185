"""A RunPod account of a few lines, for tests of the client: lists, orders, deletes, and answers as told.

The stand-in cloud (`podtune.testing`) does all this in earnest; here a test says each odd answer itself.
"""

import json
from datetime import UTC, datetime, timedelta

import httpx2
from pydantic import SecretStr

from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.client import RunPodClient

KEY = "rpa_PLANTEDSECRET0123456789"
START = datetime(2026, 11, 22, 12, tzinfo=UTC)
NO_INSTANCES = (
    "There are no longer any instances available with the requested specifications. "
    "Please refresh and try again."
)


class Time:
    """A clock that moves only when it is slept on or pushed."""

    def __init__(self):
        self.seconds = 0.0
        self.slept = []

    def now(self):
        return START + timedelta(seconds=self.seconds)

    def monotonic(self):
        return self.seconds

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.seconds += seconds


def problem(status, detail="said why", errors=None, headers=None):
    body = {"title": "T", "status": status, "detail": detail}
    if errors:
        body["errors"] = errors
    return httpx2.Response(
        status,
        content=json.dumps(body),
        headers={"content-type": "application/problem+json", **(headers or {})},
    )


def pod(number="p1", name="pt-abc-job-1-x1800000000", status="RUNNING", **changes):
    """A pod as v2 shows it."""
    return {
        "id": number,
        "name": name,
        "status": status,
        "actions": [],
        "image": "img",
        "args": "",
        "disk": 20,
        "mounts": {},
        "ports": [],
        "env": {"PODTUNE_TOKEN_SHA256": "0" * 64},
        "registry": None,
        "gpu": {"id": "NVIDIA A40", "count": 1},
        "cloud": "SECURE",
        "dataCenterId": "US-KS-2",
        "cudaVersion": "12.8",
        "ssh": {"proxy": None, "direct": None},
        "template": None,
        "cost": 0.4,
        "locked": False,
        "globalNetworking": {"enabled": False},
        "runtime": {"uptime": 30, "gpus": [{"util": 94, "memoryUtil": 78}]},
        "createdAt": "2026-11-22T12:00:00Z",
        "startedAt": None,
        **changes,
    }


class Account:
    """Pods of an account, and odd answers: `odd` maps "METHOD /path" to functions tried one by one."""

    def __init__(self, *pods):
        self.pods = {p["id"]: p for p in pods}
        self.requests = []
        self.odd = {}
        self.is_hidden = set()
        """Ids that exist, but lists and GET do not show them yet."""
        self.made = 0

    def answer(self, call, *answers):
        """The next answers to a call; each a response, an exception, or a function of the request."""
        self.odd.setdefault(call, []).extend(answers)

    def count(self, call):
        return sum(f"{r.method} {r.url.path}" == call for r in self.requests)

    def __call__(self, request):
        self.requests.append(request)
        call = f"{request.method} {request.url.path}"
        waiting = self.odd.get(call)
        if waiting:
            given = waiting.pop(0)
            if isinstance(given, BaseException):
                raise given
            return given(request) if callable(given) else given
        return self.usual(request)

    def usual(self, request):
        path = request.url.path.removeprefix("/v2")
        if (request.method, path) == ("GET", "/pods"):
            shown = [p for i, p in self.pods.items() if i not in self.is_hidden]
            return httpx2.Response(200, json={"pods": shown})
        if (request.method, path) == ("POST", "/pods"):
            return httpx2.Response(201, json=self.make(json.loads(request.content)))
        number = path.removeprefix("/pods/")
        if number not in self.pods or number in self.is_hidden:
            return problem(404, "pod not found")
        if request.method == "DELETE":
            del self.pods[number]
            return httpx2.Response(204)
        return httpx2.Response(200, json=self.pods[number])

    def make(self, body):
        self.made += 1
        made = pod(f"new{self.made}", body["name"], "PROVISIONING", runtime={}, gpu=body["gpu"])
        self.pods[made["id"]] = made
        return made


def client(handler, time=None, **changes):
    """The real client on a handler; nothing waits in earnest."""
    time = time or Time()
    access = RunPodAccess(
        **{
            "api_key": SecretStr(KEY),
            "rest_url": "https://api.test/v2",
            "graphql_url": "https://api.test/graphql",
            **changes,
        }
    )
    return RunPodClient(
        access,
        transport=httpx2.MockTransport(handler),
        sleep=time.sleep,
        clock=time.monotonic,
    )
