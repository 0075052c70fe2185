"""docker and buildah: which is taken, the words of their commands, what their failures become."""

import json
import sys
from pathlib import Path

import pytest

from podtune.app import image_tools
from podtune.app.image_tools import BuildOrder, Tool
from podtune.core.errors import CredentialsError, ProviderError, UnsupportedError
from support.image_programs import DIGEST, DOCKER, place

VFS = {"info": (0, "vfs")}
OVERLAY = {"info": (0, "overlay")}


@pytest.fixture
def said(tmp_path):
    """A build by a tool that is a few lines of Python."""

    def command(program):
        path = tmp_path / "tool"
        path.write_text(f"#!{sys.executable}\n{program}\n", encoding="utf-8")
        path.chmod(0o755)
        return [str(path), "build"]

    return command


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder that is all there is to find programs in."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_docker_is_taken_where_its_engine_answers(programs):
    place(programs, "docker", DOCKER)
    place(programs, "buildah", VFS)
    assert image_tools.find() == Tool("docker", str(programs / "docker"))


def test_buildah_is_taken_where_dockers_engine_is_silent(programs):
    place(programs, "docker", {"version": (1, "Cannot connect to the Docker daemon")})
    place(programs, "buildah", OVERLAY)
    assert image_tools.find() == Tool("buildah", str(programs / "buildah"), has_layers=True)


def test_a_store_that_copies_every_layer_gets_one(programs):
    place(programs, "buildah", VFS)
    assert not image_tools.find().has_layers


@pytest.mark.parametrize("has_docker", [True, False])
def test_neither_is_told_with_the_next_step(programs, has_docker):
    if has_docker:
        place(programs, "docker", {"version": (1, "Cannot connect")})
    with pytest.raises(UnsupportedError) as caught:
        image_tools.find()
    assert caught.value.code == "no_image_builder"
    assert "apt-get install buildah" in caught.value.hint
    assert ("does not answer" in caught.value.message) is has_docker


ORDER = BuildOrder("me/w:1", Path("/c"), (("GPU", "0"), ("VERSION", "1")), Path("/pip.conf"))


def test_the_command_of_docker():
    words = Tool("docker", "docker").build_command(ORDER)
    assert words == [
        "docker", "build", "--platform", "linux/amd64", "--progress", "plain", "--build-arg", "GPU=0",
        "--build-arg", "VERSION=1", "--secret", "id=pip,src=/pip.conf", "--tag", "me/w:1", "/c",
    ]  # fmt: skip


def test_the_command_of_buildah():
    words = Tool("buildah", "buildah", has_layers=False).build_command(
        ORDER._replace(pip_config=None)
    )
    assert words == [
        "buildah", "build", "--platform", "linux/amd64", "--format", "docker", "--layers=false",
        "--build-arg", "GPU=0", "--build-arg", "VERSION=1", "--tag", "me/w:1", "/c",
    ]  # fmt: skip


def test_lines_come_as_they_are_written_without_secrets(said):
    lines = []
    program = "print('step 1', flush=True); print('token hf_abcdefghijklmnop'); print(); print('\\udc80x'.encode('utf-8', 'replace'))"
    image_tools.run(said(program), lines.append)
    assert lines[:2] == ["step 1", "token ***"]
    assert "" not in lines


def test_a_tool_that_fails_says_why(said):
    program = "import sys; print('STEP 3'); print('no space left on device', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ProviderError) as caught:
        image_tools.run(said(program), lambda _: None)
    assert caught.value.code == "image_build_failed"
    assert "no space left on device" in caught.value.message


def test_a_secret_in_a_failure_is_blotted_out(said):
    program = "import sys; print('GET //user:pa55word@index.example/ 401'); sys.exit(1)"
    with pytest.raises(ProviderError) as caught:
        image_tools.run(said(program), lambda _: None)
    assert "pa55word" not in json.dumps(caught.value.to_json())


def test_a_flood_of_output_stays_small(said):
    program = "import sys\nfor i in range(5000): print('x' * 5000)\nsys.exit(1)"
    seen = []
    with pytest.raises(ProviderError) as caught:
        image_tools.run(said(program), lambda line: seen.append(len(line)))
    assert max(seen) == 2000
    assert len(caught.value.message) < 2000


@pytest.mark.parametrize(
    "words",
    [
        "denied: requested access to the resource is denied",
        "unauthorized: authentication required",
        "no basic auth credentials",
    ],
)
def test_a_push_that_is_refused_names_the_login(programs, words):
    place(programs, "docker", {"push": (1, words)})
    with pytest.raises(CredentialsError) as caught:
        image_tools.run([str(programs / "docker"), "push", "me/w:1"], lambda _: None)
    assert caught.value.code == "registry_login"
    assert "docker login" in caught.value.hint


def test_the_tool_gets_nothing_to_read(programs):
    place(programs, "docker", DOCKER)
    lines = []
    image_tools.run([str(programs / "docker"), "push", "me/w:1"], lines.append)
    assert "asked for nothing" in lines


def test_leaving_early_ends_the_tool(said):
    program = "import sys, time\nprint('begun', flush=True)\ntime.sleep(600)"

    def leave(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        image_tools.run(said(program), leave)  # returns at once, or the time limit strikes


def test_a_program_that_is_not_there_is_told():
    with pytest.raises(ProviderError) as caught:
        image_tools.ask(["/nowhere/docker", "version"])
    assert caught.value.code == "image_tool_failed"


def test_size_and_digest_of_docker(programs, tmp_path):
    known = [f"other/x@sha256:{'0' * 64}", f"docker.io/me/w@{DIGEST}"]
    answers = {**DOCKER, "image inspect --format {{json": (0, json.dumps(known))}
    place(programs, "docker", answers)
    tool = Tool("docker", str(programs / "docker"))
    assert tool.size("me/w:1") == 1234567890
    assert tool.digest("me/w:1", tmp_path / "none") == DIGEST
    assert tool.digest("somebody/else:1", tmp_path / "none") is None


def test_digest_of_buildah(tmp_path):
    tool = Tool("buildah", "buildah")
    assert tool.digest("me/w:1", tmp_path / "digest") is None
    (tmp_path / "digest").write_text(DIGEST)
    assert tool.digest("me/w:1", tmp_path / "digest") == DIGEST
