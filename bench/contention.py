"""Two trainings at once on the same cores: waiting threads that spin against ones that sleep."""

import os
import subprocess
import sys
import time

import measure
from memory import base_folder

TOKENS = "256"


def main() -> None:
    folder = base_folder()
    figures = {}
    for policy in ("ACTIVE", "PASSIVE"):
        for copies in (1, 2):
            environment = {**os.environ, "OMP_WAIT_POLICY": policy}
            if policy == "ACTIVE":
                del environment["OMP_WAIT_POLICY"]  # the library's own default
            child = [sys.executable, str(measure.HERE / "memory.py"), "--folder", str(folder),
                     "--case", TOKENS, "fp32"]  # fmt: skip
            begun = time.monotonic()
            running = [
                subprocess.Popen(child, env=environment, stdout=subprocess.DEVNULL)
                for _ in range(copies)
            ]
            for process in running:
                process.wait()
            name = f"{'default' if policy == 'ACTIVE' else 'PASSIVE'}, {copies} at once"
            figures[name] = {"wall_s": round(time.monotonic() - begun, 1)}
    measure.write("contention", figures)


if __name__ == "__main__":
    main()
