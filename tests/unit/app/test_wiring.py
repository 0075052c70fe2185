"""Who is plugged into what."""

import os
import subprocess
import sys
from pathlib import Path

import podtune
from podtune.app import wiring
from podtune.app.effects import LocalEffects
from podtune.providers.local.processes import LocalProvider
from support import homes


def test_the_worker_is_found_in_a_checkout(root):
    assert wiring.worker_folder() == root / "runpod-worker"


def test_the_parts_fit(tmp_path):
    settings = homes.settings(tmp_path)
    provider = wiring.local_provider()
    assert isinstance(provider, LocalProvider)
    assert isinstance(wiring.local_effects(settings, provider), LocalEffects)
    assert not settings.home.exists()


def test_the_store_lies_in_the_home(tmp_path):
    settings = homes.settings(tmp_path)
    store = wiring.job_store(settings)
    store.close()
    assert settings.database.is_file()


def test_a_worker_imports_the_same_podtune(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    program = "import podtune; print(podtune.__file__)"
    said = subprocess.run(
        [sys.executable, "-I", "-c", "import sys; sys.path[:0] = sys.argv[1:]; " + program,
         wiring.program_environment()["PYTHONPATH"]],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    ).stdout  # fmt: skip
    assert Path(said.strip()) == Path(podtune.__file__)


def test_a_known_path_is_kept_behind_ours(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/mine")
    first, second = wiring.program_environment()["PYTHONPATH"].split(os.pathsep)
    assert (Path(first), second) == (Path(podtune.__file__).parent.parent, "/mine")
