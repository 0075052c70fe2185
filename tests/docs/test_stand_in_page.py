"""docs/how-to/stand-in-cloud.md: its blocks run, and its words fit the program."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from podtune.testing.server import KEY, environment

FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def blocks(root):
    text = (root / "docs/how-to/stand-in-cloud.md").read_text(encoding="utf-8")
    return FENCE.findall(text)


@pytest.fixture
def cloud(tmp_path):
    """`podtune dev cloud` at a free port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "podtune", "dev", "cloud", "-p", "0", "--boot-s", "0.2",
         "--output", "json", "--folder", str(tmp_path / "cloud")],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield json.loads(process.stdout.readline())
    process.terminate()
    process.wait(60)
    process.stdout.close()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_blocks_for_a_shell_run(blocks, cloud, tmp_path):
    text = "".join(body for language, body in blocks if language == "bash")
    assert text.count("curl") >= 8
    script = "set -eu\n" + text.replace("http://127.0.0.1:8460", cloud["url"])
    done = subprocess.run(
        ["bash", "-c", script], env={**cloud["environment"], "PATH": "/usr/bin:/bin"},
        cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_python_block_runs(blocks, tmp_path):
    (code,) = [body for language, body in blocks if language == "python"]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/v2\n", done.stdout)


def test_the_export_lines_are_those_that_are_printed(blocks):
    (lines,) = [body for _, body in blocks if body.startswith("export")]
    shown = dict(line[7:].split("=", 1) for line in lines.splitlines())
    told = {name: value.strip("'") for name, value in shown.items()}
    assert told == environment("http://127.0.0.1:8460", KEY)


def test_every_option_it_names_exists(blocks, root):
    page = (root / "docs/how-to/stand-in-cloud.md").read_text(encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "podtune", "dev", "cloud", "--help"],
        capture_output=True, text=True, env={"COLUMNS": "200", "PATH": "/usr/bin:/bin"}, check=True,
    )  # fmt: skip
    named = set(re.findall(r"--(?:port|fault|seed|boot-s|bind-mounts)\b", page))
    assert len(named) == 5
    assert [option for option in named if option not in done.stdout] == []
