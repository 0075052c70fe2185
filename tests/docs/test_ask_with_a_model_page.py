"""docs/how-to/ask-with-a-model.md: its blocks run against an endpoint on loopback, and its words are the program's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from podtune.app.settings import Settings
from podtune.intake.proposal import MOST_FIELDS
from podtune.intake.proposing import MOST_ASKED
from support.chat_server import chat_server

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(root):
    return (root / "docs/how-to/ask-with-a-model.md").read_text(encoding="utf-8")


def test_the_blocks_run_and_say_what_is_shown(page, tmp_path):
    blocks = FENCE.findall(page)
    script = "set -e\n" + "".join(body for language, body in blocks if language == "bash")
    with chat_server() as server:
        server.says(("epochs", 3, "look at everything thrice"))
        done = subprocess.run(
            ["bash", "-c", script.replace("http://127.0.0.1:11434/v1", server.url)],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PODTUNE_HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert len(server.seen) == 1, "--offline asks nobody"
    shown = next(body for language, body in blocks if language == "text")
    said = done.stdout + done.stderr
    assert [line for line in shown.splitlines() if line not in said] == []


def test_its_figures_are_the_codes(page):
    assert f"at most {MOST_FIELDS} fields" in page
    assert f"More than {MOST_ASKED} fields" in page
    assert f"`PODTUNE_LLM_TIMEOUT_S` ({Settings().llm_timeout_s})" in page
    assert f"no answer within {Settings().llm_timeout_s} s" in page
