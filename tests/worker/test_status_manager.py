"""How one training stands, in the application's words."""

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.events import EventKind, Metrics, Task, TrainingEvent, WorkerResult
from podtune.core.states import WorkerStage
from podtune.core.wire import WARNINGS_SHOWN, TrainingStatus
from status_manager import EVERY_S, MAX_TEXT, UNKNOWN_HERE, StatusManager, Throttle, of_file

NOW = datetime(2026, 1, 2, tzinfo=UTC)
DOCUMENTED = [
    "status", "progress", "current_epoch", "current_step", "stage", "metrics", "error_message",
]  # fmt: skip
SIX = {
    "training_loss", "validation_loss", "learning_rate", "throughput", "gpu_utilization",
    "gradient_norm",
}  # fmt: skip


def event(kind, stage=WorkerStage.TRAINING, *, seq=0, attempt=1, **fields):
    return TrainingEvent(
        job="demo", attempt=attempt, seq=seq, time=NOW, kind=kind, stage=stage, **fields
    )


def step(n, loss=2.0, *, of=10, attempt=1, **metrics):
    return event(
        EventKind.STEP, seq=n, attempt=attempt, step=n, total_steps=of, epoch=n / 5,
        metrics=Metrics(training_loss=loss, **metrics),
    )  # fmt: skip


def test_it_is_exactly_the_documented_object_and_our_additions():
    told = StatusManager("test-123", external_job_id="runpod-1").to_wire()
    assert list(told)[:7] == DOCUMENTED
    assert set(told["metrics"]) == SIX
    assert set(told) == set(TrainingStatus.model_fields) - UNKNOWN_HERE | {"external_job_id"}
    assert (told["job_id"], told["external_job_id"]) == ("test-123", "runpod-1")
    assert (told["status"], told["progress"], told["stage"]) == ("running", 0, "training")


def test_every_step_and_epoch_is_seen():
    manager = StatusManager("j")
    manager.take(step(4, 1.25, throughput=100.0, gpu_utilization=92.5, learning_rate=1e-4))
    told = manager.to_wire()
    assert (told["current_step"], told["current_epoch"]) == (4, 0)
    assert told["metrics"]["gpu_utilization"] == 92.5
    held = event(
        EventKind.EVALUATION, seq=5, step=5, epoch=1.0, metrics=Metrics(validation_loss=3.0)
    )
    manager.take(held)
    told = manager.to_wire()
    assert (told["current_step"], told["current_epoch"]) == (5, 1)
    assert (told["metrics"]["training_loss"], told["metrics"]["validation_loss"]) == (1.25, 3.0)


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (WorkerStage.DOWNLOADING, "training"), (WorkerStage.LOADING, "training"),
        (WorkerStage.TRAINING, "training"), (WorkerStage.SAVING, "saving"),
        (WorkerStage.PROVING, "saving"), (WorkerStage.UPLOADING, "uploading"),
    ],
)  # fmt: skip
def test_the_stages_words(stage, expected):
    manager = StatusManager("j")
    manager.take(event(EventKind.STAGE, stage))
    told = manager.to_wire()
    assert (told["stage"], told["phase"], told["status"]) == (expected, stage, "running")


def test_an_upload_may_be_announced_before_an_event_tells_it():
    manager = StatusManager("j")
    manager.take(event(EventKind.STAGE, WorkerStage.PROVING))
    manager.enter(WorkerStage.UPLOADING)
    assert manager.to_wire()["stage"] == "uploading"


def test_a_result_alone_settles_nothing():
    manager = StatusManager("j")
    manager.take(event(EventKind.RESULT, WorkerStage.PROVING, result=WorkerResult(ok=True)))
    assert manager.to_wire()["status"] == "running"


def test_success():
    manager = StatusManager("j")
    manager.take(step(10, 0.5))
    assert manager.complete(adapter_path="lora-models/adapters/job-j.tar.gz")
    told = manager.to_wire()
    assert (told["status"], told["progress"], told["error_message"]) == ("completed", 100, None)
    assert told["adapter_path"] == "lora-models/adapters/job-j.tar.gz"
    assert told["metrics"]["training_loss"] == 0.5


