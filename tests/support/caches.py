"""Models to be cached, and orders of machines that do it. For tests only."""

import json
from pathlib import Path

from podtune.core.cache_filling import CacheFile, FillOrder

FILE = CacheFile(path="model.safetensors", bytes=10, sha256="0" * 64)
NEVER = ("pytorch_model.bin", "model.gguf", "modeling_own.py", "README.md")
"""Files of a repository that no cache takes."""


def order(**changes: object) -> FillOrder:
    """An order of one file."""
    given = {
        "job": "cache-abc", "attempt": 1, "model": "org/m", "commit": "c" * 40, "folder": "m",
        "hub": "https://hub.example", "files": (FILE,), **changes,
    }  # fmt: skip
    return FillOrder.model_validate(given)


def make_model(folder: Path) -> Path:
    """A repository as they are: two weight files with an index, small files, and what is never taken."""
    folder.mkdir(parents=True)
    shards = {"model-00001-of-00002.safetensors": b"a" * 700_000}
    shards["model-00002-of-00002.safetensors"] = b"b" * 300_000
    for name, content in shards.items():
        (folder / name).write_bytes(content)
    index = {"weight_map": {f"layer.{n}": name for n, name in enumerate(shards)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer.json").write_text("{}")
    (folder / "merges.txt").write_text("a b\n")
    for name in NEVER:
        (folder / name).write_text("not taken")
    return folder
