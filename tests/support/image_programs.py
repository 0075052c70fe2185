"""Programs that answer as docker and buildah do, for what no machine of the tests has: docker's engine.

Each writes its arguments into `calls` and answers by its first words. What buildah really does is tried in
`tests/contract/test_worker_image.py`.
"""

import sys
from pathlib import Path

DIGEST = "sha256:" + "ab" * 32

_PROGRAM = """#!{python}
import json, sys
words = sys.argv[1:]
with open({calls!r}, "a") as stream:
    stream.write(json.dumps([{name!r}, *words]) + "\\n")
for begin, (code, said) in {answers!r}.items():
    if " ".join(words).startswith(begin):
        print(said)
        print("asked for nothing" if not sys.stdin.read() else "read something", file=sys.stderr)
        sys.exit(code)
sys.exit(99)
"""

DOCKER = {
    "version": (0, "29.1.0"),
    "build": (0, "#7 pip install ..."),
    "push": (0, "v1: digest: " + DIGEST),
    "image inspect --format {{.Size}}": (0, "1234567890"),
}


def place(folder: Path, name: str, answers: dict[str, tuple[int, str]]) -> Path:
    """Put a program into a folder; gives the file its calls are written to."""
    calls = folder / "calls"
    program = folder / name
    text = _PROGRAM.format(python=sys.executable, calls=str(calls), name=name, answers=answers)
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    return calls
