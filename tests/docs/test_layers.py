"""The floors hold, and what must be light is light."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "transformers", "peft", "accelerate", "numpy", "matplotlib"}
OUTSIDE = {"sqlalchemy", "alembic", "huggingface_hub", "typer", "rich", "httpx2", "cryptography"}


def loaded(code, root, **environment):
    """Modules loaded by a piece of code in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys, json\nprint(json.dumps(list(sys.modules)))"],
        capture_output=True, text=True, cwd=root, check=False,
        env={"PATH": "/usr/bin:/bin", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import_contracts(root):
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        capture_output=True, text=True, cwd=root, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


@pytest.mark.parametrize("package", ["core", "data", "intake", "planning"])
def test_the_lower_floors_load_nothing_from_outside(package, root):
    code = (
        f"import pkgutil, importlib, podtune.{package} as p\n"
        "for m in pkgutil.iter_modules(p.__path__): importlib.import_module(p.__name__ + '.' + m.name)"
    )
    # tokenizers imports huggingface_hub lazily for downloads only; here nothing may load it
    assert not loaded(code, root) & (HEAVY | OUTSIDE)


def test_help_loads_no_service(root):
    code = (
        "import sys; sys.argv = ['podtune', '--help']\n"
        "from podtune.cli import main\n"
        "try: main()\nexcept SystemExit: pass"
    )
    modules = loaded(code, root)
    assert not modules & (HEAVY | (OUTSIDE - {"typer", "rich"}))
    assert "podtune.app.service" not in modules


def test_plan_loads_no_training_library_and_opens_no_database(root, tmp_path):
    code = (
        "import sys; sys.argv = ['podtune', 'plan', 'examples/support.jsonl']\n"
        "from podtune.cli import main\n"
        "try: main()\nexcept SystemExit: pass"
    )
    home = tmp_path / "home"
    modules = loaded(code, root, PODTUNE_HOME=str(home), HOME=str(tmp_path))
    assert not modules & HEAVY
    assert "alembic" not in modules
    assert not home.exists()


def test_importing_podtune_is_nothing_and_client_comes_when_asked(root):
    assert "pydantic" not in loaded("import podtune", root)
    assert "podtune.app.client" in loaded("from podtune import Client", root)
