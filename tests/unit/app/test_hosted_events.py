import pytest

from podtune.app import hosted_events
from podtune.core.states import Outcome
from podtune.workflow.holds import Hold
from support import build


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome.COMPLETED, "succeeded"),
        (Outcome.FAILED, "failed"),
        (Outcome.TIMED_OUT, "failed"),
        (Outcome.CANCELLED, "cancelled"),
    ],
)
def test_an_outcome_in_the_hosted_api_s_words(outcome, word):
    job = build.job(outcome=outcome)
    event = hosted_events.event_of(job, f"{job.id}:terminal", build.NOW)
    assert event.model_dump() == {
        "id": f"evt_{job.id}_terminal",
        "object": "event",
        "type": f"fine_tuning.job.{word}",
        "created_at": int(build.NOW.timestamp()),
        "data": {"id": job.id},
    }


def test_a_pause_is_told_to_nobody():
    paused, running = Hold("openai", paused=True), Hold("openai", paused=False)
    cancelled = build.job(outcome=Outcome.CANCELLED)
    assert hosted_events.is_silent(cancelled, paused)
    assert not hosted_events.is_silent(cancelled, running)
    assert not hosted_events.is_silent(cancelled, None)
    assert not hosted_events.is_silent(build.job(outcome=Outcome.COMPLETED), paused)
