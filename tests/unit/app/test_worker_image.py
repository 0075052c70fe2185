"""The worker's image: names that are refused, what is run, what comes back. The real build: `tests/contract`."""

import json
import re

import pytest

import podtune
from podtune.app import worker_image
from podtune.app.worker_image import ImageWish, build, checked_base, checked_tag
from podtune.core.errors import CredentialsError, NotFoundError, ProviderError, SpecError
from podtune.providers.runpod import images
from support.image_programs import DIGEST, DOCKER, place

REPOSITORY = {"image inspect --format {{json": (0, json.dumps([f"me/w@{DIGEST}"]))}


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """An engine that says yes; gives the calls that were made."""
    monkeypatch.setenv("PATH", str(tmp_path))

    def start(**changed):
        calls = place(tmp_path, "docker", {**DOCKER, **REPOSITORY, **changed})
        return lambda: [json.loads(line) for line in calls.read_text().splitlines()]

    return start


@pytest.mark.parametrize(
    "tag",
    [
        "me/w:v1",
        "registry.example:5000/a/b-c__d.e:1.2_3",
        "localhost/x:1",
        "w:1",
        "127.0.0.1:5000/me/w:1",
    ],
)
def test_good_names(tag):
    assert checked_tag(tag, push=True) == tag


def test_a_name_without_a_version_gets_ours():
    assert checked_tag("me/w", push=True) == f"me/w:{podtune.__version__}"
    assert checked_tag("host:5000/w", push=True) == f"host:5000/w:{podtune.__version__}"


@pytest.mark.parametrize(
    "tag",
    [
        "", "Me/w:1", "-me/w:1", "--help", "me/w:", "me//w:1", "me/w:1 --privileged", "me/w:1\n", "me/../w:1",
        "user:word@host/w:1", "https://host/w:1", "m" * 256, "me/w:" + "1" * 200, "me/w;rm:1", "mé/w:1",
    ],
)  # fmt: skip
def test_bad_names(tag):
    with pytest.raises(SpecError) as caught:
        checked_tag(tag, push=False)
    assert caught.value.code == "bad_image_name"
    assert len(caught.value.message) < 200


def test_latest_is_refused_because_hosts_keep_it():
    with pytest.raises(SpecError, match="latest"):
        checked_tag("me/w:latest", push=False)


def test_the_default_name_cannot_be_pushed():
    assert checked_tag(images.OWN, push=False) == images.OWN
    with pytest.raises(SpecError, match="nobody's name"):
        checked_tag(images.OWN, push=True)


def test_bases():
    assert checked_base("auto") == images.DEFAULT
    pinned = f"{images.DEFAULT}@{DIGEST}"
    assert checked_base(pinned) == pinned
    for wrong in ("", "x y", "UPPER/x:1", "-x", f"a@sha256:{'0' * 63}", "a@sha512:" + "0" * 64):
        with pytest.raises(SpecError):
            checked_base(wrong)


def test_a_build(docker):
    calls = docker()
    lines = []
    made = build(ImageWish(tag="me/w:1"), lines.append)
    assert (made.tool, made.size_bytes, made.digest, made.reference) == (
        "docker",
        1234567890,
        None,
        "me/w:1",
    )
    verbs = [call[1] for call in calls()]
    assert verbs == ["version", "build", "image"]
    words = calls()[1]
    assert f"BASE_IMAGE={images.DEFAULT}" in words
    assert f"VERSION={podtune.__version__}" in words
    assert f"REVISION={made.revision}" in words
    assert re.fullmatch(r"([0-9a-f]{40}(-changed)?)|sha256:[0-9a-f]{64}", made.revision)
    assert "#7 pip install ..." in lines


def test_a_push_gives_the_name_by_digest(docker):
    calls = docker()
    made = build(ImageWish(tag="me/w:1", push=True), lambda _: None)
    assert made.reference == f"me/w@{DIGEST}"
    assert ["docker", "push", "me/w:1"] in calls()


def test_a_dry_run_runs_nothing_but_the_question(docker):
    calls = docker()
    made = build(ImageWish(tag="me/w:1", push=True), lambda _: None, dry_run=True)
    assert [call[1] for call in calls()] == ["version"]
    assert [command[1] for command in made.commands] == ["build", "push"]
    assert made.size_bytes is None
    assert made.context_files > 100


def test_a_build_that_fails_pushes_nothing(docker):
    calls = docker(build=(1, "ERROR: failed to solve: token hf_abcdefghijklmnop"))
    with pytest.raises(ProviderError) as caught:
        build(ImageWish(tag="me/w:1", push=True), lambda _: None)
    assert caught.value.code == "image_build_failed"
    assert "hf_abc" not in caught.value.message
    assert "push" not in [call[1] for call in calls()]


def test_a_push_without_a_login(docker):
    docker(push=(1, "denied: requested access to the resource is denied"))
    with pytest.raises(CredentialsError) as caught:
        build(ImageWish(tag="me/w:1", push=True), lambda _: None)
    assert caught.value.code == "registry_login"


def test_build_arguments_are_those_of_the_dockerfile(docker, root):
    calls = docker()
    build(
        ImageWish(tag="me/w:1", arguments=("GPU=0", "SOURCE=https://git.example/p?a=b")),
        lambda _: None,
    )
    assert {"GPU=0", "SOURCE=https://git.example/p?a=b"} <= set(calls()[1])
    known = set(
        re.findall(r"^ARG (\w+)", (root / "runpod-worker/Dockerfile").read_text(), re.MULTILINE)
    )
    assert known == {*worker_image.ARGUMENTS, "BASE_IMAGE", "VERSION", "REVISION"}


@pytest.mark.parametrize(
    "given", ["HF_TOKEN=hf_abcdefghijklmnop", "VERSION=9", "GPU", "GPU=a b", "=1", ""]
)
def test_other_build_arguments_are_refused(given):
    with pytest.raises(SpecError) as caught:
        build(ImageWish(tag="me/w:1", arguments=(given,)), lambda _: None)
    assert caught.value.code == "bad_build_argument"
    assert "hf_abc" not in json.dumps(caught.value.to_json())


def test_pips_configuration_goes_as_a_secret(docker, tmp_path):
    calls = docker()
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://user:word@index.example/simple\n")
    build(ImageWish(tag="me/w:1", pip_config=config), lambda _: None)
    assert f"id=pip,src={config}" in calls()[1]
    assert "index.example" not in json.dumps(calls())


def test_a_pip_configuration_that_is_not_there(tmp_path):
    with pytest.raises(NotFoundError):
        build(ImageWish(tag="me/w:1", pip_config=tmp_path / "none"), lambda _: None)


def test_nothing_is_left_behind(docker, tmp_path, monkeypatch):
    docker()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    build(ImageWish(tag="me/w:1"), lambda _: None)
    assert list(temporary.iterdir()) == []
