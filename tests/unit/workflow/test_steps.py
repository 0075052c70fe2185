"""The one exit, whoever takes it."""

from podtune.core.errors import DatasetError
from podtune.core.states import JobPhase, Outcome
from podtune.workflow.steps import Seen, cancelled, failed, leave
from support import build


def test_leaving_goes_by_terminating_with_all_that_is_to_be_said():
    patch = leave(Outcome.TIMED_OUT, "timed_out", "late", "resume")
    assert patch.changes == {
        "phase": JobPhase.TERMINATING,
        "outcome": Outcome.TIMED_OUT,
        "error_code": "timed_out",
        "error_message": "late",
        "advice": "resume",
    }
    assert patch.note == "timed_out: late"
    assert patch.effect is None


def test_an_error_is_passed_on_in_its_words():
    patch = failed(DatasetError("m", code="data_changed", hint="h"))
    assert [patch.changes[k] for k in ("error_code", "error_message", "advice")] == [
        "data_changed",
        "m",
        "h",
    ]
    assert cancelled().changes["outcome"] is Outcome.CANCELLED


def test_nothing_is_known_at_first():
    seen = Seen(now=build.NOW)
    assert (seen.result, seen.launched, seen.proof, seen.error) == (None,) * 4
    assert not seen.heard.accepted
