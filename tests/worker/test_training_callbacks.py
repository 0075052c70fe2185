import types

import pytest

import checkpoints
from failures import LossNotFiniteError
from gpu_metrics import GpuMetrics, Reading
from podtune.core.events import EventKind, parse_line
from process_group import QuietWriter
from progress import EventWriter
from shutdown import Interrupted, Shutdown
from stall_watch import StallWatch
from training_callbacks import Keeper, Listener, Pulse, Reporter, StepEnds


class Trainer:
    tokens_seen = 512


def arguments(**more):
    return types.SimpleNamespace(learning_rate=1e-3, **more)


def state(step=3, **more):
    return types.SimpleNamespace(
        global_step=step, epoch=0.5, is_world_process_zero=True, **more
    )  # fmt: skip


def control(**flags):
    return types.SimpleNamespace(**({"should_log": False, "should_save": False} | flags))


@pytest.fixture
def reporter(tmp_path):
    events = EventWriter(tmp_path / "events.jsonl", job="demo", attempt=1)
    made = Reporter(events, Trainer(), 10)
    made.on_step_begin(arguments(), state(), control())
    return made


def told(tmp_path):
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    return [parse_line(line) for line in lines]


def test_steps_become_events(reporter, tmp_path):
    reporter.on_log(arguments(), state(), None, logs={"loss": 1.5, "grad_norm": 0.1})
    (event,) = told(tmp_path)
    assert (event.kind, event.step, event.total_steps) == (EventKind.STEP, 3, 10)
    assert event.metrics.training_loss == 1.5
    assert event.metrics.gradient_norm == 0.1


def test_steps_tell_the_use_of_the_cards(tmp_path):
    events = EventWriter(tmp_path / "events.jsonl", job="demo", attempt=1)
    gpu = GpuMetrics(lambda: [Reading(92.5), Reading(None)])
    gpu.look()
    made = Reporter(events, Trainer(), 10, gpu)
    made.on_log(arguments(), state(), None, logs={"loss": 1.5})
    (event,) = told(tmp_path)
    assert event.metrics.gpu_utilization == 92.5


def test_evaluations_become_events(reporter, tmp_path):
    reporter.on_evaluate(arguments(), state(), None, metrics={"eval_loss": 0.75})
    (event,) = told(tmp_path)
    assert (event.kind, event.metrics.validation_loss) == (EventKind.EVALUATION, 0.75)


def test_logs_without_a_loss_are_not_steps(reporter, tmp_path):
    reporter.on_log(arguments(), state(), None, logs={"eval_loss": 1.0})
    reporter.on_log(arguments(), state(), None, logs=None)
    assert not (tmp_path / "events.jsonl").exists()


@pytest.mark.parametrize(
    "logs", [{"loss": float("nan")}, {"loss": float("inf")}, {"loss": 1.0, "grad_norm": float("nan")}]
)  # fmt: skip
def test_a_figure_that_is_no_number_stops_the_training(reporter, tmp_path, logs):
    with pytest.raises(LossNotFiniteError, match="step 3") as caught:
        reporter.on_log(arguments(), state(), None, logs=logs)
    assert "learning_rate=0.0002" in (caught.value.hint or "")
    assert not (tmp_path / "events.jsonl").exists()


def test_a_validation_loss_that_is_no_number_stops_it_too(reporter):
    with pytest.raises(LossNotFiniteError, match="validation loss"):
        reporter.on_evaluate(arguments(), state(), None, metrics={"eval_loss": float("nan")})


def test_every_checkpoint_is_preceded_by_a_log(reporter):
    flags = control(should_save=True)
    reporter.on_step_end(arguments(), state(), flags)
    assert flags.should_log
    flags = control()
    reporter.on_step_end(arguments(), state(), flags)
    assert not flags.should_log


def test_what_the_trainer_wrote_is_put_in_place(tmp_path):
    written = checkpoints.incoming(tmp_path) / "checkpoint-3"
    written.mkdir(parents=True)
    (written / "trainer_state.json").write_text("{}")
    keeper = Keeper(Trainer(), tmp_path)
    keeper.on_save(arguments(output_dir=str(checkpoints.incoming(tmp_path))), state(), None)
    assert checkpoints.last_complete(tmp_path) == tmp_path / "checkpoint-3"


def test_a_step_in_time_is_remembered_and_one_in_progress_is_watched():
    now = [0.0]
    watch = StallWatch(lambda *_: None, clock=lambda: now[0], minimum_s=1.0)
    pulse = Pulse(watch)
    pulse.on_step_begin(None, state(0), None)
    now[0] = 3.0
    pulse.on_substep_end(None, state(0), None)
    pulse.on_step_end(None, state(1), None)
    assert watch.limit_s() == pytest.approx(60.0)
    assert not watch.look()


def test_where_the_generators_stood_after_a_step():
    ends = StepEnds()
    assert ends.random is None
    ends.on_step_end(None, state(), None)
    assert ends.random is not None


def test_a_wish_to_end_is_heard_between_steps():
    stop = Shutdown()
    listener = Listener(stop)
    listener.on_step_begin(None, state(), None)
    stop.requested = True
    with pytest.raises(Interrupted):
        listener.on_step_begin(None, state(), None)


def test_processes_that_do_not_speak_report_nothing(capsys):
    quiet = Reporter(QuietWriter(), Trainer(), 10)
    quiet.on_log(arguments(), state(), None, logs={"loss": 1.5})
    assert capsys.readouterr().out == ""
