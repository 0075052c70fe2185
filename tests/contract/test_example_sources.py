"""The examples' TypeScript: types, lint, form, and that nothing is fetched to run it."""

import re
import subprocess

import pytest

from support import edge_functions
from support.edge_functions import FUNCTIONS

pytestmark = pytest.mark.skipif(
    edge_functions.missing() is not None, reason=edge_functions.missing() or ""
)


def sources():
    return sorted(path for path in FUNCTIONS.parent.rglob("*.ts"))


@pytest.mark.parametrize("words", [("check",), ("lint",), ("fmt", "--check")])
def test_deno_finds_nothing(words, root):
    done = subprocess.run(
        [edge_functions.deno(), *words, *sources(), *(root / "examples" / "http").glob("*.ts")],
        cwd=root / "examples", env=edge_functions.environment(), capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_fetched_to_run_them(root):
    """No module from elsewhere, and nothing of Deno's beyond what Supabase's runtime has."""
    for path in (FUNCTIONS).rglob("*.ts"):
        text = path.read_text(encoding="utf-8")
        names = re.findall(r'(?:from|import) "([^"]+)"', text)
        assert all(name.startswith(("../", "./")) for name in names), path
        assert set(re.findall(r"\bDeno\.(\w+)", text)) <= {"env", "serve"}, path
