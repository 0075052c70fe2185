"""An input as the worker and a job's own program read it."""

import pytest

import serverless_request
from podtune.app import settings
from podtune.core.errors import SpecError

BODY = {
    "job_id": "j1",
    "dataset_url": "https://x.example/rows.jsonl?token=one",
    "hyperparameters": {"base_model": "a/b"},
}
UPLOAD = {
    "via": "put",
    "archive": {"url": "https://x.example/a?s=1", "headers": {}},
    "result": {"url": "https://x.example/r?s=1"},
    "checkpoint": None,
}


@pytest.fixture
def loaded():
    return settings.load({"PODTUNE_UPLOAD_RESERVE_S": "90"}, read_file=False).settings


def test_request_terms_and_addresses(loaded):
    body = {**BODY, "upload": UPLOAD, "attempt": 2, "begin_by": 5, "deadline": 6}
    found = serverless_request.read(body, loaded)
    assert (found.asked.job_id, found.terms.attempt, found.reserve_s) == ("j1", 2, 90.0)
    assert found.upload is not None
    assert (found.upload.result is not None, found.upload.checkpoint) == (True, None)
    assert "s=1" not in repr(found)
    assert serverless_request.read(BODY, loaded).upload is None


@pytest.mark.parametrize("more", [{"attempt": 0}, {"upload": {}}, {"begin": 5}])
def test_what_is_wrong_is_refused(loaded, more):
    with pytest.raises(SpecError):
        serverless_request.read({**BODY, **more}, loaded)


def test_who_is_told_of_a_refusal(loaded):
    terms, upload = serverless_request.answerable({"upload": UPLOAD, "attempt": 4}, loaded)
    assert (terms.attempt, upload.result is not None) == (4, True)
    for given in (None, [], {}, {"upload": {}}, {"upload": UPLOAD, "attempt": "x"}):
        assert serverless_request.answerable(given, loaded) is None
