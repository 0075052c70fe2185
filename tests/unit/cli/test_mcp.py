"""`podtune mcp` as a command; what it serves is in tests/unit/mcp_server/test_stdio.py."""

import subprocess

import pytest

from support.home import Home


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "home", tmp_path)


def test_help_loads_no_server(home):
    done = subprocess.run(
        [home.command()[0], "-X", "importtime", "-m", "podtune", "mcp", "--help"],
        env=home.environment, cwd=home.cwd, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--folder" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    for name in ("mcp", "anyio", "sqlalchemy", "starlette", "podtune.mcp_server"):
        assert name not in loaded


def test_a_folder_that_is_not_there_ends_it_with_the_shell_s_code(home):
    done = home.run("mcp", "--folder", "nowhere", text="")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no folder at" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_ends_when_its_client_leaves(home):
    done = home.run("mcp", text="")
    assert (done.returncode, done.stdout) == (0, "")
