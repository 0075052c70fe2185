import pytest

from podtune.core.events import MARKER, EventKind, Metrics, WorkerResult, parse_line
from podtune.core.states import WorkerStage
from progress import RESERVE, RESERVE_BYTES, EventWriter, Speed, step_metrics


def read(path):
    return [parse_line(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_events_are_numbered_and_say_the_same_on_stdout(tmp_path, capsys):
    path = tmp_path / "events.jsonl"
    events = EventWriter(path, job="demo", attempt=2)
    events.stage(WorkerStage.TRAINING)
    events.emit(EventKind.STEP, step=1, metrics=Metrics(training_loss=2.5))
    events.result(WorkerResult(ok=True, files={"a": "b"}))
    written = read(path)
    assert [e.seq for e in written] == [0, 1, 2]
    assert {(e.job, e.attempt, e.stage) for e in written} == {("demo", 2, WorkerStage.TRAINING)}
    assert all(e.time.tzinfo is not None for e in written)
    spoken = capsys.readouterr().out.splitlines()
    assert all(line.startswith(MARKER) for line in spoken)
    assert [parse_line(line) for line in spoken] == written


def test_a_second_attempt_starts_on_a_line_of_its_own(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"job":"demo","attempt":1,"se', encoding="utf-8")
    EventWriter(path, job="demo", attempt=2).stage(WorkerStage.LOADING)
    cut, whole = read(path)
    assert cut is None
    assert whole is not None
    assert whole.attempt == 2


def test_a_worker_that_started_itself_again_goes_on_counting(tmp_path):
    path = tmp_path / "events.jsonl"
    EventWriter(path, job="demo", attempt=1).stage(WorkerStage.TRAINING)
    first = EventWriter(path, job="demo", attempt=2)
    first.stage(WorkerStage.LOADING)
    first.stage(WorkerStage.TRAINING)
    EventWriter(path, job="demo", attempt=2).stage(WorkerStage.LOADING)
    assert [(e.attempt, e.seq) for e in read(path)] == [(1, 0), (2, 0), (2, 1), (2, 2)]


def test_room_is_kept_for_the_last_word(tmp_path):
    events = EventWriter(tmp_path / "events.jsonl", job="demo", attempt=1)
    assert (tmp_path / RESERVE).stat().st_size == RESERVE_BYTES
    events.result(WorkerResult(ok=False, error_code="disk_full"))
    assert not (tmp_path / RESERVE).exists()


def test_task_progress_is_thinned_but_its_end_always_told(tmp_path):
    path = tmp_path / "events.jsonl"
    events = EventWriter(path, job="demo", attempt=1)
    for done in range(1001):
        events.task("convert", done, 1000, "tensors")
    told = [e.task.done for e in read(path)]
    assert told[0] == 0
    assert told[-1] == 1000
    assert len(told) < 100


def test_speed_is_over_the_last_steps_only():
    times = iter([0.0, 10.0, 11.0, 12.0])
    speed = Speed(clock=lambda: next(times), window=2)
    assert speed.at(100) == pytest.approx(10.0)
    speed.at(200)
    assert speed.at(300) == pytest.approx(100.0)


def test_the_trainers_log_in_our_words():
    metrics = step_metrics({"loss": 1.5, "grad_norm": 0.3, "learning_rate": 1e-3}, 200.0)
    assert metrics == Metrics(
        training_loss=1.5, gradient_norm=0.3, learning_rate=1e-3, throughput=200.0
    )


def test_the_use_of_the_cards_stands_beside_the_trainers_log():
    assert step_metrics({"loss": 1.5}, None, 92.5) == Metrics(
        training_loss=1.5, gpu_utilization=92.5
    )
