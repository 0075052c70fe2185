from datetime import timedelta

from podtune.app.asked import SubmissionState, Submitted
from podtune.core.errors import PodtuneError
from podtune.core.events import EventKind, Metrics, TrainingEvent, WorkerResult
from podtune.core.states import WorkerStage
from podtune.gateway.openai import event_view
from podtune.workflow.store import LogEntry
from support import build


def at(seconds):
    return build.NOW + timedelta(seconds=seconds)


def found(**more):
    fields = {
        "id": "rows-ab", "state": SubmissionState.ACCEPTED, "job": build.job(), "error": None,
        "kind": "openai", "name": None, "tenant": "ann", "note": {"said": ["a stands for b"]},
        "created_at": build.NOW,
    }  # fmt: skip
    return Submitted(**fields | more)


def said(seq, kind, attempt=1, **more):
    return TrainingEvent(
        job="rows-ab", attempt=attempt, seq=seq, time=at(10 * attempt + seq), kind=kind,
        stage=WorkerStage.TRAINING, **more,
    )  # fmt: skip


def step(seq, number, loss, attempt=1, **more):
    metrics = Metrics(training_loss=loss, learning_rate=1e-3, **more)
    return said(seq, EventKind.STEP, attempt, step=number, total_steps=4, metrics=metrics)


TOLD = [
    said(0, EventKind.STAGE),
    step(1, 1, 2.0),
    step(2, 2, 1.5),
    said(3, EventKind.CHECKPOINT, step=2, message="saved"),
    step(4, 3, 9.0),
    said(0, EventKind.CHECKPOINT, 2, step=2, message="resumed"),
    step(1, 3, 1.0, 2),
    said(2, EventKind.EVALUATION, 2, step=3, total_steps=4, metrics=Metrics(validation_loss=1.25)),
    said(3, EventKind.WARNING, 2, message="the token hf_abcdefghijklmnop is old"),
    said(4, EventKind.TASK, 2),
    said(5, EventKind.RESULT, 2, result=WorkerResult(ok=False, error_message="it broke")),
]


def test_everything_in_order_the_newest_first():
    log = [LogEntry(at(1), 1, "queued", "submitted")]
    told = list(event_view.events(found(), log, TOLD[::-1]))
    messages = [one["message"] for one in told][::-1]
    assert messages[:4] == [
        "Created fine-tuning job", "a stands for b", "Submitted", "The worker is training",
    ]  # fmt: skip
    assert "Step 3/4: validation loss=1.2500" in messages
    assert (told[0]["message"], told[0]["level"]) == ("it broke", "error")
    assert (told[1]["message"], told[1]["level"]) == ("the token *** is old", "warn")
    assert len({one["id"] for one in told}) == len(told)
    step_event = next(one for one in told if one["message"].startswith("Step 1/"))
    assert step_event["type"] == "metrics"
    assert step_event["data"] == {
        "step": 1, "total_steps": 4, "train_loss": 2.0, "learning_rate": 1e-3,
    }  # fmt: skip


def test_ids_stay_as_events_come():
    before = [one["id"] for one in event_view.events(found(), [], TOLD[:5][::-1])]
    after = [one["id"] for one in event_view.events(found(), [], TOLD[::-1])]
    assert after[-len(before) :] == before


def test_a_clock_that_was_set_back_changes_no_order_and_nothing_is_read_beyond_a_page():
    back = [
        one.model_copy(update={"time": at(50 - n)}) if n > 3 else one for n, one in enumerate(TOLD)
    ]
    log = [LogEntry(at(n), 1, "queued", f"line {n}") for n in range(60)]
    told = list(event_view.events(found(), log, back[::-1]))
    worker = [one["id"] for one in told if "-2-" in one["id"]]
    assert worker == [one["id"] for one in event_view.events(found(), [], TOLD[::-1])][:-2]
    assert [one["message"] for one in told if one["message"].startswith("Line")] == [
        f"Line {n}" for n in range(59, -1, -1)
    ]
    asked = []
    lazy = event_view.events(found(), [], (asked.append(1) or one for one in TOLD[::-1]))
    next(lazy)
    assert len(asked) < len(TOLD)


def test_what_was_refused_is_an_event():
    refused = found(job=None, state=SubmissionState.REFUSED, error=PodtuneError("no such model"))
    told = list(event_view.events(refused, [], []))
    assert (told[0]["message"], told[0]["level"]) == ("no such model", "error")


def test_the_result_file_has_a_line_for_each_step_of_the_last_way():
    assert event_view.results(TOLD).decode().splitlines() == [
        "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy",
        "1,2,,,",
        "2,1.5,,,",
        "3,1,,1.25,",
    ]


def test_checkpoints_that_are_there():
    one, other = event_view.checkpoints(found(), [2, 3], TOLD)
    assert (one["step_number"], other["step_number"]) == (3, 2)
    assert one["metrics"] == {
        "step": 3,
        "train_loss": 1.0,
        "valid_loss": 1.25,
        "full_valid_loss": 1.25,
    }
    assert other["created_at"] == int(at(13).timestamp())
    assert other["fine_tuned_model_checkpoint"].endswith(":ckpt-step-2")
