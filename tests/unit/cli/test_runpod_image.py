"""`podtune runpod image` as a command."""

import json

import pytest
import typer
from typer.testing import CliRunner

from podtune.cli import runpod_image
from podtune.core.errors import SpecError
from support.image_programs import DIGEST, DOCKER, place

REPOSITORY = {"image inspect --format {{json": (0, json.dumps([f"me/w@{DIGEST}"]))}


@pytest.fixture
def call(tmp_path, monkeypatch):
    place(tmp_path, "docker", {**DOCKER, **REPOSITORY})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    app = typer.Typer()
    app.command()(runpod_image.image)
    return lambda *words: CliRunner().invoke(app, list(words))


def test_a_build_names_the_next_commands(call):
    done = call("--tag", "me/w:1")
    assert done.exit_code == 0, done.output
    assert "image me/w:1" in done.stdout
    assert "1.1 GiB" in done.stdout
    assert "#7 pip install" in done.stderr
    assert "podtune runpod image --tag me/w:1 --push" in done.stderr
    assert "podtune runpod deploy --image me/w:1" in done.stderr


def test_a_push_names_the_image_by_digest(call):
    done = call("--tag", "me/w:1", "--push")
    assert f"podtune runpod deploy --image me/w@{DIGEST}" in done.stderr
    assert DIGEST in done.stdout


def test_a_dry_run_shows_the_commands(call):
    done = call("--tag", "me/w:1", "--push", "--build-arg", "GPU=0", "--dry-run")
    assert "would run" in done.stdout
    assert "--build-arg GPU=0" in done.stdout
    assert "push me/w:1" in done.stdout
    assert "without --dry-run" in done.stderr


def test_for_programs(call):
    said = json.loads(call("--tag", "me/w:1", "--push", "--output", "json").stdout)
    assert said["reference"] == f"me/w@{DIGEST}"
    assert said["size_bytes"] == 1234567890
    assert said["tool"] == "docker"


def test_a_bad_name_is_an_error(call):
    done = call("--tag", "Not A Name")
    assert isinstance(done.exception, SpecError)


def test_without_a_tag_it_is_our_own_name(call):
    assert "image podtune/worker:" in call("--dry-run").stdout
