"""Commands called as a user calls them, in this process."""

import json
import sys
from typing import NamedTuple

import pytest

from podtune.app import driver
from podtune.cli import main
from support import homes


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Settings of a home that does not exist yet; a driver is recorded nowhere and never started."""
    monkeypatch.setenv("PODTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("PODTUNE_PLACES", "PODTUNE_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(driver, "spawn", lambda settings: None)
    return homes.settings(tmp_path)


@pytest.fixture
def run(home, monkeypatch, capsys):
    """Calls `podtune` with some arguments."""

    def ran(*arguments):
        monkeypatch.setattr(sys, "argv", ["podtune", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        return Said(code, *capsys.readouterr())

    return ran
