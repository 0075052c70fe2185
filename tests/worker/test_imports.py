"""The worker is cargo: it imports only what travels with it."""

import ast
import sys

import pytest

ALLOWED_PODTUNE = ("podtune.core", "podtune.data", "podtune.storage")
SERVERLESS = ("handler", "serverless_", "test_locally")
"""These plan and fetch by themselves: the whole of podtune is in their image."""

TESTS_OWN = {"test_locally": ("support",)}
NOT_BY_THAT_NAME = {"PIL": "pillow", "yaml": "pyyaml"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.fixture(scope="module")
def worker(root):
    return root / "runpod-worker"


@pytest.fixture(scope="module")
def required(worker):
    lines = (worker / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split("#")[0].strip() for line in lines]
    return {n.split(">")[0].split("=")[0].split("<")[0].strip().lower() for n in names if n}


def test_only_the_standard_library_requirements_and_three_floors(worker, required):
    siblings = {p.stem for p in worker.glob("*.py")} | {"pod"}
    strangers = {}
    for path in worker.glob("*.py"):
        for name in imported(path):
            top = name.split(".")[0]
            known = top in sys.stdlib_module_names or top in siblings
            known = known or name == "podtune" or name.startswith(ALLOWED_PODTUNE)
            known = known or (path.stem.startswith(SERVERLESS) and top == "podtune")
            known = known or top in TESTS_OWN.get(path.stem, ())
            known = known or NOT_BY_THAT_NAME.get(top, top).lower() in required
            if not known:
                strangers.setdefault(path.name, []).append(name)
    assert strangers == {}


def test_it_is_no_package(worker):
    assert not (worker / "__init__.py").exists()


def test_importing_the_program_is_light(worker):
    """Heavy libraries load inside `train`, so that a bad order fails at once."""
    tree = ast.parse((worker / "train_lora.py").read_text(encoding="utf-8"))
    top_level = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {a.name for n in top_level if isinstance(n, ast.Import) for a in n.names}
    names |= {n.module for n in top_level if isinstance(n, ast.ImportFrom)}
    assert not names & {"torch", "transformers", "peft"}
