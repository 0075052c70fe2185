"""`make bench`: every benchmark in turn, each in a process of its own."""

import subprocess
import sys

import figures
import measure

NAMES = (
    "cli",
    "tokens",
    "data",
    "training",
    "memory",
    "contention",
    "words",
    "gateway",
    "archive",
    "start",
    "moe_loading",
    "lists",
    "store",
    "reconciler",
)

if __name__ == "__main__":
    for name in NAMES:
        print(f"== {name}")
        subprocess.run([sys.executable, str(measure.HERE / f"{name}.py")], check=True)
    print(figures.table())
