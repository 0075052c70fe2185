import pytest

import checkpoints
from failures import LossNotFiniteError
from podtune.core.events import EventKind, parse_line
from progress import EventWriter, Speed


def save(folder, step, *, sealed=True):
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    (made / "adapter_model.safetensors").write_bytes(b"weights %d" % step)
    if sealed:
        checkpoints.seal(made)
    return made


def test_the_newest_complete_checkpoint_is_found(tmp_path):
    save(tmp_path, 9)
    newest = save(tmp_path, 10)
    assert checkpoints.last_complete(tmp_path) == newest
    assert checkpoints.step_of(newest) == 10


def test_a_checkpoint_killed_in_mid_save_is_passed_over(tmp_path):
    whole = save(tmp_path, 5)
    save(tmp_path, 10, sealed=False)
    assert checkpoints.last_complete(tmp_path) == whole


def test_a_changed_checkpoint_is_passed_over(tmp_path):
    whole = save(tmp_path, 5)
    changed = save(tmp_path, 10)
    (changed / "adapter_model.safetensors").write_bytes(b"something else")
    assert checkpoints.last_complete(tmp_path) == whole


def test_no_checkpoint_is_none(tmp_path):
    assert checkpoints.last_complete(tmp_path / "absent") is None


class Trainer:
    tokens_seen = 512


class State:
    global_step = 3
    epoch = 0.5


class Arguments:
    learning_rate = 1e-3


def reporter(tmp_path):
    events = EventWriter(tmp_path / "events.jsonl", job="demo", attempt=1)
    return checkpoints.reporter(events, Trainer(), 10, Speed)


def test_a_loss_that_is_no_number_stops_the_training(tmp_path):
    callback = reporter(tmp_path)
    callback.on_step_begin(Arguments(), State(), None)
    with pytest.raises(LossNotFiniteError, match="step 3") as caught:
        callback.on_log(Arguments(), State(), None, logs={"loss": float("nan")})
    assert "learning_rate=0.0002" in (caught.value.hint or "")


def test_steps_become_events(tmp_path):
    callback = reporter(tmp_path)
    callback.on_step_begin(Arguments(), State(), None)
    callback.on_log(Arguments(), State(), None, logs={"loss": 1.5, "grad_norm": 0.1})
    lines = (tmp_path / "events.jsonl").read_text(encoding="utf-8").splitlines()
    event = parse_line(lines[0])
    assert event is not None
    assert (event.kind, event.step, event.total_steps) == (EventKind.STEP, 3, 10)
    assert event.metrics is not None
    assert event.metrics.training_loss == 1.5
