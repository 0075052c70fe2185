"""What a serverless job says of itself, as events."""

from datetime import timedelta

import pytest

from podtune.app.queue_news import QueueNews
from podtune.app.settings import Settings
from podtune.core.events import EventKind
from podtune.core.handover import DeliveredResult
from podtune.core.states import WorkerStage
from podtune.providers.runpod.queue import QueueJob
from podtune.workflow.folder import EventTail
from support import build
from support.queued_jobs import job

JOB = job()


def update(step=0, loss=None, phase="training", **more):
    metrics = {"training_loss": 2.0, "validation_loss": loss, "learning_rate": 1e-4}
    return {
        "status": "running", "progress": 5.0, "phase": phase, "current_epoch": 0,
        "current_step": step, "metrics": metrics, **more,
    }  # fmt: skip


class Bench:
    def __init__(self, tmp_path):
        self.settings = Settings(home=tmp_path)
        self.folder = self.settings.jobs / JOB.id
        self.folder.mkdir(parents=True)
        self.news, self.now = QueueNews(self.settings), build.NOW

    def take(self, output, found=JOB):
        self.now += timedelta(seconds=5)
        self.news.take(found, output, self.now)

    def events(self):
        return list(EventTail(self.folder / "events.jsonl").read())

    def kinds(self):
        return [e.kind for e in self.events()]


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path)


def test_stages_steps_and_evaluations_are_told_once(bench):
    for output in (
        update(phase="downloading"), update(phase="downloading"), update(3), update(3),
        update(7, loss=1.5), update(7, loss=1.5),
    ):  # fmt: skip
        bench.take(output)
    assert bench.kinds() == [
        EventKind.STAGE, EventKind.STAGE, EventKind.STEP, EventKind.STEP, EventKind.EVALUATION,
    ]  # fmt: skip
    events = bench.events()
    assert [e.step for e in events if e.kind is EventKind.STEP] == [3, 7]
    assert events[-1].metrics.validation_loss == 1.5
    assert events[-2].metrics.validation_loss is None
    assert [e.seq for e in events] == list(range(5))
    assert all(e.job == JOB.id and e.attempt == 1 for e in events)


def test_another_driver_goes_on_where_this_one_stopped(bench):
    bench.take(update(3, warnings=["slow disk"]))
    bench.news = QueueNews(bench.settings)
    bench.take(update(3, warnings=["slow disk"]))
    assert bench.kinds() == [EventKind.STAGE, EventKind.WARNING, EventKind.STEP]
    bench.take(update(4))
    assert bench.kinds()[-1] is EventKind.STEP


def test_another_attempt_begins_anew(bench):
    bench.take(update(9))
    bench.take(update(2), JOB.model_copy(update={"attempt": 2}))
    assert [(e.attempt, e.step) for e in bench.events() if e.kind is EventKind.STEP] == [
        (1, 9), (2, 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "output",
    [None, "training", 3, [], {"current_step": -1}, {"current_step": "x"}, {"metrics": 3},
     {"current_step": 10**12}, {"warnings": "x"}],
)  # fmt: skip
def test_what_is_no_status_object_is_passed_by(bench, output):
    bench.take(output)
    assert bench.events() == []


def test_words_of_elsewhere_are_one_line_without_secrets(bench):
    bench.take(
        update(warnings=["two\nlines \x1b[31m https://x.example/a?token=abc123 " + "y" * 900])
    )
    (told,) = [e.message for e in bench.events() if e.kind is EventKind.WARNING]
    assert "abc123" not in told
    assert "\x1b" not in told
    assert len(told) <= 500


def test_an_outcome_of_the_store_is_the_last_word(bench):
    result = DeliveredResult(
        job=JOB.id, attempt=1, ok=True, files={"a": "b" * 64}, facts={"steps": 7}
    )
    bench.news.end(JOB, result, bench.now)
    bench.news.end(JOB, result, bench.now)
    last = bench.events()[-1]
    assert last.result.ok
    assert last.result.files == {"a": "b" * 64}
    assert last.stage is WorkerStage.UPLOADING


@pytest.mark.parametrize(
    ("seen", "code", "words"),
    [
        (QueueJob(id="j", status="FAILED", output={"error_code": "out_of_memory",
                  "error_message": "full", "advice": "less"}), "out_of_memory", "full"),
        (QueueJob(id="j", status="FAILED", output={"error_code": "Bad Code"}, error="boom"),
         "training_failed", "boom"),
        (QueueJob(id="j", status="FAILED"), "training_failed", "does not say why"),
        (QueueJob(id="j", status="COMPLETED", output={"x": 1}), "result_missing", "COMPLETED"),
        (QueueJob(id="j", status="CANCELLED"), "cancelled_elsewhere", "cancelled"),
    ],
)  # fmt: skip
def test_a_failure_without_a_result_is_typed(bench, seen, code, words):
    assert bench.news.failure(JOB, seen, bench.now)
    result = bench.events()[-1].result
    assert (result.ok, result.error_code) == (False, code)
    assert words in result.error_message


@pytest.mark.parametrize("status", ["TIMED_OUT", "IN_QUEUE", "SOMETHING_NEW"])
def test_what_may_be_done_again_is_no_failure_of_the_training(bench, status):
    assert not bench.news.failure(JOB, QueueJob(id="j", status=status), bench.now)
    assert bench.events() == []
    bench.news.forget(JOB)
