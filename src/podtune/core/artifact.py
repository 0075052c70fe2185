"""The artifact: the adapter with all that is needed to trust and to use it, and its receipt."""

from collections.abc import Collection
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from podtune.core.job import TerminationProof

ADAPTER_WEIGHTS: Final = "adapter_model.safetensors"
ADAPTER_CONFIG: Final = "adapter_config.json"
RECEIPT: Final = "receipt.json"
PROOF: Final = "proof.json"
SAMPLES: Final = "samples.json"
METRICS: Final = "metrics.jsonl"
LOSS_CURVE: Final = "loss.png"
SPEC: Final = "spec.yaml"
CARD: Final = "README.md"

MODEL_WEIGHTS: Final = "model.safetensors"
MODEL_CONFIG: Final = "config.json"

_COMMON_FILES: Final = ("tokenizer.json", CARD, METRICS, LOSS_CURVE, SPEC, PROOF)

REQUIRED_FILES: Final = (ADAPTER_WEIGHTS, ADAPTER_CONFIG, *_COMMON_FILES)
"""What an artifact with an adapter holds, besides the receipt that is written last."""

REQUIRED_MODEL_FILES: Final = (MODEL_WEIGHTS, MODEL_CONFIG, *_COMMON_FILES)
"""The same where every weight was trained."""


def weights_file(names: Collection[str]) -> str:
    """Which of an artifact's files holds what was trained."""
    whole = MODEL_WEIGHTS in names and ADAPTER_WEIGHTS not in names
    return MODEL_WEIGHTS if whole else ADAPTER_WEIGHTS


def required_files(names: Collection[str]) -> tuple[str, ...]:
    """What an artifact with these files has to hold."""
    return REQUIRED_MODEL_FILES if weights_file(names) == MODEL_WEIGHTS else REQUIRED_FILES


class EffectProof(BaseModel):
    """`proof.json`: a fresh process loaded the adapter and compared the next-token logits.

    Differences are the largest absolute difference of any logit over all golden prompts.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    prompts: int = Field(ge=1)
    difference_from_base: float = Field(ge=0)
    """Must be over `threshold`: the adapter changes the model."""
    difference_from_trainer: float = Field(ge=0)
    """Must be at most `tolerance`: what was saved is what was trained."""
    tolerance: float
    threshold: float
    adapter_sha256: str
    passed: bool


class Sample(BaseModel):
    """A held-out question, its known answer, and what the model said before and after."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    question: str
    expected: str
    before: str
    after: str


class Artifact(BaseModel):
    """A verified artifact folder."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    files: dict[str, str]
    """File -> sha256, the receipt excluded."""
    size_bytes: int
    sha256: str
    """sha256 over the sorted lines `<sha256>  <file>`: one name for the whole."""


class Receipt(BaseModel):
    """What was trained, on what, at what cost, that it works, and that nothing runs any more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    job: str
    attempts: int
    outcome: str
    plan_digest: str
    spec: dict[str, object]
    base_model: dict[str, object]
    data: dict[str, object]
    training: dict[str, object]
    artifact: dict[str, object]
    effect: EffectProof
    cost: dict[str, object]
    machine: dict[str, object]
    absence: TerminationProof
    versions: dict[str, str]
    created_at: datetime


class SignedReceipt(BaseModel):
    """`receipt.json`: the receipt and an Ed25519 signature over its canonical JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    receipt: Receipt
    algorithm: str = "ed25519"
    public_key: str
    """Base64 of the 32 raw bytes of the installation's public key."""
    signature: str
    """Base64 of the signature over `canonical(receipt)`."""
