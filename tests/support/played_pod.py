"""A cloud with one played pod, and the real client of its port. For tests only."""

import hashlib
import io
import json
import tarfile

import httpx2
from pydantic import SecretStr

from podtune.core.handover import PORT, BundleByPort, HandOver, pod_environment
from podtune.storage.pod_port import PodPort
from podtune.testing.clock import START, VirtualClock
from podtune.testing.cloud import Cloud
from podtune.testing.options import CloudOptions
from podtune.testing.scripted_pods import ScriptedPods
from podtune.testing.transport import transport

TOKEN, EVENT_KEY = "token-of-the-job", "ab" * 32
HEAD = {"Authorization": "Bearer rpa_x", "User-Agent": "podtune/1"}


def bundle(steps=10, checkpoint=None):
    """A tar with an order and perhaps a checkpoint."""
    files = {"job/order.json": json.dumps({"plan": {"schedule": {"steps": steps}}}).encode()}
    if checkpoint:
        files[f"job/checkpoints/checkpoint-{checkpoint}/complete.json"] = b"{}"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


class Played:
    """A played pod on a virtual clock."""

    def __init__(self, script, *, attempt=1, figures=None, mount=True, **options):
        self.clock = VirtualClock()
        self.pods = ScriptedPods(self.clock, script)
        quick = CloudOptions(provisioning_s=0, pull_s=0, restart_s=1, stop_grace_s=0)
        self.cloud = Cloud(self.clock, executor=self.pods, options=quick.model_copy(update=options))
        self.pods.connect(self.cloud.handle)
        self.http = httpx2.Client(
            transport=transport(self.cloud), base_url="https://cloud.test", headers=HEAD
        )
        started = START.timestamp()
        told = {"DEADLINE": started + 3600, "STARTED": started, "MAX_USD": "1",
                "USD_PER_HOUR": "0.5", **(figures or {})}  # fmt: skip
        body = {
            "name": f"pt-o-j-{attempt}", "image": "runpod/x", "disk": 5, "ports": [f"{PORT}/http"],
            "gpu": {"id": "NVIDIA A40", "count": 1}, "args": "anything",
            "env": pod_environment(job="j1", attempt=attempt, token=TOKEN, figures=told),
        }  # fmt: skip
        if mount:
            body["mounts"] = {"persistent": {"size": 10, "path": "/workspace"}}
        answer = self.http.post("/v2/pods", json=body)
        assert answer.status_code == 201, answer.text
        self.id, self.attempt = answer.json()["id"], attempt
        self.port = PodPort(
            f"https://cloud.test/proxy/{self.id}-{PORT}", SecretStr(TOKEN),
            transport=transport(self.cloud), sleep=self.clock.advance,
        )  # fmt: skip

    def pass_s(self, seconds, each=1.0):
        """Let time pass in steps; the cloud looks at its pods at each."""
        left = seconds
        while left > 1e-6:
            self.clock.advance(min(each, left))
            self.cloud.tick()
            left -= each

    def message(self, content):
        return HandOver(
            job="j1", attempt=self.attempt, event_key=SecretStr(EVENT_KEY),
            bundle=BundleByPort(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content)),
        )  # fmt: skip

    def hand_over(self, tmp_path, content=None):
        """Give it its work, as the workflow does."""
        content = content or bundle()
        path = tmp_path / "bundle.tar"
        path.write_bytes(content)
        self.port.hand_over(self.message(content))
        assert self.port.send_bundle(path, within_s=60)

    @property
    def status(self):
        """As REST v2 tells it; None once it is gone."""
        answer = self.http.get(f"/v2/pods/{self.id}")
        return answer.json()["status"] if answer.status_code == 200 else None

    def close(self):
        self.port.close()
        self.http.close()
