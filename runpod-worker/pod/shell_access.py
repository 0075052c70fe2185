"""A shell for the account's owner on a machine that is kept after a failure.

A command of our own takes the place of the image's start script, which would have started sshd
(runpod.md 1.2, 2026-11-22). The vendor puts the owner's public keys into `PUBLIC_KEY`.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from orders import Orders, say

COMMANDS = (("service", "ssh", "start"), ("/usr/sbin/sshd",))
"""How images start it; the first that works."""

TIMEOUT_S = 20.0


def allow(orders: Orders, environment: Mapping[str, str]) -> bool:
    """Start sshd for the owner's keys, where the machine may be kept; whether one runs.

    Never raises: a machine without a shell trains as well.
    """
    keys = environment.get("PUBLIC_KEY", "").strip()
    if not keys or orders.keep_on_failure_s <= 0:
        return False
    try:
        _write_keys(Path(environment.get("HOME") or "/root"), keys)
        started = any(_run(command, environment) for command in COMMANDS)
    except (OSError, subprocess.SubprocessError) as error:
        say(f"podtune: no shell on this machine: {type(error).__name__}")
        return False
    if not started:
        say("podtune: no shell on this machine: the image has no sshd")
    return started


def _write_keys(home: Path, keys: str) -> None:
    folder = home / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "authorized_keys"
    known = path.read_text(encoding="utf-8") if path.exists() else ""
    if keys not in known:
        path.write_text(f"{known.rstrip()}\n{keys}\n".lstrip(), encoding="utf-8")
    path.chmod(0o600)


def _run(command: tuple[str, ...], environment: Mapping[str, str]) -> bool:
    program = shutil.which(command[0], path=environment.get("PATH", os.defpath))
    if program is None:
        return False
    kept = {name: environment[name] for name in ("PATH", "HOME") if name in environment}
    done = subprocess.run(
        [program, *command[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=TIMEOUT_S,
        check=False,
        env=kept,
    )
    return done.returncode == 0
