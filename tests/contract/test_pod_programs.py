"""The pod's own programs on the stand-in cloud: through its proxy, and ended by their own key."""

import json
import time

import httpx2
import pytest
from pydantic import SecretStr

from podtune.core.errors import UnavailableError
from podtune.core.handover import pod_environment, verified_event
from podtune.providers.runpod.command import python_command
from podtune.storage.bootstrap_program import bootstrap_program
from podtune.storage.pod_port import PodPort
from podtune.testing.dev import IMAGE, laptop_cloud
from podtune.testing.options import CloudOptions, PodKeyRules
from podtune.testing.server import CloudServer
from support import pod_bundles, pod_machine
from support.pod_machine import eventually, hand_over


@pytest.fixture
def cloud(tmp_path):
    servers = []

    def start(**rules):
        options = CloudOptions(provisioning_s=0.1, pull_s=0.1, pod_key=PodKeyRules(**rules))
        server = CloudServer(laptop_cloud(tmp_path / "cloud", options))
        servers.append(server.__enter__())
        return server

    yield start
    for server in servers:
        server.close()


class Rented:
    def __init__(self, server):
        told = server.environment()
        self.client = httpx2.Client(
            base_url=told["RUNPOD_REST_BASE_URL"],
            headers={
                "Authorization": f"Bearer {told['RUNPOD_API_KEY']}",
                "User-Agent": "podtune/test",
            },
        )
        now = int(time.time())
        figures = {"DEADLINE": now + 600, "STARTED": now, "MAX_USD": "1", "USD_PER_HOUR": "0.01"}
        environment = pod_environment(
            job=pod_machine.JOB, attempt=1, token=pod_machine.TOKEN, figures=figures
        )
        body = {
            "name": "pt-owner-demo-1-x1", "image": IMAGE, "gpu": {"id": "Stand-in CPU", "count": 1},
            "env": environment, "ports": ["8466/http"], "disk": 20,
            "mounts": {"persistent": {"size": 10, "path": "/workspace"}},
            "args": python_command(bootstrap_program()),
        }  # fmt: skip
        answer = self.client.post("/pods", json=body)
        assert answer.status_code == 201, answer.text
        self.id = answer.json()["id"]
        url = told["RUNPOD_PROXY_URL"].replace("{pod}", self.id).replace("{port}", "8466")
        self.port = PodPort(url, SecretStr(pod_machine.TOKEN))

    def is_up(self):
        try:
            return self.port.status()
        except UnavailableError:
            return None

    def is_gone(self):
        return self.client.get(f"/pods/{self.id}").status_code == 404

    def close(self):
        self.port.close()
        self.client.close()


@pytest.mark.parametrize(
    "rules",
    [{"rest": True, "graphql": False}, {"rest": False, "graphql": True}],
    ids=["by REST v2", "by GraphQL"],
)
def test_a_pod_takes_work_through_the_proxy_and_ends_itself(cloud, tmp_path, rules):
    server = cloud(**rules)
    rented = Rented(server)
    try:
        eventually(rented.is_up)
        bundle = pod_bundles.write(tmp_path / "bundle.tar")
        rented.port.hand_over(hand_over(bundle))
        assert rented.port.send_bundle(bundle, within_s=20)
        eventually(lambda: rented.port.status().phase == "finished")
        assert rented.port.fetch_files(tmp_path / "artifact", rented.port.files())
        rented.port.release()
        eventually(rented.is_gone)
        eventually(lambda: server.cloud.account.live_pods() == [])
    finally:
        rented.close()


def test_events_come_by_the_log_stream_too(cloud, tmp_path):
    rented = Rented(cloud(graphql=True))
    try:
        eventually(rented.is_up)
        bundle = pod_bundles.write(tmp_path / "bundle.tar")
        rented.port.hand_over(hand_over(bundle))
        rented.port.send_bundle(bundle, within_s=20)
        eventually(lambda: rented.port.status().phase == "finished")
        found = []
        with rented.client.stream(
            "GET", f"/pods/{rented.id}/logs", params={"source": "container", "tail": 100}
        ) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    text = json.loads(line.removeprefix("data:"))["line"]
                    event = verified_event(text, pod_machine.KEY)
                    found += [event[0].seq] if event else []
                if len(found) == 3:
                    break
    finally:
        rented.close()
    assert found == [0, 1, 2]
