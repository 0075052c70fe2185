"""examples/http: the quick starts in curl and TypeScript against a served gateway, with a real callback."""

import re
import subprocess
import tarfile

import pytest

from support import edge_functions, tiny_model
from support.edge_functions import EdgeFunction
from support.gateways import Program
from support.hub_server import HubServer
from support.odd_server import OddServer, response
from support.waiting import until

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(edge_functions.missing() is not None, reason=edge_functions.missing() or ""),
]

SECRET = "whsec_cG9kdHVuZS10ZXN0LXNlY3JldC0wMTIzNDU2Nzg5"


@pytest.fixture
def served(tiny, home, tmp_path, root):
    """Runs an example as a user would; gives what it said. And the receiver of its callback."""
    rows = tiny_model.write_rows(tmp_path / "rows.jsonl", 24).read_bytes()
    example = root / "examples" / "http"
    with (
        HubServer({"acme/tiny": tiny}) as hub,
        OddServer({"/rows.jsonl": response(200, rows)}) as data,
        EdgeFunction(example / "callback.ts", PODTUNE_WEBHOOK_SECRET=SECRET) as receiver,
    ):
        home.environment.pop("HF_HUB_OFFLINE")
        home.environment.pop("HF_TOKEN", None)
        hosts = f"127.0.0.1:{data.port},{receiver.url.removeprefix('http://')}"
        home.environment |= {
            "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hub"), "OMP_NUM_THREADS": "1",
            "PODTUNE_EGRESS_HTTP": "true", "PODTUNE_EGRESS_PRIVATE_HOSTS": hosts,
            "PODTUNE_WEBHOOK_SECRET": SECRET,
        }  # fmt: skip
        scopes = ("--scope", "submit", "--scope", "read")
        token = home.json("keys", "create", "app", *scopes)["token"]
        with Program(home) as gateway:

            def run(*words):
                environment = edge_functions.environment(
                    GPU_CLUSTER_API_URL=gateway.url, GPU_CLUSTER_API_KEY=token, BASE_MODEL="acme/tiny",
                    DATASET_URL=f"http://127.0.0.1:{data.port}/rows.jsonl?token=x",
                    CALLBACK_URL=f"{receiver.url}/hook",
                )  # fmt: skip
                done = subprocess.run(
                    words, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=200,
                    check=False,
                )  # fmt: skip
                assert done.returncode == 0, done.stdout + done.stderr + gateway.log()
                return done.stdout

            yield run, receiver


def check(said, receiver):
    """The same story in both languages, and one callback."""
    (job,) = re.findall(r"^submitted: (\S+)$", said, re.MULTILINE)
    steps = re.findall(r"^step (\d+), loss [\d.]+$", said, re.MULTILINE)
    assert steps
    assert steps == sorted(set(steps), key=int)
    assert re.search(r"^status: completed, 100", said, re.MULTILINE)
    wanted = f"training.completed: {job}, "
    until(lambda: wanted in receiver.log(), "the callback", 60)
    assert receiver.log().count(wanted) == 1
    return job


def test_curl(served, tmp_path, root):
    run, receiver = served
    said = run(root / "examples" / "http" / "quickstart.sh", "by-curl")
    job = check(said, receiver)
    with tarfile.open(tmp_path / f"adapter-{job}.tar.gz") as archive:
        assert any(name.endswith("adapter_model.safetensors") for name in archive.getnames())
    again = run(root / "examples" / "http" / "quickstart.sh", "by-curl")
    assert f"submitted: {job}" in again


def test_typescript(served, root):
    run, receiver = served
    program = (edge_functions.deno(), "run", "--no-remote", "-N", "-E")
    check(run(*program, root / "examples" / "http" / "quickstart.ts", "by-fetch"), receiver)
