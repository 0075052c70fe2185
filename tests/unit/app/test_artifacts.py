"""What comes of a completed job, on a home of its own; drivers are recorded, never started."""

import pytest

from podtune.app import delivered
from podtune.core.errors import ArtifactError, NotFoundError, SpecError, UnsupportedError
from podtune.core.states import Outcome
from podtune.storage import archive
from support import homes


def test_the_artifact_of_a_completed_job(service, job, settings, tmp_path):
    homes.finish(settings, job)
    assert service.artifact(job.id) == service.folder(job).artifact
    target = service.artifact(job.id, tmp_path / "out")
    assert target == tmp_path / "out"
    assert (target / "receipt.json").is_file()
    assert service.receipt(job.id).receipt.job == job.id
    assert len(service.verify_receipt(job.id)) == len(service.verify_receipt(str(target))) == 4


def test_a_completed_job_that_was_not_signed_is_signed_when_its_artifact_is_wanted(
    service, job, settings
):
    homes.finish(settings, job, error_code="state_unusable", error_message="disk full")
    (service.folder(job).artifact / "receipt.json").unlink()
    assert service.artifact(job.id) == service.folder(job).artifact
    assert len(service.verify_receipt(job.id)) == 4


def test_a_completed_job_s_artifact_is_delivered_again(service, job, settings, tmp_path):
    homes.finish(settings, job)
    assert delivered.read(service.folder(job).path) is None
    done = service.deliver(job.id, str(tmp_path / "there.tar.gz"))
    assert done.uri == (tmp_path / "there.tar.gz").as_uri()
    assert delivered.read(service.folder(job).path) == done
    with pytest.raises(SpecError, match="ftp"):
        service.deliver(job.id, "ftp://elsewhere")


def test_the_artifact_as_one_archive_is_the_same_artifact(service, job, settings, tmp_path):
    homes.finish(settings, job)
    packed = service.artifact(job.id, tmp_path / "out" / "adapter.tar.gz")
    assert packed == tmp_path / "out" / "adapter.tar.gz"
    archive.unpack(packed, tmp_path / "back")
    assert len(service.verify_receipt(str(tmp_path / "back"))) == 4


def test_a_damaged_artifact_is_neither_shown_nor_copied(service, job, settings, tmp_path):
    homes.finish(settings, job)
    (service.folder(job).artifact / "README.md").write_text("changed")
    for target in (None, tmp_path / "out", tmp_path / "out.tar.gz"):
        with pytest.raises(ArtifactError):
            service.artifact(job.id, target)
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("outcome", [None, Outcome.FAILED])
def test_a_job_that_did_not_complete_has_no_artifact(service, job, settings, outcome):
    if outcome:
        homes.finish(settings, job, outcome)
    for verb in (service.artifact, service.receipt, service.verify_receipt, service.chat_folder):
        with pytest.raises(NotFoundError) as caught:
            verb(job.id)
        assert caught.value.code == "no_artifact"
        assert job.id in str(caught.value.hint)


def test_a_chat_takes_a_job_or_an_artifacts_folder(service, job, settings):
    homes.finish(settings, job)
    folder = service.folder(job).artifact
    assert service.chat_folder(job.id) == service.chat_folder(str(folder)) == folder


def test_a_chat_with_a_foreign_adapter_is_refused(service, tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UnsupportedError, match=r"spec\.yaml"):
        service.chat_folder(str(tmp_path))


def test_a_receipt_has_its_settlement_beside_it(service, user, account, settings, tmp_path):
    rented, local = service.submit(homes.rented_plan(user)), service.submit(homes.plan(user))
    for job in (rented, local):
        homes.finish(settings, job)
    assert service.settlement(rented.id).quote == rented.plan.price.first.usd_p50
    assert service.settlement(local.id) is None
    assert service.settlement(str(service.artifact(rented.id, tmp_path / "copy"))) is None
