"""An installed podtune has everything: the worker travels inside the wheel."""

import subprocess
import sys
import zipfile

import pytest


@pytest.fixture(scope="module")
def names(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        capture_output=True, text=True, cwd=root, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_worker_is_in_the_wheel(names, root):
    programs = {f"podtune/worker/{p.name}" for p in (root / "runpod-worker").glob("*.py")}
    programs |= {f"podtune/worker/pod/{p.name}" for p in (root / "runpod-worker/pod").glob("*.py")}
    assert len(programs) > 10
    assert programs <= names


def test_the_locks_are_in_the_wheel(names):
    assert {"podtune/locks/pod.lock", "podtune/locks/base-model.lock"} <= names


def test_types_and_migrations_are_in_the_wheel(names):
    assert "podtune/py.typed" in names
    assert "podtune/workflow/migrations/versions/0001_job_store.py" in names


def test_nothing_else_is_in_the_wheel(names):
    assert not [n for n in names if n.startswith(("tests", "bench", "examples", "docs"))]
    assert not [n for n in names if "__pycache__" in n]
