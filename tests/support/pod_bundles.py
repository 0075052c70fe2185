"""Bundles whose worker is a few lines, for tests of the pod's programs. For tests only."""

import io
import tarfile
import zipfile
from pathlib import Path

from podtune.storage import installed

FIT = """
import json, sys
json.dump({"ok": True}, open(sys.argv[2], "w"))
"""

UNFIT = """
import json, sys
json.dump({"ok": False, "code": "no_cuda", "message": "no card", "advice": "another"},
          open(sys.argv[2], "w"))
sys.exit(5)
"""

TRAINER = """
import hashlib, json, os, pathlib, signal, sys, time
job = pathlib.Path(sys.argv[1])
(job / "environment.json").write_text(json.dumps(dict(os.environ)))
starts = job.parent / "starts"
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
seq = 0
def emit(kind, **fields):
    global seq
    event = {"job": "demo", "attempt": 1, "seq": seq, "time": "2026-01-02T03:04:05Z",
             "kind": kind, "stage": "training", **fields}
    seq += 1
    with (job / "events.jsonl").open("a") as stream:
        stream.write(json.dumps(event) + "\\n")
    print("@podtune " + json.dumps(event), flush=True)
def seal(step):
    folder = job / "checkpoints" / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(b"w" * step)
    sums = {"weights": hashlib.sha256(b"w" * step).hexdigest()}
    (folder / "complete.json").write_text(json.dumps(sums))
def stop(*_):
    seal(7)
    emit("result", result={"ok": False, "error_code": "interrupted", "error_message": "stopped"})
    sys.exit(5)
signal.signal(signal.SIGTERM, stop)
emit("stage")
seal(2)
emit("step", step=1, total_steps=2)
mode = (job / "mode").read_text() if (job / "mode").exists() else ""
if mode == "wait":
    while not (job.parent / "go").exists():
        time.sleep(0.02)
if mode == "die":
    os.kill(os.getpid(), signal.SIGKILL)
folder = job / "artifact"
(folder / "deep").mkdir(parents=True)
(folder / "adapter_model.safetensors").write_bytes(bytes(range(256)) * 12000)
(folder / "deep" / "README.md").write_text("a card\\n")
files = {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
         for p in folder.rglob("*") if p.is_file()}
emit("result", result={"ok": True, "files": files})
"""

PACKER = """
import pathlib, shutil, sys
shutil.make_archive(sys.argv[2].removesuffix(".tar.gz"), "gztar", sys.argv[1])
"""


def write(path: Path, *, mode: str = "", preflight: str = FIT, **programs: str) -> Path:
    """A bundle; `mode` is what its trainer does, `programs` are further files of the worker."""
    wheel = io.BytesIO()
    files = {
        "train_lora.py": TRAINER,
        "preflight.py": preflight,
        "pack_artifact.py": PACKER,
        **{f"{name}.py": text for name, text in programs.items()},
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"podtune/worker/{name}", text)
    members = {
        "podtune-0-py3-none-any.whl": wheel.getvalue(),
        "requirements.lock": installed.lock_file(installed.POD_LOCK).read_bytes(),
        "job/order.json": b"{}",
        "job/mode": mode.encode(),
        "job/data/train.jsonl": b"{}\n" * 1000,
    }
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return path
