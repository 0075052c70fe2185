import os
import subprocess
import sys

import restarts

PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
import restarts
from pathlib import Path
from threading import Thread

folder = Path(sys.argv[2])
with (folder / "starts").open("a") as stream:
    stream.write(f"{os.getpid()} {sys.argv[3:]}\\n")
if restarts.grant(folder, 1, "step_hung"):
    Thread(target=restarts.again, kwargs={"alone": sys.argv[3] == "alone"}).start()
    __import__("threading").Event().wait()
"""


def start(root, folder, how):
    program = folder / "program.py"
    program.write_text(PROGRAM)
    return subprocess.run(
        [sys.executable, "-X", "utf8", str(program), str(root / "runpod-worker"), str(folder), how],
        env={**os.environ, "PYTHONPATH": str(root / "src")}, timeout=60, check=False,
    )  # fmt: skip


def test_once_for_each_reason_and_attempt(tmp_path):
    assert restarts.grant(tmp_path, 1, "step_hung")
    assert not restarts.grant(tmp_path, 1, "step_hung")
    assert restarts.grant(tmp_path, 1, "another")
    assert restarts.grant(tmp_path, 2, "step_hung")


def test_the_same_process_starts_over_from_any_thread(root, tmp_path):
    assert start(root, tmp_path, "alone").returncode == 0
    first, second = (tmp_path / "starts").read_text().splitlines()
    assert first == second, "the same pid and the same arguments"


def test_one_of_several_leaves_it_to_the_launcher(root, tmp_path):
    assert start(root, tmp_path, "together").returncode == restarts.AGAIN
    assert len((tmp_path / "starts").read_text().splitlines()) == 1
