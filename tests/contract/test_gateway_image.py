"""The gateway's image, built for real by buildah on a stand-in base, and what it does once it runs.

The official Python image cannot be fetched here; `support.container_base` stands in for it.
"""

import json
import re
import socket
import subprocess
from contextlib import closing
from types import SimpleNamespace

import httpx2
import pytest

import podtune
from support import container_base
from support.container_base import SECRET, Buildah, has_index, pip_configuration
from support.hearing import hear_all
from support.waiting import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),  # whichever test is first builds: a minute on two cores
    pytest.mark.skipif(container_base.missing() is not None, reason=container_base.missing() or ""),
]

BASE = "localhost/stand-in:1"
TAG = "localhost/podtune-gateway:test"


@pytest.fixture(scope="module")
def buildah(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    tool = Buildah(folder / "store")
    tool.make_base(BASE, folder / "base")
    yield tool
    tool("rm", "--all")
    tool("rmi", "--all", "--force")


@pytest.fixture(scope="module")
def built(buildah, root, tmp_path_factory):
    """The image's configuration, and a container of it."""
    folder = tmp_path_factory.mktemp("index")
    if not has_index(folder):
        pytest.skip("no package index is reachable from here")
    recipe = root / "docker" / "gateway" / "Dockerfile"
    buildah(
        "build", "--format", "docker", "--build-arg", f"BASE_IMAGE={BASE}", "--build-arg", "VERSION=1.2",
        "--secret", f"id=pip,src={pip_configuration(folder / 'pip.conf')}",
        "--ignorefile", f"{recipe}.dockerignore", "--file", str(recipe), "--tag", TAG, str(root),
    )  # fmt: skip
    container = buildah("from", TAG).strip()
    config = json.loads(buildah("inspect", "--type", "image", TAG))["Docker"]["config"]
    return SimpleNamespace(container=container, config=config)


class Served:
    """`podtune serve` in the container, with the image's own user, on a free port of loopback."""

    def __init__(self, buildah, built, *variables):
        with closing(socket.create_server(("127.0.0.1", 0))) as found:
            self.port = found.getsockname()[1]
        command = ["podtune", "serve", "--port", str(self.port)]
        self._process = subprocess.Popen(
            ["buildah", "run", *(f"--env={one}" for one in variables), built.container, "--", *command],
            env=buildah.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, preexec_fn=hear_all,
        )  # fmt: skip
        assert self._process.stdout.readline().startswith("http://"), self._process.stderr.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.communicate(timeout=30)


def is_healthy(buildah, built, port):
    check = built.config["Healthcheck"]["Test"]
    assert check[0] == "CMD"
    done = subprocess.run(
        ["buildah", "run", built.container, "--", *check[1:-1], str(port)], env=buildah.environment,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode == 0, done.stdout


def test_it_serves_as_its_own_user_and_says_when_it_is_ready(buildah, built):
    with Served(buildah, built) as served:
        until(lambda: is_healthy(buildah, built, served.port)[0], "the health check", 60)
        with httpx2.Client(base_url=f"http://127.0.0.1:{served.port}", trust_env=False) as client:
            assert client.get("/readyz").json()["ready"]
            assert "podtune" in client.get("/").text
        found = buildah("run", built.container, "--", "ls", "-ln", "/var/lib/podtune/podtune.db")
        assert found.split()[2:4] == ["10001", "10001"]
    healthy, said = is_healthy(buildah, built, served.port)
    assert not healthy
    assert said.startswith("no answer")


def test_secrets_come_from_files(buildah, built, postgres):
    """The job store's address with its password stands in a file, as compose.yaml mounts it."""
    url = postgres.fresh() + "?sslmode=disable"
    write = "import os, pathlib; pathlib.Path('/tmp/url').write_text(os.environ['GIVEN'])"
    program = ["python", "-c", write]
    buildah("run", f"--env=GIVEN={url}", built.container, "--", *program)
    more = "--env=PODTUNE_DATABASE_URL_FILE=/tmp/url"
    words = ("podtune", "keys", "create", "app", "--scope", "read")
    token = buildah("run", more, built.container, "--", *words).strip()
    assert token.startswith("ptk_")
    with Served(buildah, built, "PODTUNE_DATABASE_URL_FILE=/tmp/url") as served:
        headers = {"Authorization": f"Bearer {token}"}
        with httpx2.Client(base_url=f"http://127.0.0.1:{served.port}", trust_env=False) as client:
            assert client.get("/training/jobs", headers=headers).json()["jobs"] == []
            assert client.get("/training/jobs").status_code == 401
    postgres.drop(url.partition("?")[0])


def test_a_secret_that_cannot_be_read_stops_it(buildah, built):
    done = subprocess.run(
        ["buildah", "run", "--env=RUNPOD_API_KEY_FILE=/run/secrets/none", built.container, "--", "podtune", "jobs"],
        env=buildah.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "RUNPOD_API_KEY_FILE names /run/secrets/none" in done.stderr


def test_it_brings_what_is_sent_to_rented_machines(buildah, built):
    program = (
        "import pathlib; from podtune.storage import installed as i;"
        "i.write_wheel(pathlib.Path('/tmp/podtune.whl'));"
        "print(i.worker_folder(), i.lock_file('pod.lock'))"
    )
    found = buildah("run", built.container, "--", "python", "-c", program).split()
    assert found == ["/opt/podtune/runpod-worker", "/opt/podtune/requirements/pod.lock"]


def test_its_libraries_are_those_of_the_lock_and_no_torch(buildah, built, root):
    program = (
        "from importlib.metadata import distributions as d;"
        "print(*sorted(x.metadata['Name'].lower().replace('_', '-') + '==' + x.version for x in d(path=['/opt/podtune/lib'])))"
    )
    found = set(buildah("run", built.container, "--", "python", "-c", program).split())
    lock = (root / "requirements/gateway.lock").read_text(encoding="utf-8").lower()
    pinned = set(re.findall(r"^([a-z0-9._-]+==[^ ;]+)", lock, re.MULTILINE))
    assert found <= {one.replace("_", "-") for one in pinned}
    assert len(found) > 40
    assert not any(one.startswith(("torch==", "transformers==")) for one in found)


def test_it_says_what_it_is(built):
    labels = {name.rpartition(".")[2]: value for name, value in built.config["Labels"].items()}
    assert (labels["title"], labels["licenses"]) == ("podtune gateway", "Apache-2.0")
    assert labels["version"] == "1.2"
    assert built.config["User"] == "10001:10001"
    assert built.config["Cmd"] == ["podtune", "serve", "--host", "0.0.0.0", "--port", "8700"]
    assert list(built.config["Volumes"]) == ["/var/lib/podtune"]
    assert list(built.config["ExposedPorts"]) == ["8700/tcp"]


def test_no_secret_is_in_a_layer_or_in_the_history(buildah, built):
    assert SECRET not in buildah("inspect", "--type", "image", TAG)
    mounted = buildah("mount", built.container).strip()
    done = subprocess.run(["grep", "-rlF", SECRET, mounted], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_beyond_loopback_it_does_not_start_without_a_key(buildah, built):
    environment = ["--env=PODTUNE_HOME=/tmp/another"]
    done = subprocess.run(
        ["buildah", "run", *environment, built.container, "--", *built.config["Cmd"]],
        env=buildah.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "podtune keys create" in done.stderr
    version = buildah("run", built.container, "--", "podtune", "--version")
    assert version.strip() == podtune.__version__
