"""What several commands do with a job; the commands themselves are tested in `test_app`."""

import json

from podtune.cli import following
from podtune.cli.console import Output
from support import build


def test_the_service_is_that_of_the_home_that_the_settings_name(tmp_path, monkeypatch):
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
    service = following.open_service()
    assert service.settings.home == tmp_path / "home"
    assert not (tmp_path / "home").exists()


def test_a_job_that_is_left_names_the_next_command(capsys):
    following.say_detached(build.job(), Output.HUMAN)
    said = capsys.readouterr()
    assert said.out == ""
    assert "podtune watch demo-abc234" in said.err


def test_a_job_that_is_left_is_json_for_programs(capsys):
    following.say_detached(build.job(), Output.JSON)
    assert json.loads(capsys.readouterr().out)["id"] == "demo-abc234"
