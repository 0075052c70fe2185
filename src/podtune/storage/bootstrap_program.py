"""The first program of a rented machine, as one text: the files of `runpod-worker/pod/`.

Nothing of a job or of a user stands in it: what differs between machines is in their environment.
Comments, docstrings and the types of functions are left out, since it travels in a create's `args`.
"""

import ast
import base64
import json
import zlib
from typing import Final

from podtune.core.errors import StateError
from podtune.storage import installed

MAX_BYTES: Final = 64 * 1024
"""Of the packed text: Linux takes 128 KiB in one argument (MAX_ARG_STRLEN, linux/binfmts.h)."""

_START: Final = """\
import base64,json,os,sys,tempfile,zlib
d=tempfile.mkdtemp(prefix="podtune-")
for n,t in json.loads(zlib.decompress(base64.b64decode("{packed}"))).items():
    open(os.path.join(d,n),"w",encoding="utf-8").write(t)
os.execv(sys.executable,[sys.executable,os.path.join(d,"bootstrap.py")])
"""


def bootstrap_program() -> str:
    """A Python program (3.6 and newer) that writes the pod's files and starts `bootstrap.py`.

    Raises:
        StateError: the worker's files are missing, or the program grew too long.
    """
    folder = installed.worker_folder() / "pod"
    files = {path.name: _bare(path.read_text(encoding="utf-8")) for path in folder.glob("*.py")}
    if "bootstrap.py" not in files:
        raise StateError("the pod's files are missing", hint="install podtune again")
    text = json.dumps(dict(sorted(files.items())), separators=(",", ":"))
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    program = _START.format(packed=packed)
    if len(program) > MAX_BYTES:
        raise StateError(f"the pod's first program has {len(program)} bytes")
    return program


def _bare(source: str) -> str:
    """A module without comments, docstrings, and types of parameters and results."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.annotation = None
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        kept = [
            one
            for one in node.body
            if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant))
        ]
        node.body = kept or [ast.Pass()]
    return ast.unparse(tree)
