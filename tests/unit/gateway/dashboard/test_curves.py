"""What events tell over time: figures by step, also of trainings that were resumed, and hostile ones."""

import math
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from podtune.core.events import EventKind, Metrics, TrainingEvent, WorkerResult
from podtune.core.states import WorkerStage
from podtune.gateway.dashboard import curves
from podtune.gateway.dashboard.curves import History, Point
from support import build


def event(seq, kind=EventKind.STEP, attempt=1, **fields):
    stage = fields.pop("stage", WorkerStage.TRAINING)
    moment = build.NOW + timedelta(seconds=seq)
    return TrainingEvent(
        job="j", attempt=attempt, seq=seq, time=moment, kind=kind, stage=stage, **fields
    )


def step(number, loss, attempt=1, **more):
    metrics = Metrics(training_loss=loss, **more)
    return event(number, attempt=attempt, step=number, total_steps=9, metrics=metrics)


def test_figures_stand_by_step():
    history = History()
    assert not history.add([])
    assert history.add([step(1, 3.0, learning_rate=0.1), step(2, 2.0)])
    assert history.points("training_loss") == [Point(1, 3.0), Point(2, 2.0)]
    assert history.points("learning_rate") == [Point(1, 0.1)]
    assert history.total_steps == 9
    assert history.last_time == build.NOW + timedelta(seconds=2)


def test_a_resumed_training_replaces_what_lies_behind_its_checkpoint():
    history = History()
    history.add(step(n, 10.0 - n) for n in range(1, 6))
    held = Metrics(validation_loss=1.0)
    history.add([event(6, EventKind.EVALUATION, step=5, metrics=held)])
    history.add([event(0, EventKind.CHECKPOINT, attempt=2, step=2, message="resumed")])
    assert [p.step for p in history.points("training_loss")] == [1, 2]
    assert not history.points("validation_loss")
    history.add([step(3, 7.5, attempt=2)])
    assert history.points("training_loss")[-1] == Point(3, 7.5)


def test_a_training_that_begins_again_begins_its_curve_again():
    history = History()
    history.add([step(1, 3.0), step(2, 2.0), step(1, 4.0, attempt=2)])
    assert history.points("training_loss") == [Point(1, 4.0)]


def test_an_evaluation_leaves_the_step_it_belongs_to():
    history = History()
    history.add(
        [step(2, 2.0), event(3, EventKind.EVALUATION, step=2, metrics=Metrics(validation_loss=2.5))]
    )
    assert history.points("training_loss") == [Point(2, 2.0)]
    assert history.points("validation_loss") == [Point(2, 2.5)]


def test_figures_that_are_none_are_left_out():
    history = History()
    history.add([step(1, math.nan), step(2, math.inf), event(3, EventKind.STEP)])
    assert not history.points("training_loss")


def test_stages_and_notes():
    history = History()
    done = WorkerResult(ok=False, error_message="no memory")
    history.add(
        [
            event(0, EventKind.STAGE, stage=WorkerStage.LOADING),
            event(1, EventKind.WARNING, message="careful"),
            event(2, EventKind.CHECKPOINT, step=4),
            event(3, EventKind.RESULT, result=done),
        ]
    )
    assert [begun.stage for begun in history.stages] == ["loading", "training"]
    assert [note.text for note in history.notes] == [
        "careful",
        "checkpoint saved, step 4",
        "no memory",
    ]


def test_notes_are_bounded():
    history = History()
    history.add(event(n, EventKind.WARNING, message="again") for n in range(2 * curves.MOST_NOTES))
    assert len(history.notes) == curves.MOST_NOTES


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=900), st.integers(4, 60))
def test_a_thinned_curve_keeps_its_ends_and_its_reach(values, most):
    points = [Point(n, value) for n, value in enumerate(values)]
    kept = curves.thinned(points, most)
    assert len(kept) <= most
    assert set(kept) <= set(points)
    assert (kept[0], kept[-1]) == (points[0], points[-1])
    assert [p.step for p in kept] == sorted({p.step for p in kept})
    inner = values[1:-1]
    if len(points) > most and min(inner) < max(inner):
        assert {min(inner), max(inner)} <= {p.value for p in kept}


def test_all_curves_for_programs():
    history = History()
    history.add([step(1, 3.0)])
    told = curves.as_json(history)
    assert told["training_loss"] == [[1, 3.0]]
    assert set(told) == set(curves.SERIES)
