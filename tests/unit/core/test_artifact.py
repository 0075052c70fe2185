import pytest
from pydantic import ValidationError

from podtune.core import artifact
from podtune.core.artifact import Artifact, EffectProof, Receipt, Sample, SignedReceipt
from podtune.core.job import TerminationProof
from support import build


def proof(**changes):
    return EffectProof(
        **{
            "prompts": 4,
            "difference_from_base": 3.5,
            "difference_from_trainer": 0.001,
            "tolerance": 0.05,
            "threshold": 0.1,
            "adapter_sha256": "cd" * 32,
            "passed": True,
            **changes,
        }
    )


def receipt(**changes):
    planned = build.plan()
    return Receipt(
        **{
            "job": "demo-abc234",
            "attempts": 1,
            "outcome": "completed",
            "plan_digest": planned.digest,
            "spec": planned.spec.model_dump(mode="json"),
            "base_model": {"name": "test/tiny"},
            "data": {"rows": 20},
            "training": {"steps": 20},
            "artifact": {"sha256": "ef" * 32},
            "effect": proof(),
            "cost": {"usd": 0.0},
            "machine": {"kind": "cpu"},
            "absence": TerminationProof(
                instance_id="1:2", absent_at=build.NOW, method="the process is gone"
            ),
            "versions": {"podtune": "0.1.0"},
            "created_at": build.NOW,
            **changes,
        }
    )


def test_required_files_are_different_and_leave_the_receipt_out():
    assert len(set(artifact.REQUIRED_FILES)) == len(artifact.REQUIRED_FILES)
    assert artifact.RECEIPT not in artifact.REQUIRED_FILES


@pytest.mark.parametrize(
    "name",
    ["adapter_model.safetensors", "adapter_config.json", "tokenizer.json", "proof.json"],
)
def test_what_makes_an_adapter_usable_and_trusted_is_required(name):
    assert name in artifact.REQUIRED_FILES


def test_weights_are_safetensors_and_nothing_that_runs_code():
    suffixes = {name.rsplit(".", 1)[-1] for name in artifact.REQUIRED_FILES}
    assert suffixes <= {"safetensors", "json", "jsonl", "md", "yaml", "png"}


def test_names_are_plain_file_names():
    assert all("/" not in name and "\\" not in name for name in artifact.REQUIRED_FILES)


def test_a_signed_receipt_survives_json():
    signed = SignedReceipt(receipt=receipt(), public_key="QUJD", signature="REVG")
    copy = SignedReceipt.model_validate_json(signed.model_dump_json())
    assert copy == signed
    assert (copy.algorithm, copy.receipt.version) == ("ed25519", 1)


@pytest.mark.parametrize("field", ["effect", "absence", "plan_digest", "artifact", "created_at"])
def test_a_receipt_lacks_nothing_of_what_it_promises(field):
    body = receipt().model_dump(mode="json")
    del body[field]
    with pytest.raises(ValidationError, match=field):
        Receipt.model_validate(body)


def test_a_receipt_refuses_what_it_does_not_know():
    with pytest.raises(ValidationError, match="surprise"):
        receipt(surprise=1)


def test_a_proof_from_a_newer_worker_is_read_without_its_additions():
    assert proof(added_later=1) == proof()


@pytest.mark.parametrize(
    "change", [{"prompts": 0}, {"difference_from_base": -1}, {"difference_from_trainer": -0.1}]
)
def test_a_proof_needs_prompts_and_differences_from_zero(change):
    with pytest.raises(ValidationError, match=next(iter(change))):
        proof(**change)


def test_an_artifact_is_frozen_and_complete():
    made = Artifact(uri="/out", files={"a": "b"}, size_bytes=1, sha256="c")
    with pytest.raises(ValidationError, match="frozen"):
        made.sha256 = "d"
    with pytest.raises(ValidationError, match="sha256"):
        Artifact(uri="/out", files={}, size_bytes=1)


def test_a_sample_survives_json():
    sample = Sample(question="q", expected="e", before="b", after="a\n")
    assert Sample.model_validate_json(sample.model_dump_json()) == sample
