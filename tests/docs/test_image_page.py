"""docs/how-to/worker-image.md: its blocks run, with a program in docker's place; its table names real codes."""

import json
import re
import shlex
import subprocess
import sys

import pytest

from podtune.app.worker_image import ARGUMENTS
from podtune.providers.runpod import images
from support.image_programs import DIGEST, DOCKER, place

FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PODTUNE = f"{shlex.quote(sys.executable)} -m podtune"
REPOSITORY = {
    "image inspect --format {{json": (0, json.dumps([f"yourname/podtune-worker@{DIGEST}"])),
    "run --rm yourname/podtune-worker:v1 python -c import runpod; print('OK')": (0, "OK"),
}


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/how-to/worker-image.md").read_text(encoding="utf-8")


def test_its_blocks_run(page, tmp_path):
    calls = place(tmp_path, "docker", {**DOCKER, **REPOSITORY})
    (tmp_path / "pip.conf").write_text("[global]\n", encoding="utf-8")
    blocks = [body for language, body in FENCE.findall(page) if language == "bash"]
    assert len(blocks) == 4
    script = "".join(blocks).replace("podtune runpod", f"{PODTUNE} runpod")
    done = subprocess.run(
        ["bash", "-c", f"set -eu\n{script}"], capture_output=True, text=True, timeout=110, check=False,
        cwd=tmp_path, env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path), "COLUMNS": "300"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"podtune runpod deploy --image yourname/podtune-worker@{DIGEST}" in done.stderr
    assert "\nOK\n" in done.stdout
    verbs = [json.loads(line)[1] for line in calls.read_text().splitlines()]
    assert (verbs.count("build"), verbs.count("push"), verbs.count("run")) == (4, 1, 1)


def test_its_table_names_codes_that_are_there(page, root):
    codes = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", page, re.MULTILINE)
    named = set(re.findall(r"`(\w+)`", " ".join(codes)))
    source = "".join(
        (root / f"src/podtune/app/{name}.py").read_text(encoding="utf-8")
        for name in ("worker_image", "image_tools")
    )
    raised = set(re.findall(r'code="(\w+)"', source))
    assert named == raised


def test_it_names_the_base_and_the_arguments_that_are_there(page):
    assert f"`{images.DEFAULT}`" in page
    assert set(re.findall(r"--build-arg (\w+)=", page)) == set(ARGUMENTS)
