"""The worker's Dockerfile, what it installs, and what goes to the builder: read, linted, compared."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from podtune.app import image_context
from podtune.providers.runpod import images

SEVEN = {"transformers", "peft", "accelerate", "bitsandbytes", "trl", "runpod", "supabase"}
"""What specification B installs."""

PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ]+)", re.MULTILINE)


@pytest.fixture(scope="module")
def dockerfile(root):
    return (root / "runpod-worker/Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def requirements(root):
    lines = (root / "runpod-worker/requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(one.name): one.specifier for one in found}


def pins(root, name):
    """Library -> versions of a lock; two where Python's version decides."""
    found = {}
    for library, version in PINNED.findall((root / "requirements" / name).read_text("utf-8")):
        found.setdefault(canonicalize_name(library), set()).add(version)
    return found


def test_the_linter_finds_nothing(root):
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert program, "`make setup` installs hadolint"
    done = subprocess.run(
        [program, "--no-color", root / "runpod-worker/Dockerfile"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_is_silenced(dockerfile):
    assert "hadolint ignore" not in dockerfile


def test_it_starts_from_the_image_of_the_table(dockerfile):
    (base,) = re.findall(r"^ARG BASE_IMAGE=(\S+)$", dockerfile, re.MULTILINE)
    assert base == images.DEFAULT
    assert images.facts(base).python >= "3.11"
    assert re.findall(r"^FROM (.*)$", dockerfile, re.MULTILINE) == ["${BASE_IMAGE}"]


def test_it_ends_with_the_handler(dockerfile):
    assert dockerfile.splitlines()[-1] == 'CMD ["python", "-u", "handler.py"]'


def test_libraries_come_before_the_code_and_by_hash(dockerfile):
    installs = re.findall(r"-m pip install.*?--requirement=\S+", dockerfile, re.DOTALL)
    assert len(installs) == 2
    for words in installs:
        assert "--require-hashes" in words
        assert "--no-deps" in words
        assert "--no-cache-dir" in words
    assert dockerfile.rindex("pip install") < dockerfile.index("COPY src/podtune")


def test_it_has_no_place_for_a_secret(dockerfile):
    named = re.findall(r"^(?:ARG|ENV)\s+(\w+)|^\s+(\w+)=", dockerfile, re.MULTILINE)
    names = {first or second for first, second in named}
    assert "HF_HOME" in names
    assert not [n for n in names if re.search(r"TOKEN|KEY|SECRET|PASSW|SUPABASE|CREDENTIAL", n)]
    assert "id=pip" in dockerfile


def test_one_input_names_the_seven_libraries(requirements):
    assert set(requirements) >= SEVEN


def test_ranges_are_those_of_the_project(root, requirements):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    named = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["train"],
    ]
    theirs = {canonicalize_name(r.name): r.specifier for r in map(Requirement, named)}
    assert {name: requirements.get(name) for name in theirs} == theirs
    for line in project["dependency-groups"]["dev"]:
        one = Requirement(line)
        assert requirements.get(canonicalize_name(one.name), one.specifier) == one.specifier


@pytest.mark.parametrize("name", ["serverless.lock", "serverless-gpu.lock"])
def test_the_locks_hold_hashes_and_no_address_and_no_torch(root, name):
    text = (root / "requirements" / name).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
    assert "--index" not in text
    assert "//" not in text
    assert not {"torch", "triton", "flash-attn"} & set(pins(root, name))


def test_the_lock_holds_what_was_asked_for(root, requirements):
    locked = pins(root, "serverless.lock")
    for name, specifier in requirements.items():
        if name != "torch":  # of the base
            assert all(Version(version) in specifier for version in locked[name]), name


def test_the_image_holds_what_the_tests_ran_with(root):
    ours, tested = pins(root, "serverless.lock"), pins(root, "dev.lock")
    assert len(set(ours) & set(tested)) > 100
    differing = {
        name: (ours[name], tested[name])
        for name in set(ours) & set(tested)
        if ours[name] != tested[name]
    }
    assert differing == {}


def test_the_context_of_a_checkout_begins_by_leaving_everything_out(root):
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    assert allowed == {
        "requirements/serverless.lock", "requirements/serverless-gpu.lock", "runpod-worker", "src/podtune",
    }  # fmt: skip


def test_what_is_copied_is_in_the_context(dockerfile, tmp_path):
    image_context.write(tmp_path)
    copied = re.findall(r"^COPY (\S+) ", dockerfile, re.MULTILINE)
    assert len(copied) == 4
    assert [one for one in copied if not (tmp_path / one).exists()] == []


def test_every_file_of_the_source_goes_to_the_builder(root, tmp_path):
    listed = subprocess.run(
        ["git", "ls-files", "src/podtune", "runpod-worker"],
        capture_output=True, text=True, cwd=root, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    image_context.write(tmp_path)
    tracked = [name for name in listed.stdout.splitlines() if (root / name).is_file()]
    left_out = [name for name in tracked if not (tmp_path / name).is_file()]
    assert left_out == [], "its ending belongs into image_context.KINDS"
