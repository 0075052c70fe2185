"""`podtune eject`."""

import json

from typer.testing import CliRunner

from podtune.cli.app import app
from support import homes


def run(*words):
    return CliRunner().invoke(app, ["eject", *map(str, words)])


def test_it_writes_the_folder_and_names_the_next_step(tmp_path, monkeypatch):
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
    base, data = homes.model(tmp_path / "base"), homes.data(tmp_path)
    done = run(data, "-m", base, "-o", tmp_path / "out", "--vram", 16)
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "out") in done.stdout
    assert "bash train.sh" in done.stderr
    assert "planned for" in done.stderr
    assert "$0.00" not in done.stderr
    assert (tmp_path / "out" / "train.sh").is_file()
    assert not (tmp_path / "home").exists(), "nothing is kept"


def test_for_programs_it_names_folder_and_plan(tmp_path, monkeypatch):
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
    base, data = homes.model(tmp_path / "base"), homes.data(tmp_path)
    done = run(data, "-m", base, "-o", tmp_path / "out", "--cpu", "--output", "json")
    said = json.loads(done.stdout)
    assert said["folder"] == str(tmp_path / "out")
    assert len(said["plan_digest"]) == 64
