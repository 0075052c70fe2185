"""Files of played workers."""

import hashlib
import json

import pytest

from podtune.core.artifact import ADAPTER_WEIGHTS, REQUIRED_FILES
from podtune.testing.scripted_files import artifact, cargo_of, content_of, sha256_of
from support.played_pod import bundle


def test_artifacts_differ_by_job_and_are_always_the_same():
    assert artifact("a", 100) == artifact("a", 100)
    assert artifact("a", 100) != artifact("b", 100)


def test_an_artifact_is_whole_and_its_proof_is_of_its_weights():
    files = artifact("a", 100)
    assert set(files) == set(REQUIRED_FILES)
    proof = json.loads(files["proof.json"])
    assert proof["adapter_sha256"] == hashlib.sha256(files[ADAPTER_WEIGHTS]).hexdigest()


def test_the_order_and_the_checkpoint_of_a_bundle_are_found():
    found = cargo_of(bundle(steps=4, checkpoint=3))
    assert found.order["plan"]["schedule"]["steps"] == 4
    assert found.step == 3


@pytest.mark.parametrize("size", [1, 32, 33, 1000])
def test_content_has_its_size(size):
    assert len(content_of("x", size)) == size
    assert sha256_of(b"") == hashlib.sha256().hexdigest()


@pytest.mark.parametrize("content", [b"", b"no tar", bytes(10_240)])
def test_what_is_no_bundle_holds_nothing(content):
    assert cargo_of(content) == ({}, 0)
