"""The pod's programs run before anything is installed, on Python 3.10 and newer."""

import ast
import sys

import pytest


def files(root):
    return sorted((root / "runpod-worker" / "pod").glob("*.py"))


def test_only_the_standard_library(root):
    siblings = {path.stem for path in files(root)}
    strangers = []
    for path in files(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            strangers += [
                (path.name, name)
                for name in names
                if name.split(".")[0] not in siblings
                and name.split(".")[0] not in sys.stdlib_module_names
            ]
    assert strangers == []


@pytest.mark.parametrize("newer", ["file_digest", "datetime.UTC", "tomllib", "except*", "StrEnum"])
def test_nothing_newer_than_python_3_10(root, newer):
    assert [p.name for p in files(root) if newer in p.read_text(encoding="utf-8")] == []


def test_the_syntax_is_python_3_10s(root):
    for path in files(root):
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))