def test_failure():
    manager = StatusManager("j")
    manager.take(step(10, 0.5))
    result = WorkerResult(
        ok=False,
        error_code="out_of_memory",
        error_message="no memory left",
        advice="a smaller batch",
    )
    assert manager.fail(result)
    told = manager.to_wire()
    assert (told["status"], told["stage"]) == ("failed", "training")
    assert (told["error_code"], told["error_message"], told["advice"]) == (
        "out_of_memory", "no memory left", "a smaller batch",
    )  # fmt: skip
    assert told["progress"] < 100
    assert told["adapter_path"] is None


def test_an_outcome_is_settled_once():
    manager = StatusManager("j")
    assert manager.complete()
    assert not manager.fail(WorkerResult(ok=False))
    assert not manager.complete(adapter_path="x")
    manager.take(step(3))
    told = manager.to_wire()
    assert (told["status"], told["phase"], told["progress"]) == ("completed", "done", 100)
    assert told["adapter_path"] is None


def test_a_failure_without_words_is_still_told():
    manager = StatusManager("j")
    manager.fail(WorkerResult(ok=False))
    told = manager.to_wire()
    assert (told["error_code"], bool(told["error_message"])) == ("training_failed", True)


def test_no_secret_goes_out_and_nothing_long():
    manager = StatusManager("j")
    manager.warn("see https://x.example/f?token=planted")
    manager.take(event(EventKind.WARNING, message="key hf_abcdefghijklmnopplanted"))
    manager.fail(WorkerResult(ok=False, error_message="x" * 10_000, advice="rpa_abcdefghplanted"))
    told = manager.to_wire()
    assert "planted" not in json.dumps(told)
    assert len(told["error_message"]) == MAX_TEXT


def test_it_is_always_small():
    manager = StatusManager("j" * 128)
    manager.take_all(event(EventKind.WARNING, message="é" * 10_000) for _ in range(50))
    manager.fail(WorkerResult(ok=False, error_message="é" * 10_000, advice="é" * 10_000))
    assert len(json.dumps(manager.to_wire())) < 100_000


def test_warnings_of_the_request_come_first_and_there_are_not_too_many():
    manager = StatusManager("j")
    manager.take_all(event(EventKind.WARNING, message=f"w{n}") for n in range(100))
    manager.warn("a larger card")
    told = manager.to_wire()["warnings"]
    assert told[:2] == ["a larger card", "w0"]
    assert len(told) == WARNINGS_SHOWN


def test_a_figure_that_is_no_number_is_null():
    manager = StatusManager("j")
    manager.take(step(1, float("nan"), throughput=float("inf")))
    told = json.loads(json.dumps(manager.to_wire(), allow_nan=False))
    assert (told["metrics"]["training_loss"], told["metrics"]["throughput"]) == (None, None)


def test_progress_goes_on_over_attempts():
    manager = StatusManager("j", attempt=2)
    manager.take(step(8))
    before = manager.to_wire()
    manager.take(event(EventKind.STAGE, WorkerStage.DOWNLOADING, attempt=2))
    after = manager.to_wire()
    assert after["progress"] == before["progress"] > 70
    assert (before["phase"], after["phase"]) == ("provisioning", "downloading")
    assert after["attempt"] == 2


events = st.one_of(
    st.builds(step, st.integers(0, 40), st.floats(), of=st.integers(0, 40), attempt=st.integers(1, 3)),
    st.builds(
        lambda stage, seq, done, total: event(
            EventKind.TASK, stage, seq=seq, task=Task(name="t", done=done, total=total)
        ),
        st.sampled_from(WorkerStage), st.integers(0, 40), st.floats(0, 10),
        st.none() | st.floats(0, 10),
    ),
    st.builds(lambda stage, n: event(EventKind.STAGE, stage, attempt=n), st.sampled_from(WorkerStage),
              st.integers(1, 3)),
)  # fmt: skip


@given(st.lists(events, max_size=40))
def test_progress_never_falls_and_the_form_always_holds(taken):
    manager, seen = StatusManager("j"), []
    for one in taken:
        manager.take(one)
        told = manager.to_wire()
        json.dumps(told, allow_nan=False)
        seen.append(told["progress"])
    assert seen == sorted(seen)
    assert all(0 <= value < 100 for value in seen)
    at_once = StatusManager("j")
    at_once.take_all(taken)
    assert at_once.to_wire() == manager.to_wire()


