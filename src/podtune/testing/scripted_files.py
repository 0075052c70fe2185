"""Files of played workers: what they look at in a bundle, and what they leave.

The bytes mean nothing, but they are always the same for the same job, and every checksum fits.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from podtune.core.artifact import ADAPTER_WEIGHTS, PROOF, REQUIRED_FILES, EffectProof

_SEALED: Final = re.compile(r"job/checkpoints/checkpoint-(\d{1,12})/")


def artifact(seed: str, file_bytes: int) -> dict[str, bytes]:
    """Files of an artifact that passes every check but that of its use: they hold no weights."""
    files = {name: content_of(f"{seed}-{name}", file_bytes) for name in REQUIRED_FILES}
    proof = EffectProof(
        prompts=4,
        difference_from_base=3.0,
        difference_from_trainer=0.0,
        tolerance=0.05,
        threshold=0.1,
        adapter_sha256=sha256_of(files[ADAPTER_WEIGHTS]),
        passed=True,
    )
    files[PROOF] = proof.model_dump_json().encode()
    return files


class Cargo(NamedTuple):
    """What a worker looks at in a bundle."""

    order: Mapping[str, Any]
    """`job/order.json`; empty where there is none."""
    step: int
    """Of the checkpoint to go on from; 0 for none."""


def cargo_of(bundle: bytes) -> Cargo:
    """Look into a bundle; anything else than one holds nothing."""
    try:
        with tarfile.open(fileobj=io.BytesIO(bundle)) as tar:
            steps = [int(found[1]) for name in tar.getnames() if (found := _SEALED.match(name))]
            member = tar.extractfile("job/order.json")
            order = cast("dict[str, Any]", json.load(member)) if member else {}
            return Cargo(order, max(steps, default=0))
    except (tarfile.TarError, KeyError, ValueError):
        return Cargo({}, 0)


def content_of(seed: str, size: int) -> bytes:
    """Bytes that are always the same for a seed."""
    block = hashlib.sha256(seed.encode()).digest()
    return (block * (size // len(block) + 1))[:size]


def sha256_of(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()
