"""How long effects rest: often enough to be quick, seldom enough for the account's limits."""

import pytest

from podtune.core.limits import Limits
from podtune.workflow.pauses import LONGEST_S, RETRY_S, pause_after
from podtune.workflow.steps import Effect

LIMITS = Limits()


@pytest.mark.parametrize(
    ("effect", "seconds"),
    [
        (Effect.PULL, LIMITS.pull_s),
        (Effect.HAND_OVER, LIMITS.pull_s),
        (Effect.SALVAGE, LIMITS.pull_s),
        (Effect.FETCH, RETRY_S),
        (Effect.RECEIPT, RETRY_S),
        (Effect.LAUNCH, 10.0),
        (Effect.TERMINATE, 10.0),
    ],
)
def test_the_table(effect, seconds):
    assert pause_after(effect, LIMITS, 0) == seconds


def test_a_proof_is_given_within_its_window_and_a_little_more():
    looks = 1 + LIMITS.proof_window_s / pause_after(Effect.TERMINATE, LIMITS, 0)
    assert 2 <= looks <= 12


def test_a_termination_that_fails_is_tried_ever_more_seldom_and_for_ever():
    pauses = [pause_after(Effect.TERMINATE, LIMITS, failures) for failures in range(1, 40)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_S
    assert max(pauses) == LONGEST_S


def test_short_windows_of_tests_are_kept():
    quick = Limits(proof_window_s=0, settle_s=0)
    assert pause_after(Effect.TERMINATE, quick, 0) == 0.5
    assert pause_after(Effect.LAUNCH, quick, 0) == 0.2
