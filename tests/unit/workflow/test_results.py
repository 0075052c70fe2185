"""What the end of an effect tells of a job."""

import pytest

from podtune.core.artifact import Artifact
from podtune.core.errors import CredentialsError, StateError
from podtune.core.job import Instance, TerminationProof
from podtune.providers.base import InstanceState
from podtune.workflow import results
from podtune.workflow.steps import Effect, Heard, Seen
from podtune.workflow.store import LeaseLostError
from support import build

BEFORE = Seen(now=build.NOW, error=CredentialsError("an earlier failure"))
MADE = Instance(id="p1", name="pt-a-b-1", started_at=build.NOW)
PROOF = TerminationProof(instance_id="p1", absent_at=build.NOW, method="looked")
ARTIFACT = Artifact(uri="file:///x", files={"a": "b"}, size_bytes=1, sha256="c" * 64)


@pytest.mark.parametrize(
    ("effect", "value", "field", "known"),
    [
        (Effect.CHECK_DATA, None, "data_checked", True),
        (Effect.STAGE, None, "staged", True),
        (Effect.LAUNCH, MADE, "launched", MADE),
        (Effect.FETCH, True, "fetched", True),
        (Effect.VERIFY, ARTIFACT, "artifact", ARTIFACT),
        (Effect.RELEASE, None, "released", True),
        (Effect.RECEIPT, None, "receipt_written", True),
    ],
)
def test_what_came_to_its_end_is_known_and_settles_the_failure_before(effect, value, field, known):
    assert results.is_settled(effect, value)
    assert results.after_success(BEFORE, effect, value) == Seen(now=build.NOW, **{field: known})


def test_a_proof_leaves_the_failure_that_led_to_the_end():
    after = results.after_success(BEFORE, Effect.TERMINATE, PROOF)
    assert (after.proof, after.error) == (PROOF, BEFORE.error)
    assert not results.is_settled(Effect.TERMINATE, None)
    assert results.after_success(BEFORE, Effect.TERMINATE, None) == BEFORE


def test_what_was_once_heard_stays_heard():
    seen = Seen(now=build.NOW)
    for heard in (Heard(accepted=True, starts=2), Heard(at=build.NOW, starts=1, said="x"), Heard()):
        assert not results.is_settled(Effect.PULL, heard)
        seen = results.after_success(seen, Effect.PULL, heard)
    assert seen.heard == Heard(accepted=True, at=build.NOW, starts=2, said="x")


@pytest.mark.parametrize("state", [InstanceState.RUNNING, InstanceState.GONE])
def test_a_search_counts_only_after_the_machine_has_ended(state):
    seen = Seen(now=build.NOW, state=state)
    after = results.after_success(seen, Effect.PULL, Heard(searched=True, log_read=True))
    assert (after.searched, after.log_read) == (
        (True, True) if state is InstanceState.GONE else (False, False)
    )
    assert results.after_success(seen, Effect.FETCH, False).searched is (
        state is InstanceState.GONE
    )


@pytest.mark.parametrize(
    ("effect", "error", "code"),
    [
        (Effect.STAGE, CredentialsError("no key", code="no_key"), "no_key"),
        (Effect.FETCH, OSError(28, "No space left on device"), "state_unusable"),
        (Effect.LAUNCH, KeyError("ours"), "internal_error"),
    ],
)
def test_a_failure_is_an_error_of_the_job_with_its_next_step(effect, error, code):
    found = results.after_failure(build.job(), Seen(now=build.NOW), effect, error).error
    assert found.code == code
    assert isinstance(error, CredentialsError) or "podtune resume JOB" in found.hint


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (Effect.FETCH, LeaseLostError("taken")),
        (Effect.STAGE, StateError("busy", code="state_unavailable")),
        (Effect.TERMINATE, OSError("busy")),
        (Effect.TERMINATE, CredentialsError("no key")),
    ],
)
def test_what_says_nothing_of_the_job_fails_nothing(effect, error):
    assert results.after_failure(build.job(), BEFORE, effect, error) == BEFORE
