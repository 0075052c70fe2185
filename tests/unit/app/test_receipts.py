"""A receipt holds only as long as nobody touches it, its files, its signature or its proof."""

import json
from decimal import Decimal

import pytest

from podtune.app import receipts
from podtune.app.installation import signing_key
from podtune.core.artifact import RECEIPT, REQUIRED_FILES
from podtune.core.errors import ArtifactError, NotFoundError
from podtune.core.job import TerminationProof
from podtune.core.progress import Folded
from podtune.core.states import JobPhase, Outcome
from podtune.storage import artifact_folder
from support import artifacts, build, rented_jobs

FACTS = {"steps": 40, "final_loss": 1.5, "train_rows": 19, "versions": {"torch": "2.13.0"}}
ABSENCE = TerminationProof(instance_id="12:3", ended=2, absent_at=build.NOW, method="looked")


@pytest.fixture
def key(tmp_path):
    return signing_key(tmp_path / "home")


@pytest.fixture
def folder(tmp_path):
    return artifacts.make(tmp_path / "artifact")


@pytest.fixture
def receipt(folder):
    job = build.job(
        phase=JobPhase.NOTIFYING, outcome=Outcome.COMPLETED, instance_id="12:3", attempt=2
    )
    artifact = artifact_folder.verify(folder, artifact_folder.checksums(folder))
    return receipts.make(job, Folded(facts=FACTS), artifact, folder, ABSENCE)


@pytest.fixture
def signed(receipt, key, folder):
    return receipts.write(receipt, key, folder)


def test_a_receipt_tells_what_was_trained_on_what(receipt, folder):
    assert (receipt.job, receipt.attempts, receipt.outcome) == ("demo-abc234", 2, "completed")
    assert receipt.data["sha256"] == "ab" * 32
    assert receipt.data["file"] == "support.jsonl"
    assert (receipt.training["steps"], receipt.training["final_loss"]) == (40, 1.5)
    assert receipt.artifact["files"] == artifact_folder.checksums(folder)
    assert receipt.effect.passed
    assert receipt.absence == ABSENCE
    assert receipt.versions["torch"] == "2.13.0"
    assert receipt.cost["usd"] == 0.0
    assert receipt.plan_digest == build.plan().digest


def test_figures_nobody_measured_are_null(receipt):
    assert receipt.training["first_loss"] is None
    assert receipt.data["train_tokens"] is None


def test_the_signed_bytes_do_not_depend_on_the_order_of_keys(receipt):
    shuffled = receipt.model_copy(update={"data": dict(reversed(receipt.data.items()))})
    assert receipts.canonical(shuffled) == receipts.canonical(receipt)
    assert receipts.canonical(receipt).startswith(b'{"absence":{"absent_at":')


def test_what_was_written_is_read_and_holds(signed, folder, key):
    assert receipts.read(folder) == signed
    checked = receipts.verify(folder, key.public_base64)
    assert len(checked) == 4
    assert "this installation's" in checked[0]
    assert f"all {len(REQUIRED_FILES)} files" in checked[1]


def test_a_receipt_of_another_installation_says_so(signed, folder, tmp_path):
    other = signing_key(tmp_path / "other").public_base64
    assert "another installation's" in receipts.verify(folder, other)[0]


def test_without_a_receipt_there_is_none(folder, key):
    with pytest.raises(NotFoundError, match="no receipt"):
        receipts.verify(folder, key.public_base64)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[]", b'{"receipt": 1}'])
def test_what_is_no_receipt_is_refused(folder, key, content):
    (folder / RECEIPT).write_bytes(content)
    with pytest.raises(ArtifactError) as caught:
        receipts.verify(folder, key.public_base64)
    assert caught.value.code == "bad_receipt"


@pytest.mark.parametrize("name", REQUIRED_FILES)
def test_a_touched_file_is_noticed(signed, folder, key, name):
    with (folder / name).open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(ArtifactError) as caught:
        receipts.verify(folder, key.public_base64)
    assert caught.value.code == "integrity_mismatch"


