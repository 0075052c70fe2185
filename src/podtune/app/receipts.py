"""Making, signing and checking receipts."""

import json
import platform
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, cast

from pydantic import ValidationError

from podtune.app.installation import SigningKey, check_signature
from podtune.core.artifact import (
    PROOF,
    RECEIPT,
    Artifact,
    EffectProof,
    Receipt,
    SignedReceipt,
    weights_file,
)
from podtune.core.errors import ArtifactError, NotFoundError
from podtune.core.job import Job, TerminationProof
from podtune.core.progress import Folded
from podtune.planning.price import quote_error
from podtune.storage import artifact_folder


def canonical(receipt: Receipt) -> bytes:
    """The bytes that are signed: JSON with sorted keys and no blanks, UTF-8."""
    body = receipt.model_dump(mode="json")
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Rental(NamedTuple):
    """What was rented for a job, and what it cost."""

    usd: Decimal
    """By our own meter: each machine from its order to its proved absence."""
    usd_per_hour: Decimal
    """Of the last machine, disks included."""
    machines: int
    """Machines that were made, over all attempts."""
    gpu: str | None
    region: str | None
    image: str
    billed_usd: Decimal | None = None
    """By the provider's final bill; None where it was not final yet, as a rule: it comes hours later."""


def make(
    job: Job,
    folded: Folded,
    artifact: Artifact,
    folder: Path,
    absence: TerminationProof,
    rental: Rental | None = None,
) -> Receipt:
    """The receipt of a completed job, from its plan, its worker's facts and its proofs.

    `rental` is of a job that ran on rented machines.
    """
    plan, facts = job.plan, folded.facts
    proof = EffectProof.model_validate_json((folder / PROOF).read_text(encoding="utf-8"))
    return Receipt(
        job=job.id,
        attempts=job.attempt,
        outcome=str(job.outcome),
        plan_digest=job.plan_digest,
        spec=plan.spec.with_callback(None).model_dump(mode="json"),
        base_model={
            "name": plan.base_model.name,
            "revision": plan.base_model.revision,
            "source": plan.base_model.source,
            "parameters": plan.base_model.total_parameters,
        },
        data={
            "file": Path(plan.report.source).name,
            "sha256": plan.report.sha256,
            "rows": plan.report.rows,
            "rejected_rows": plan.report.rows - plan.report.good_rows,
            "left_out_rows": facts.get("left_out_rows", 0),
            "truncated_rows": facts.get("truncated_rows", 0),
            "truncated_tokens": facts.get("truncated_tokens", 0),
            "train_rows": facts.get("train_rows"),
            "validation_rows": facts.get("validation_rows"),
            "validation_sha256": plan.validation_report.sha256 if plan.validation_report else None,
            "train_tokens": facts.get("train_tokens"),
            "trained_tokens": facts.get("trained_tokens"),
            "stop_token_trained": facts.get("stop_token_trained"),
        },
        training=_training(facts),
        artifact={
            "sha256": artifact.sha256,
            "adapter_sha256": artifact.files[weights_file(artifact.files)],
            "files": artifact.files,
            "size_bytes": artifact.size_bytes,
        },
        effect=proof,
        cost=_cost(job, rental),
        machine={
            "kind": str(plan.spec.where.on),
            "device": plan.device.name,
            "instance": job.instance_id,
            "planned_memory_bytes": plan.memory.total,
            "planned_seconds": round(plan.time.training_s, 1),
            **_machine(job, rental),
        },
        absence=absence,
        versions={str(k): str(v) for k, v in dict(facts.get("versions", {})).items()}
        | {"system": platform.system()},
        created_at=absence.absent_at,  # a receipt made again is the same receipt
    )


def write(receipt: Receipt, key: SigningKey, folder: Path) -> SignedReceipt:
    """Sign and write `receipt.json`."""
    signed = SignedReceipt(
        receipt=receipt, public_key=key.public_base64, signature=key.sign(canonical(receipt))
    )
    (folder / RECEIPT).write_text(signed.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return signed


def read(folder: Path) -> SignedReceipt:
    """The receipt of an artifact folder.

    Raises:
        NotFoundError: there is none.
        ArtifactError: it cannot be read.
    """
    path = folder / RECEIPT
    if not path.is_file():
        raise NotFoundError(
            f"there is no receipt in {str(folder)!r}",
            hint="a job has one once it is completed; `podtune status JOB` shows how far it is",
        )
    try:
        return SignedReceipt.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        raise ArtifactError(f"{str(path)!r} is no receipt", code="bad_receipt") from error


def verify(folder: Path, own_public_key: str) -> list[str]:
    """Check a receipt: signature, every file's sha256, the proof; what was checked, in words.

    Raises:
        ArtifactError: something does not hold.
    """
    signed = read(folder)
    check_signature(signed.public_key, canonical(signed.receipt), signed.signature)
    whose = (
        "this installation's" if signed.public_key == own_public_key else "another installation's"
    )
    named: Any = signed.receipt.artifact.get("files")
    if not isinstance(named, dict):
        raise ArtifactError("the receipt names no files", code="bad_receipt")
    expected = cast("dict[str, str]", named)
    artifact = artifact_folder.verify(folder, expected)
    proof = signed.receipt.effect
    return [
        f"the signature fits, made with {whose} key {signed.public_key[:12]}...",
        f"all {len(artifact.files)} files have the sha256 the receipt names",
        f"the adapter changes the model: logits differ by up to {proof.difference_from_base:.2f} "
        f"and equal the trainer's within {proof.tolerance:g}",
        f"nothing runs any more since {signed.receipt.absence.absent_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{signed.receipt.absence.method}",
    ]


def _cost(job: Job, rental: Rental | None) -> dict[str, object]:
    price = job.plan.price
    if rental is None or price is None:
        return {
            "usd_quoted": job.plan.usd,
            "usd": 0.0,
            "reason": "this machine; nothing was rented",
        }
    return {
        "usd_quoted": job.plan.usd,
        "usd_quoted_p90": _dollars(price.first.usd_p90),
        "ceiling_usd": _dollars(price.max_usd),
        "usd": _dollars(rental.usd),
        "usd_per_hour": _dollars(rental.usd_per_hour),
        "usd_billed": None if rental.billed_usd is None else _dollars(rental.billed_usd),
        "quote_error": quote_error(rental.billed_usd or rental.usd, price.first.usd_p50),
        "reason": "price x time of each machine from its order to its proved absence, disks included",
    }


def _machine(job: Job, rental: Rental | None) -> dict[str, object]:
    if rental is None:
        return {}
    return {
        "name": job.instance_name,
        "gpu": rental.gpu,
        "region": rental.region,
        "image": rental.image,
        "machines": rental.machines,
        "ordered_at": job.intent_at.isoformat() if job.intent_at else None,
    }


def _dollars(usd: Decimal) -> float:
    """Dollars in JSON, to the micro-dollar."""
    return round(float(usd), 6)


def _training(facts: dict[str, Any]) -> dict[str, object]:
    names = (
        "steps",
        "epochs",
        "first_loss",
        "final_loss",
        "first_validation_loss",
        "final_validation_loss",
        "train_seconds",
        "tokens_processed",
        "tokens_per_second",
        "adapter_parameters",
        "weight_bytes",
        "peak_memory_bytes",
        "gpu",
        "world_size",
        "kernels",
        "kernel_libraries",
        "ladder",
        "resumed_from_step",
    )
    return {name: facts.get(name) for name in names}
