"""The inspector of the Model Context Protocol, headless, as `make inspector` installs it. For tests only."""

import functools
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / ".venv/inspector/node_modules/.bin/mcp-inspector"
OLDEST_NODE = 20


@functools.cache
def missing() -> str | None:
    """Why it cannot be run here; None where it can."""
    node = shutil.which("node")
    if node is None:
        return "node is not installed"
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    age = done.stdout.strip().removeprefix("v").split(".")[0]
    if not age.isdigit() or int(age) < OLDEST_NODE:
        return f"the inspector needs node {OLDEST_NODE}, here is {done.stdout.strip()}"
    return None if PROGRAM.is_file() else "the inspector is not installed: make inspector"


class Inspector:
    """Asks one server, each time as a new client."""

    def __init__(self, *target: str, environment: dict[str, str], cwd: Path) -> None:
        """`target`: the words that start a server, or its address; `environment`: of the server."""
        self._target, self._environment, self._cwd = target, environment, cwd

    def ask(self, method: str, *words: str, code: int = 0) -> Any:
        """What it prints, as JSON; with the exit code that is expected."""
        kept = [word for k, v in self._environment.items() for word in ("-e", f"{k}={v}")]
        options = [] if self._target[0].startswith("http") else kept
        done = subprocess.run(
            [str(PROGRAM), "--cli", *options, *self._target, "--method", method, *words],
            cwd=self._cwd, capture_output=True, text=True, timeout=110, check=False,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout)

    def call(self, tool: str, code: int = 0, **arguments: object) -> dict[str, Any]:
        """The structured answer of a tool."""
        pairs = [
            f"{name}={value if isinstance(value, str) else json.dumps(value)}"
            for name, value in arguments.items()
        ]
        words = ["--tool-name", tool, *(["--tool-arg", *pairs] if pairs else [])]
        answer = self.ask("tools/call", *words, code=code)
        return answer["structuredContent"]