@pytest.mark.parametrize("change", ["added", "missing"])
def test_an_added_or_missing_file_is_noticed(signed, folder, key, change):
    if change == "added":
        (folder / "pickle.bin").write_bytes(b"x")
    else:
        (folder / "README.md").unlink()
    with pytest.raises(ArtifactError):
        receipts.verify(folder, key.public_base64)


def tamper(folder, *path, value):
    said = json.loads((folder / RECEIPT).read_text(encoding="utf-8"))
    inner = said
    for step in path[:-1]:
        inner = inner[step]
    assert inner[path[-1]] != value
    inner[path[-1]] = value
    (folder / RECEIPT).write_text(json.dumps(said), encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("receipt", "job"), "another"),
        (("receipt", "cost", "usd"), 5.0),
        (("receipt", "data", "rows"), 10_000),
        (("receipt", "effect", "difference_from_base"), 99.0),
        (("receipt", "absence", "method"), "trust me"),
        (("receipt", "artifact", "files", "README.md"), "0" * 64),
        (("receipt", "created_at"), "2020-01-01T00:00:00Z"),
    ],
)
def test_a_touched_text_breaks_the_signature(signed, folder, key, path, value):
    tamper(folder, *path, value=value)
    with pytest.raises(ArtifactError) as caught:
        receipts.verify(folder, key.public_base64)
    assert caught.value.code == "bad_signature"


def test_a_signature_of_another_key_does_not_fit(signed, folder, key, tmp_path):
    other = signing_key(tmp_path / "other")
    tamper(folder, "signature", value=other.sign(receipts.canonical(signed.receipt)))
    with pytest.raises(ArtifactError) as caught:
        receipts.verify(folder, key.public_base64)
    assert caught.value.code == "bad_signature"


def test_a_failed_proof_is_refused_even_when_it_is_signed(tmp_path, key, receipt):
    folder = artifacts.make(tmp_path / "bad", passed=False)
    files = artifact_folder.checksums(folder)
    bad = receipt.model_copy(update={"artifact": {**receipt.artifact, "files": files}})
    receipts.write(bad, key, folder)
    with pytest.raises(ArtifactError) as caught:
        receipts.verify(folder, key.public_base64)
    assert caught.value.code == "no_effect"


def test_a_signed_receipt_that_names_no_files_is_refused(folder, key, receipt):
    receipts.write(receipt.model_copy(update={"artifact": {}}), key, folder)
    with pytest.raises(ArtifactError):
        receipts.verify(folder, key.public_base64)


def test_a_rented_job_s_receipt_tells_what_was_quoted_allowed_and_spent(folder):
    job = rented_jobs.job(JobPhase.NOTIFYING, outcome=Outcome.COMPLETED)
    artifact = artifact_folder.verify(folder, artifact_folder.checksums(folder))
    rental = receipts.Rental(
        usd=Decimal("0.1234567"), usd_per_hour=Decimal("0.40"), machines=1, gpu="NVIDIA A40",
        region="EU-1", image="img", billed_usd=None,
    )  # fmt: skip
    made = receipts.make(job, Folded(facts=FACTS), artifact, folder, ABSENCE, rental)
    cost = {k: v for k, v in made.cost.items() if k != "reason"}
    assert cost == {
        "usd_quoted": 0.4, "usd_quoted_p90": 0.8, "ceiling_usd": 5.0, "usd": 0.123457,
        "usd_per_hour": 0.4, "usd_billed": None, "quote_error": -0.6914,
    }  # fmt: skip
    assert made.machine["gpu"] == "NVIDIA A40"
    assert made.machine["name"] == rented_jobs.NAME
    assert made.machine["instance"] == "pod1"


def test_a_receipt_holds_no_callback_address(folder):
    plan = build.plan({"deliver.callback_url": "https://x.example/hook?token=planted"})
    job = build.job(phase=JobPhase.NOTIFYING, outcome=Outcome.COMPLETED, plan=plan)
    artifact = artifact_folder.verify(folder, artifact_folder.checksums(folder))
    made = receipts.make(job, Folded(), artifact, folder, ABSENCE)
    assert "x.example" not in made.model_dump_json()
