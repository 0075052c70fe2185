"""The worker starting itself once more, where only a fresh process can go on.

The process is replaced in place (same pid, same arguments, same log), so whoever watches it sees
one worker that goes on. Where it is one of several processes of a training, it ends with
`AGAIN` instead and the launcher starts all of them once more.
"""

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

AGAIN = 75
"""Exit code that asks the launcher for a restart (sysexits.h: EX_TEMPFAIL)."""

FILE = "restarts.json"
ALLOWED = 1
"""Restarts for one reason within one attempt; `podtune resume` begins a new attempt."""


def grant(work: Path, attempt: int, reason: str) -> bool:
    """Whether an attempt may start once more for a reason. A grant is used up by asking."""
    path = work / FILE
    known: dict[str, int] = {}
    if path.is_file():
        known = json.loads(path.read_text(encoding="utf-8"))
    key = f"{attempt}/{reason}"
    if known.get(key, 0) >= ALLOWED:
        return False
    known[key] = known.get(key, 0) + 1
    work.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(known), encoding="utf-8")
    temporary.replace(path)
    return True


def again(*, alone: bool) -> NoReturn:
    """Start over with the same arguments. May be called from any thread.

    Args:
        alone: Whether this process is the whole training.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if not alone:
        os._exit(AGAIN)
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell
