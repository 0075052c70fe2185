"""docs/how-to/ask.md, from top to bottom: its commands run, and what it shows is what they say."""

import re
import subprocess

import pytest

from podtune.app import locate, workspace
from support import asked_cloud
from support.home import Home

FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/how-to/ask.md").read_text(encoding="utf-8")


def squeezed(text):
    return " ".join(text.split())


@pytest.mark.timeout(900)
def test_the_page_runs_from_top_to_bottom(page, root, tiny, tmp_path):
    blocks = FENCE.findall(page)
    home = Home(tmp_path / "home", tmp_path)
    home.environment |= {"PODTUNE_EXAMPLES": str(root / "examples"), "COLUMNS": "200"}
    (tmp_path / "podtune").write_text(f'#!/bin/sh\nexec {home.command()[0]} -m podtune "$@"\n')
    (tmp_path / "podtune").chmod(0o755)
    said = ""
    with asked_cloud.world(home, tmp_path, tiny) as cloud:
        home.environment["PATH"] = f"{tmp_path}:{home.environment['PATH']}"
        for language, body in blocks:
            if language == "bash":
                done = subprocess.run(
                    ["bash", "-euc", body], env=home.environment, cwd=tmp_path, text=True,
                    capture_output=True, timeout=600, check=False,
                )  # fmt: skip
                said = squeezed(done.stdout + done.stderr)
                assert done.returncode == 0, body + done.stdout + done.stderr + home.driver_log()
            elif language == "text":
                missing = [one for one in body.splitlines() if squeezed(one) not in said]
                assert missing == [], said
        assert len([h for h in cloud.cloud.account.journal if h.what == "created"]) == 1
        assert cloud.cloud.account.live_pods() == []
        first, second = home.json("jobs")
        assert {first["outcome"], second["outcome"]} == {"completed"}
    assert [language for language, _ in blocks].count("bash") == 6


def test_its_options_and_figures_are_those_of_the_code(page, root):
    help_page = (root / "docs/reference/cli.md").read_text(encoding="utf-8")
    section = help_page.split("## podtune ask\n")[1].split("\n## podtune ")[0]
    named = set(re.findall(r"^\| `(--[a-z-]+)", page, re.MULTILINE))
    assert len(named) == 8
    assert [option for option in named if option not in section] == []
    assert f"At most {locate.MOST_READ} files" in page
    assert f"first {locate.HEAD // 1024} KiB" in page
    assert {".git", "node_modules"} <= {".git", *workspace.LEFT_OUT}
