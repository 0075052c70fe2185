"""The worker's own trial runs from a checkout, without network, and says what it checked."""

import os
import subprocess
import sys


def test_it_passes_from_a_checkout(root, tmp_path):
    kept = {n: os.environ[n] for n in ("PATH", "HOME", "LANG") if n in os.environ}
    done = subprocess.run(
        [sys.executable, root / "runpod-worker" / "test_locally.py"],
        cwd=tmp_path, env={**kept, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
        check=False, timeout=220,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    lines = done.stdout.splitlines()
    assert lines[0].startswith("status: http://127.0.0.1:")
    assert lines[-1].endswith("checks passed, 0 failed")
    assert sum(line.startswith("ok  ") for line in lines) > 40


def test_without_the_tests_it_says_what_it_needs(root, tmp_path):
    copy = tmp_path / "runpod-worker" / "test_locally.py"
    copy.parent.mkdir()
    copy.write_bytes((root / "runpod-worker" / "test_locally.py").read_bytes())
    done = subprocess.run([sys.executable, copy], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "checkout" in done.stderr
