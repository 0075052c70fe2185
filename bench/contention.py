"""Two trainings at once on the same cores, by how long OpenMP's waiting threads spin.

The library's default against what podtune gives its workers (GOMP_SPINCOUNT) and against threads
that never spin. Wall seconds of the same short training, load included, alone and two at once.
"""

import os
import subprocess
import sys
import time

import measure
from memory import base_folder

TOKENS = "256"
WAYS = {
    "default": {},
    "GOMP_SPINCOUNT=3000": {"GOMP_SPINCOUNT": "3000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
}


def main() -> None:
    folder = base_folder()
    child = [sys.executable, str(measure.HERE / "memory.py"), "--folder", str(folder),
             "--case", TOKENS, "fp32"]  # fmt: skip
    figures = {}
    for name, variables in WAYS.items():
        for copies in (1, 2):
            begun = time.monotonic()
            running = [
                subprocess.Popen(child, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
                for _ in range(copies)
            ]
            for process in running:
                process.wait()
            figures[f"{name}, {copies} at once"] = {"wall_s": round(time.monotonic() - begun, 1)}
    measure.write("contention", figures)


if __name__ == "__main__":
    main()
