"""Folders with a tiny `train_lora.py` of the standard library, in the place of the real worker."""

import os
from pathlib import Path

HEAD = """
import os, signal, subprocess, sys, time
print("hello from", sys.argv[1:], flush=True)
def ready():
    with open("ready", "w") as f:
        f.write("%d %d" % (os.getpid(), os.getsid(0)))
"""

WAITS = HEAD + "ready(); time.sleep(120)\n"
EXITS = HEAD + "ready(); sys.exit(3)\n"
STUBBORN = HEAD + "signal.signal(signal.SIGTERM, signal.SIG_IGN); ready(); time.sleep(120)\n"
SPAWNS = (
    HEAD
    + """
child = subprocess.Popen([sys.executable, "-c",
    "import subprocess,sys,time\\n"
    "g = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(120)'])\\n"
    "open('family', 'w').write('%d' % g.pid)\\n"
    "time.sleep(120)"])
while not os.path.exists("family") or not open("family").read():
    time.sleep(0.01)
open("child", "w").write(str(child.pid))
ready()
"""
)
SPAWNS_AND_WAITS = SPAWNS + "time.sleep(120)\n"
SPAWNS_AND_DIES = SPAWNS + "os._exit(1)\n"


def make(folder: Path, program: str) -> Path:
    """A worker folder that runs `program`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "train_lora.py").write_text(program, encoding="utf-8")
    return folder


def environment() -> dict[str, str]:
    """Enough for a program of the standard library."""
    return {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
