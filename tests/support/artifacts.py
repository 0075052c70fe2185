"""An artifact folder as a worker leaves it, with a proof that passed. For tests only."""

import hashlib
import json
from pathlib import Path

from podtune.core.artifact import REQUIRED_FILES

WEIGHTS = b"adapter weights"


def make(folder: Path, *, weights: bytes = WEIGHTS, **proof: object) -> Path:
    """Write every required file; `proof` changes fields of proof.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in REQUIRED_FILES:
        (folder / name).write_text(f"content of {name}\n", encoding="utf-8")
    (folder / "adapter_model.safetensors").write_bytes(weights)
    said = {
        "prompts": 4,
        "difference_from_base": 3.21,
        "difference_from_trainer": 0.0,
        "tolerance": 0.05,
        "threshold": 0.1,
        "adapter_sha256": hashlib.sha256(weights).hexdigest(),
        "passed": True,
    } | proof
    (folder / "proof.json").write_text(json.dumps(said), encoding="utf-8")
    return folder
