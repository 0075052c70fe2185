"""The worker's image, built for real by buildah: every RUN line on a stand-in base, up to those for a GPU.

RunPod's own image cannot be fetched here; `support.container_base` stands in for it. What needs its torch
and CUDA is left out by `GPU=0`. A push goes to a registry on loopback.
"""

import hashlib
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from podtune.app import image_tools, worker_image
from podtune.core.errors import CredentialsError, ProviderError
from support import container_base
from support.container_base import SECRET, Buildah, has_index, pip_configuration
from support.registry_server import Registry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(400),  # whichever test is first builds: a minute and a half on two cores
    pytest.mark.skipif(container_base.missing() is not None, reason=container_base.missing() or ""),
]

BASE = "localhost/stand-in:1"
TAG = "localhost/podtune-worker:test"


@pytest.fixture(scope="module")
def buildah(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    tool = Buildah(folder / "store")
    tool.make_base(BASE, folder / "base")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in tool.environment.items():
            patch.setenv(name, value)
        yield tool
    tool("rm", "--all")
    tool("rmi", "--all", "--force")


@pytest.fixture(scope="module")
def built(buildah, tmp_path_factory):
    """The image, what was said while it was built, and a container of it."""
    folder = tmp_path_factory.mktemp("index")
    if not has_index(folder):
        pytest.skip("no package index is reachable from here")
    wish = worker_image.ImageWish(
        tag=TAG, base=BASE, arguments=("GPU=0",), pip_config=pip_configuration(folder / "pip.conf")
    )
    lines = []
    image = worker_image.build(wish, lines.append)
    container = buildah("from", TAG).strip()
    config = json.loads(buildah("inspect", "--type", "image", TAG))["Docker"]["config"]
    return SimpleNamespace(image=image, lines=lines, container=container, config=config)


@pytest.fixture
def inside(buildah, built):
    def run(*words, user="root"):
        return buildah("run", "--user", user, built.container, "--", *words)

    return run


def test_it_builds_with_the_tool_that_works_here(built):
    assert built.image.tool == "buildah"
    assert built.image.size_bytes > 500_000_000
    assert any("STEP" in line for line in built.lines)
    assert any("Successfully installed" in line for line in built.lines)


def test_the_sdk_can_be_imported_as_the_specification_tries_it(inside):
    assert inside("python", "-c", "import runpod; print('OK')").splitlines()[-1] == "OK"


def test_all_seven_libraries_are_there_by_the_versions_of_the_lock(inside, root):
    seven = ("transformers", "peft", "accelerate", "bitsandbytes", "trl", "runpod", "supabase")
    program = (
        f"from importlib.metadata import version as v\nprint(*[n + '==' + v(n) for n in {seven}])"
    )
    lock = (root / "requirements/serverless.lock").read_text(encoding="utf-8")
    said = inside("python", "-c", program).split()
    assert len(said) == 7
    assert [one for one in said if f"\n{one} " not in lock] == []


def test_podtune_finds_its_worker_and_its_locks(inside):
    program = "from podtune.storage import installed as i; print(i.worker_folder(), i.lock_file('serverless.lock'))"
    found = inside("python", "-c", program).split()
    assert found == ["/opt/podtune/runpod-worker", "/opt/podtune/requirements/serverless.lock"]


def test_it_starts_the_handler_and_nothing_else(built, inside):
    assert built.config["Cmd"] == ["python", "-u", "handler.py"]
    assert built.config["WorkingDir"] == "/opt/podtune/runpod-worker"
    assert not built.config.get("Entrypoint")
    assert (
        inside("python", "-c", "import os; print(os.getcwd())").strip()
        == built.config["WorkingDir"]
    )


def test_it_says_what_it_is(built):
    labels = {name.rpartition(".")[2]: value for name, value in built.config["Labels"].items()}
    assert labels["title"] == "podtune worker"
    assert labels["licenses"] == "Apache-2.0"
    assert labels["version"]
    assert labels["revision"] == built.image.revision
    environment = dict(one.split("=", 1) for one in built.config["Env"])
    assert environment["RUNPOD_LOG_LEVEL"] == "INFO"
    assert environment["HF_HUB_DISABLE_TELEMETRY"] == environment["PYTHONUNBUFFERED"] == "1"


def test_the_health_check_sees_the_handler_and_not_itself(built, inside):
    check = built.config["Healthcheck"]["Test"]
    assert check[0] == "CMD"
    program = (
        "import subprocess as s, sys; check = sys.argv[1:]; without = s.run(check).returncode;"
        "p = s.Popen([sys.executable, '-c', 'input()', 'handler.py'], stdin=s.PIPE);"
        "having = s.run(check).returncode; p.communicate(b'x'); print(without, having)"
    )
    assert inside("python", "-c", program, *check[1:]).split() == ["1", "0"]


def test_another_user_can_run_it_where_no_volume_is_written(built, inside):
    assert built.config.get("User") in (None, "", "root")
    said = inside("python", "-c", "import os, runpod; print(os.getuid())", user="worker")
    assert said.split()[-1] == "10001"


def test_no_secret_is_in_a_layer_or_in_the_history(buildah, built):
    assert SECRET not in buildah("inspect", "--type", "image", TAG)
    mounted = buildah("mount", built.container).strip()
    assert not Path(mounted, "run/secrets/pip").exists()
    done = subprocess.run(["grep", "-rlF", SECRET, mounted], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")


def test_a_build_that_fails_says_what_the_tool_said(buildah):
    wish = worker_image.ImageWish(tag=TAG, base="localhost/nothing-here:1", arguments=("GPU=0",))
    with pytest.raises(ProviderError) as caught:
        worker_image.build(wish, lambda _: None)
    assert caught.value.code == "image_build_failed"
    assert "nothing-here" in caught.value.message


@pytest.fixture
def small(buildah, tmp_path):
    """An image of one file, under a registry's name."""

    def make(registry):
        (tmp_path / "word").write_text("podtune", encoding="utf-8")
        container = buildah("from", "scratch").strip()
        buildah("add", "--quiet", container, str(tmp_path / "word"), "/")
        tag = f"{registry.address}/someone/worker:v1"
        buildah("commit", "--quiet", "--rm", container, tag)
        return tag

    return make


def pushed(registry, tag, tmp_path, monkeypatch, logins="{}"):
    (tmp_path / "registries.conf").write_text(registry.configuration(), encoding="utf-8")
    (tmp_path / "auth.json").write_text(logins, encoding="utf-8")
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "registries.conf"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    tool, digest_file = image_tools.find(), tmp_path / "digest"
    image_tools.run(tool.push_command(tag, digest_file), lambda _: None)
    return tool.digest(tag, digest_file)


def test_a_push_uses_the_users_login_and_learns_the_digest(small, tmp_path, monkeypatch):
    with Registry(is_open=False) as registry:
        tag = small(registry)
        digest = pushed(registry, tag, tmp_path, monkeypatch, registry.logins())
    assert digest == "sha256:" + hashlib.sha256(registry.manifests["v1"]).hexdigest()


def test_a_push_without_a_login_asks_for_nothing_and_says_how(small, tmp_path, monkeypatch):
    with Registry(is_open=False) as registry, pytest.raises(CredentialsError) as caught:
        pushed(registry, small(registry), tmp_path, monkeypatch)
    assert caught.value.code == "registry_login"
    assert "buildah login" in caught.value.hint
    assert registry.manifests == {}


def test_a_build_from_a_checkout_sends_no_secret_either(buildah, root, tmp_path):
    """`docker build -f runpod-worker/Dockerfile .` goes by `.dockerignore`; buildah reads it the same way."""
    belongs = (
        "requirements/serverless.lock",
        "runpod-worker/handler.py",
        "src/podtune/core/wire.py",
    )
    strangers = (
        ".env", ".git/config", "id_rsa", "data/rows.jsonl", "requirements/dev.lock", "runpod-worker/.env.local",
        "runpod-worker/rows.jsonl", "src/podtune/tls.pem", "src/podtune/app/service.key", "src/other/x.py",
        "src/podtune/__pycache__/x.pyc",
    )  # fmt: skip
    for name in (*belongs, *strangers):
        (tmp_path / "checkout" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "checkout" / name).write_text("planted", encoding="utf-8")
    rules = (root / ".dockerignore").read_text(encoding="utf-8")
    (tmp_path / "checkout/.dockerignore").write_text(rules, encoding="utf-8")
    (tmp_path / "Everything").write_text("FROM scratch\nCOPY . /sent\n", encoding="utf-8")
    tag = "localhost/everything:1"
    recipe = str(tmp_path / "Everything")
    buildah("build", "--quiet", "--file", recipe, "--tag", tag, str(tmp_path / "checkout"))
    sent = Path(buildah("mount", buildah("from", tag).strip()).strip(), "sent")
    found = {p.relative_to(sent).as_posix() for p in sent.rglob("*") if p.is_file()}
    assert found == set(belongs)
