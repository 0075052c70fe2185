"""docs/how-to/survive-a-kill.md: the drill, as written, on a stand-in cloud with real processes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import podtune
from podtune.testing.dev import IMAGE, laptop_cloud
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support.home import Home

BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## (.*?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@pytest.fixture(scope="module")
def sections(root):
    page = (root / "docs/how-to/survive-a-kill.md").read_text(encoding="utf-8")
    return {
        title.split(":")[0]: "".join(BLOCK.findall(text)) for title, text in SECTION.findall(page)
    }


class Drill:
    """A cloud, and a shell in which the blocks of the page run; a tiny model takes the big one's place."""

    def __init__(self, root, tiny, folder, server):
        self.home = Home(folder / "drill", folder)
        self.folder, self.server, self.account = folder, server, server.cloud.account
        self.environment = {
            **self.home.environment, **server.environment(), "OMP_NUM_THREADS": "1",
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PODTUNE_PROOF_WINDOW_S": "2",
        }  # fmt: skip
        self.words = {
            "examples/support.jsonl": str(root / "examples/support.jsonl"),
            "--model HuggingFaceTB/SmolLM2-135M-Instruct --set base_model.source=package":
                f"--model {tiny}",
            "training.max_steps=20": "training.max_steps=40 --set training.epochs=1000 "
                "--set data.validation=0 --set evaluate.samples=1 --set training.save_steps=10 "
                "--set 'training.effective_batch={tokens: 256}'",
        }  # fmt: skip

    def run(self, *blocks, seconds):
        script = "set -eu\n" + "\n".join(blocks)
        for shown, taken in self.words.items():
            script = script.replace(shown, taken)
        done = subprocess.run(
            ["bash", "-c", script], env=self.environment, cwd=self.folder,
            capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr + self.home.driver_log()[-3000:]
        return done.stdout

    def happened(self, what):
        return [line for line in self.server.cloud.happenings() if line.what == what]


@pytest.fixture
def drill(root, tiny, tmp_path):
    cloud = laptop_cloud(tmp_path / "cloud", CloudOptions(provisioning_s=0.2, pull_s=0.3))
    with CloudServer(cloud) as server:
        made = Drill(root, tiny, tmp_path, server)
        yield made
        made.home.end_everything()


def test_the_page_names_the_image_of_this_version(root):
    page = (root / "docs/how-to/survive-a-kill.md").read_text(encoding="utf-8")
    assert f"--image {IMAGE} " in page
    assert podtune.__version__ in IMAGE


@pytest.mark.timeout(240)
def test_the_job_of_a_driver_that_was_killed_goes_on(drill, sections):
    said = drill.run(sections["Set it up"], sections["Kill the driver"], seconds=200)
    assert "driven by" in said
    assert "the signature fits" in said
    assert len(drill.happened("created")) == 1
    assert drill.account.live_pods() == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_machine_ends_itself_where_nobody_comes_back(drill, sections):
    said = drill.run(
        sections["Set it up"], sections["Kill everything and never come back"], seconds=550
    )
    assert re.search(r"timed_out|failed", said), said
    (created,), (ended,) = drill.happened("created"), drill.happened("terminated")
    assert 240 < (ended.at - created.at).total_seconds() < 275
    assert drill.account.live_pods() == []