def test_threads_write_and_read_it_at_once():
    manager, broken = StatusManager("j"), []

    def write(first):
        for n in range(first, 400, 4):
            manager.take(event(EventKind.WARNING, seq=n, message=str(n)))
            manager.take(step(n + 1, of=400))

    def read():
        for _ in range(100):
            told = manager.to_wire()
            broken.extend([told] if set(told["metrics"]) != SIX else [])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == []
    assert manager.to_wire()["current_step"] == 400


def snapshot(stage=WorkerStage.TRAINING, n=1, outcome=None):
    manager = StatusManager("j")
    manager.take(event(EventKind.STAGE, stage, seq=n))
    if outcome:
        manager.fail(WorkerResult(ok=False))
    return manager.snapshot()


def test_outward_it_is_thinned():
    throttle = Throttle()
    sent = [now for now in range(23) if throttle.due(now, snapshot())]
    assert sent == [0, 5, 10, 15, 20]


def test_a_change_goes_out_at_once_and_the_end_always_but_once():
    throttle = Throttle(EVERY_S)
    assert throttle.due(0.0, snapshot())
    assert throttle.due(0.1, snapshot(WorkerStage.SAVING))
    assert not throttle.due(
        0.2, snapshot(WorkerStage.PROVING)
    )  # saving too, in the contract's words
    assert throttle.due(0.3, snapshot(WorkerStage.PROVING, outcome=True))
    assert not throttle.due(100.0, snapshot(WorkerStage.PROVING, outcome=True))


def test_what_goes_out_may_be_asked_about_itself():
    throttle, manager = Throttle(1.0), StatusManager("j")
    assert throttle.due(0.0, manager.to_wire())
    assert not throttle.due(0.5, manager.snapshot())
    manager.complete()
    assert throttle.due(0.6, manager.to_wire())


def written(tmp_path, *found):
    path = tmp_path / "events.jsonl"
    path.write_text("".join(f"{one.line()}\n" for one in found) + '{"cut', encoding="utf-8")
    return path


OK = event(EventKind.RESULT, WorkerStage.PROVING, seq=9, result=WorkerResult(ok=True))
BAD = event(EventKind.RESULT, seq=9, result=WorkerResult(ok=False, error_code="disk_full"))


@pytest.mark.parametrize(
    ("found", "phase", "expected"),
    [
        ([], "waiting", ("running", "provisioning")),
        ([step(1)], "training", ("running", "training")),
        ([step(1)], "checking", ("running", "training")),
        ([OK], "delivering", ("running", "uploading")),
        ([OK], "finished", ("completed", "done")),
        ([OK], "delivered", ("completed", "done")),
        ([BAD], "training", ("running", "training")),
        ([BAD], "held", ("failed", "training")),
        ([BAD], "failed", ("failed", "training")),
        ([step(1)], "failed", ("failed", "training")),
    ],
)
def test_a_machines_status_is_its_events_and_its_phase(tmp_path, found, phase, expected):
    told = of_file(written(tmp_path, *found), "demo", 1, phase).to_wire()
    assert (told["status"], told["phase"]) == expected


def test_a_result_of_an_earlier_attempt_is_not_this_ones(tmp_path):
    told = of_file(written(tmp_path, OK), "demo", 2, "failed").to_wire()
    assert (told["status"], told["error_code"], told["attempt"]) == ("failed", "worker_lost", 2)


def test_no_file_is_no_error(tmp_path):
    assert of_file(tmp_path / "none", "demo", 1, "installing").to_wire()["progress"] == 0


def test_as_a_program(tmp_path, root):
    program = root / "runpod-worker" / "status_manager.py"
    path = written(tmp_path, step(5))
    done = subprocess.run(
        [sys.executable, program, path, "demo", "1", "training"], capture_output=True, check=True
    )
    assert json.loads(done.stdout) == of_file(path, "demo", 1, "training").to_wire()
    refused = subprocess.run(
        [sys.executable, program, path, "demo", "1", "dreaming"], capture_output=True, check=False
    )
    assert refused.returncode == 2
