"""An ejected folder trains by its own script, away from home."""

import json
import os
import shutil
import subprocess
import sys

from podtune.core.artifact import REQUIRED_FILES
from podtune.storage import bundle
from support import homes, tiny_model
from support.worker_jobs import QUICK


def test_the_script_trains_the_job_anywhere(home, root, tmp_path):
    base, data = tiny_model.make(tmp_path / "base"), homes.data(tmp_path, count=16)
    sets = [
        word for path, value in QUICK.items() for word in ("--set", f"{path}={json.dumps(value)}")
    ]
    done = home.run("eject", data, "-m", base, "-o", tmp_path / "out", "--cpu", *sets)
    assert done.returncode == 0, done.stderr
    for gone in (base, tmp_path / "home"):
        shutil.rmtree(gone, ignore_errors=True)
    away = shutil.move(tmp_path / "out", tmp_path / "elsewhere; $(touch pwned)")
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHON": sys.executable,
        "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2",
        # this Python holds the lock's libraries; that the lock installs is tests/worker/pod's
        "PODTUNE_LOCK_SHA256": bundle.lock_sha256(),
    }  # fmt: skip
    trained = subprocess.run(
        ["bash", f"{away}/train.sh"], env=environment, cwd="/", capture_output=True, text=True,
        timeout=110, check=False,
    )  # fmt: skip
    assert trained.returncode == 0, trained.stdout[-3000:] + trained.stderr[-3000:]
    artifact = tmp_path / "elsewhere; $(touch pwned)" / "job" / "artifact"
    assert all((artifact / name).is_file() for name in REQUIRED_FILES)
    assert json.loads((artifact / "proof.json").read_text())["passed"]
    assert not list(tmp_path.rglob("pwned"))
    assert str(artifact) in trained.stdout
