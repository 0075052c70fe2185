import base64
import re
import shlex
import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.providers.runpod.command import LONGEST, SAFE, checked, python_command


@given(st.text(st.characters(codec="utf-8"), max_size=500))
def test_a_program_comes_through_a_shells_splitting_whole(program):
    command = python_command(program)
    assert SAFE.fullmatch(command)
    words = shlex.split(command)
    assert words[:2] == ["python3", "-c"]
    assert len(words) == 3
    packed = re.findall(r"b64decode\('([A-Za-z0-9+/=]*)'\)", words[2])
    assert zlib.decompress(base64.b64decode(packed[0])).decode() == program


def test_the_program_runs():
    program = "import sys\nsys.stdout.write('$HOME `id` \"q\" \\n' + 'ü')\n"
    words = shlex.split(python_command(program))
    ran = subprocess.run([sys.executable, *words[1:]], capture_output=True, check=True, env={"PYTHONUTF8": "1"})  # fmt: skip
    assert ran.stdout.decode() == '$HOME `id` "q" \nü'


@pytest.mark.parametrize("sign", ["\n", "$", "`", "\\", "&", "|", "<", ">", "*", "?", "#", "!", "{", "ü"])  # fmt: skip
def test_signs_that_a_shell_reads_are_refused(sign):
    with pytest.raises(ValueError, match="safe signs"):
        checked(f"python3 -c x{sign}y")


def test_a_command_that_no_argument_can_hold_is_refused():
    with pytest.raises(ValueError, match="too long"):
        checked("x" * (LONGEST + 1))
    assert checked("x" * LONGEST)
