"""docs/how-to/model-cache.md: its blocks run against the stand-ins, on a small model of that name."""

import re
import shlex
import subprocess
import sys

import pytest

from podtune.planning import cache_size
from podtune.testing.dev import laptop_cloud
from podtune.testing.options import CloudOptions
from podtune.testing.server import CloudServer
from support.caches import make_model
from support.hub_server import HubServer

FENCE = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
PODTUNE = f"{shlex.quote(sys.executable)} -m podtune"
MODEL = "Qwen/Qwen3-Next-80B-A3B-Instruct"


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/how-to/model-cache.md").read_text(encoding="utf-8")


def test_its_figures_are_the_codes(page):
    assert f"{cache_size.volume_gb(159_000_000_000)} GB for the model above" in page
    assert f"${cache_size.USD_PER_GB_MONTH} a GB under 1 TB" in page
    assert f"${cache_size.USD_PER_GB_MONTH_LARGE} from there on" in page
    assert f"{cache_size.FOUR_BIT_PART:.0%}".replace("%", " %") in page


def test_its_blocks_run_from_top_to_bottom(page, tmp_path):
    blocks = FENCE.findall(page)
    assert len(blocks) == 3
    quick = CloudOptions(provisioning_s=0.1, pull_s=0.1)
    with (
        HubServer({MODEL: make_model(tmp_path / "model")}) as hub,
        CloudServer(laptop_cloud(tmp_path / "cloud", quick)) as cloud,
    ):
        environment = {
            **cloud.environment(), "HF_ENDPOINT": hub.url, "PODTUNE_HOME": str(tmp_path / "home"),
            "PODTUNE_PROOF_WINDOW_S": "0.6", "PODTUNE_PULL_S": "0.1", "HOME": str(tmp_path),
            "PATH": "/usr/bin:/bin", "COLUMNS": "200",
        }  # fmt: skip
        script = "\n".join(blocks).replace("podtune ", f"{PODTUNE} ")
        done = subprocess.run(
            ["bash", "-c", f"set -eu\n{script}"],
            env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=140, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert "qwen-model-cache in US-TX-3" in done.stdout
        assert "/runpod-volume/models/Qwen3-Next-80B-A3B-Instruct" in done.stdout
        assert "something is missing" in done.stdout  # no Supabase here
        assert cloud.cloud.account.live_pods() == []
        assert len(cloud.cloud.account.volumes) == 1
