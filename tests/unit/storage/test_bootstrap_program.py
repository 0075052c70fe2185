import ast
import base64
import json
import re
import shlex
import subprocess
import sys
import zlib

import pytest

from podtune.core.errors import StateError
from podtune.providers.runpod.command import python_command
from podtune.storage import bootstrap_program as program
from podtune.storage.bootstrap_program import bootstrap_program


def packed_files(text):
    (packed,) = re.findall(r'b64decode\("([A-Za-z0-9+/=]+)"\)', text)
    return json.loads(zlib.decompress(base64.b64decode(packed)))


def test_it_holds_the_pods_files_without_comments(root):
    files = packed_files(bootstrap_program())
    assert set(files) == {p.name for p in (root / "runpod-worker" / "pod").glob("*.py")}
    for name, text in files.items():
        tree = ast.parse(text, feature_version=(3, 10))
        assert ast.get_docstring(tree) is None, name


def test_it_is_small_and_the_same_each_time():
    text = bootstrap_program()
    assert text == bootstrap_program()
    assert len(python_command(text)) < 32 * 1024


def test_as_a_command_it_is_one_argument_of_one_program():
    words = shlex.split(python_command(bootstrap_program()))
    assert words[:2] == ["python3", "-c"]
    assert len(words) == 3


def test_it_starts_what_it_holds(tmp_path):
    """Without orders it says which are missing, which only the pod's own files can know."""
    command = shlex.split(python_command(bootstrap_program()))
    with subprocess.Popen(
        [sys.executable, *command[1:]], stdout=subprocess.PIPE, text=True,
        env={"TMPDIR": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stdout
        said = process.stdout.readline()
        process.kill()
    assert "PODTUNE_JOB is not set" in said


def test_a_program_that_grew_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(program, "MAX_BYTES", 100)
    with pytest.raises(StateError, match="bytes"):
        bootstrap_program()
