"""A program as the one string of `args`, made of signs that no shell reads as anything else.

RunPod splits `args` like a shell. Base64 is transport only: nothing of a user's stands in it.
"""

import base64
import re
import zlib
from typing import Final

SAFE: Final = re.compile(r"[A-Za-z0-9 _\-./:=+,'\"();]+")
"""Signs that may stand in `args`: no line end, no `$`, backtick, backslash, `&`, `|`, `<`, `>`, `*`, `?`, `#`."""

LONGEST: Final = 100_000
"""Characters; Linux takes 131,071 in one argument (MAX_ARG_STRLEN)."""


def python_command(program: str) -> str:
    """The command that runs a Python program, without a file and without a shell.

    Raises:
        ValueError: the program is too long.
    """
    packed = base64.b64encode(zlib.compress(program.encode(), 9)).decode()
    command = (
        f"python3 -c \"import base64,zlib;exec(zlib.decompress(base64.b64decode('{packed}')))\""
    )
    return checked(command)


def checked(command: str) -> str:
    """The command itself, if it may be sent as `args`.

    Raises:
        ValueError: it is too long, or holds a sign that a shell might read.
    """
    if len(command) > LONGEST:
        raise ValueError(f"a command of {len(command)} characters is too long (most: {LONGEST})")
    if not SAFE.fullmatch(command):
        raise ValueError("a pod's command may hold safe signs only")
    return command
