"""`podtune serve` as a program."""

import signal
import socket
import subprocess
import time

import pytest

from support.gateways import Program
from support.home import Home


@pytest.fixture
def home(tmp_path):
    made = Home(tmp_path / "home", tmp_path)
    yield made
    made.end_everything()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_and_stops_within_seconds(home, number):
    with Program(home) as program:
        assert program.url.startswith("http://127.0.0.1:")
        with program.client() as client:
            assert client.get("/healthz").status_code == 200
            with client.stream("GET", "/training/jobs") as answer:
                answer.read()
        told = program.log()
        assert f"the dashboard is at {program.url}/" in told
        assert str(home.path) in told.replace("\n", "")
        begun = time.monotonic()
        program.process.send_signal(number)
        assert program.process.wait(10) == 0
        assert time.monotonic() - begun < 5
        assert "jobs go on" in program.log()
        assert "Traceback" not in program.log()


def test_a_port_that_is_taken_and_an_address_beyond_loopback_are_refused(home):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = home.run("serve", "--port", port)
    assert refused.returncode == 2
    assert f"port {port} of 127.0.0.1 is taken" in refused.stderr
    beyond = home.run("serve", "--host", "0.0.0.0", "--port", 0)
    assert beyond.returncode == 3
    assert "podtune keys create" in beyond.stderr
    assert "Traceback" not in refused.stderr + beyond.stderr


def test_help_loads_no_server(home, root):
    done = subprocess.run(
        [
            home.command()[0], "-X", "importtime", "-m", "podtune", "serve", "--help",
        ],
        env=home.environment, cwd=home.cwd, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "--port" in done.stdout
    for name in ("fastapi", "uvicorn", "sqlalchemy", "structlog", "podtune.gateway"):
        assert f" {name}\n" not in done.stderr, name
    assert not home.path.exists()
