"""The note of a bundle: trusted for its attempt only."""

from podtune.app import staged_bundle
from podtune.storage.artifact_folder import sha256_file
from support import rented_jobs

JOB = rented_jobs.job()


def note(folder, attempt, sha256="a" * 64):
    made = staged_bundle.StagedBundle(attempt=attempt, sha256=sha256, bytes=3)
    (folder / staged_bundle.FACTS).write_text(made.model_dump_json())
    return made


def test_the_note_of_this_attempt_is_taken(tmp_path):
    assert note(tmp_path, 1) == staged_bundle.staged(JOB, tmp_path)


def test_without_a_note_of_this_attempt_the_bundle_is_measured(tmp_path):
    path = tmp_path / staged_bundle.FILE
    path.write_bytes(b"abcd")
    for _ in range(2):
        found = staged_bundle.staged(JOB, tmp_path)
        assert (found.attempt, found.sha256, found.bytes) == (1, sha256_file(path), 4)
        note(tmp_path, 2)


def test_removing_twice_is_removing(tmp_path):
    (tmp_path / staged_bundle.FILE).write_bytes(b"abcd")
    for _ in range(2):
        staged_bundle.remove(tmp_path)
    assert not (tmp_path / staged_bundle.FILE).exists()
