"""Events folded into what a screen, a status or a receipt needs."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from podtune.core.events import EventKind, Metrics, Task, TrainingEvent
from podtune.core.progress import Folded, Folding, fold
from podtune.core.states import JobPhase, WorkerStage
from podtune.core.wire import percent
from support import build

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def event(kind, stage=WorkerStage.TRAINING, *, attempt=1, seconds=0, **fields):
    return TrainingEvent(
        job="demo",
        attempt=attempt,
        seq=0,
        time=NOW + timedelta(seconds=seconds),
        kind=kind,
        stage=stage,
        **fields,
    )


def step(n, loss, attempt=1, **metrics):
    return event(
        EventKind.STEP,
        attempt=attempt,
        step=n,
        total_steps=10,
        epoch=n / 5,
        metrics=Metrics(training_loss=loss, **metrics),
    )


def resumed(n, attempt=2):
    return event(EventKind.CHECKPOINT, attempt=attempt, step=n, message="resumed")


def test_nothing_is_nothing():
    assert fold([]) == Folded()
    assert fold([]).progress().stage is None


def test_steps_make_the_curve():
    found = fold([step(1, 3.0), step(2, 2.0)])
    assert found.losses == ((1, 3.0), (2, 2.0))
    assert (found.step, found.total_steps, found.epoch) == (2, 10, 0.4)
    assert found.first_loss == 3.0
    assert found.metrics.training_loss == 2.0


def test_an_evaluation_keeps_the_training_loss():
    held = event(EventKind.EVALUATION, step=2, metrics=Metrics(validation_loss=2.5))
    found = fold([step(2, 2.0), held])
    assert (found.metrics.training_loss, found.metrics.validation_loss) == (2.0, 2.5)
    assert found.losses == ((2, 2.0),)


def test_folding_in_parts_is_folding_at_once():
    events = [step(1, 3.0), resumed(0), step(1, 2.5, attempt=2), step(2, 2.0, attempt=2)]
    parts = None
    for one in events:
        parts = fold([one], parts)
    assert parts == fold(events)


def test_a_resumed_attempt_keeps_the_curve_up_to_its_checkpoint():
    first = [step(n, 4.0 - n / 10) for n in range(1, 7)]
    found = fold([*first, resumed(4), step(5, 9.0, attempt=2)])
    assert found.losses == (*((n, 4.0 - n / 10) for n in range(1, 5)), (5, 9.0))
    assert (found.attempt, found.resumed_from) == (2, 4)
    assert found.first_loss == 3.9


def test_the_step_stands_at_the_checkpoint_after_a_resume():
    assert fold([step(6, 1.0), resumed(4)]).step == 4


def test_an_attempt_that_begins_anew_has_a_curve_of_its_own():
    found = fold([step(1, 3.0), step(2, 2.0), step(1, 5.0, attempt=2)])
    assert found.losses == ((1, 5.0),)
    assert found.first_loss == 5.0
    assert found.resumed_from is None


def test_warnings_and_facts_are_those_of_the_attempt():
    events = [
        event(EventKind.WARNING, message="a"),
        event(EventKind.FACTS, facts={"x": 1, "y": 1}),
        event(EventKind.FACTS, facts={"x": 2}),
    ]
    found = fold(events)
    assert (found.warnings, found.facts) == (("a",), {"x": 2, "y": 1})
    later = fold([event(EventKind.STAGE, attempt=2)], found)
    assert (later.warnings, later.facts) == ((), {})


def test_a_task_is_forgotten_with_its_stage():
    task = Task(name="download", done=5, total=10)
    loading = fold([event(EventKind.TASK, WorkerStage.DOWNLOADING, task=task)])
    assert loading.progress().task_done == 0.5
    after = fold([event(EventKind.STAGE, WorkerStage.LOADING)], loading)
    assert (after.stage, after.task, after.progress().task_done) == (
        WorkerStage.LOADING,
        None,
        None,
    )


@pytest.mark.parametrize("total", [None, 0])
def test_a_task_without_a_total_has_no_share(total):
    task = Task(name="convert", done=5, total=total)
    assert fold([event(EventKind.TASK, task=task)]).progress().task_done is None


FACTS = {"train_tokens": 1000, "steps_per_epoch": 5}


def test_the_time_left_is_the_steps_left_at_the_present_speed():
    found = fold([event(EventKind.FACTS, facts=FACTS), step(4, 2.0, throughput=100.0)])
    assert found.eta_seconds() == (10 - 4) * (1000 / 5) / 100
    assert found.progress().eta_seconds == found.eta_seconds()


@pytest.mark.parametrize(
    "events",
    [
        [step(4, 2.0, throughput=100.0)],
        [event(EventKind.FACTS, facts=FACTS), step(4, 2.0)],
        [event(EventKind.FACTS, facts=FACTS)],
    ],
)
def test_the_time_left_is_never_invented(events):
    assert fold(events).eta_seconds() is None


def test_the_last_sign_of_life_is_kept():
    found = fold([event(EventKind.STAGE, seconds=1), event(EventKind.STAGE, seconds=7)])
    assert found.last_time == NOW + timedelta(seconds=7)


def test_progress_never_falls_between_tasks_nor_after_a_resume():
    def task(seq, name, done, attempt=1):
        return TrainingEvent(
            job="demo", attempt=attempt, seq=seq, time=NOW, kind=EventKind.TASK,
            stage=WorkerStage.LOADING, task=Task(name=name, done=done, total=1),
        )  # fmt: skip

    training = TrainingEvent(
        job="demo", attempt=1, seq=4, time=NOW, kind=EventKind.STEP,
        stage=WorkerStage.TRAINING, step=9, total_steps=10, metrics=Metrics(training_loss=1.0),
    )  # fmt: skip
    events = [
        task(0, "tokenise", 1), task(1, "load", 0), task(2, "load", 1), task(3, "answers", 0),
        training, task(0, "tokenise", 0, attempt=2), task(1, "tokenise", 1, attempt=2),
    ]  # fmt: skip
    state, seen = Folded(), []
    for event in events:
        state = fold([event], state)
        seen.append(percent(build.job(phase=JobPhase.TRAINING), state.progress()))
    assert seen == sorted(seen)
    assert seen[0] > 0
    assert 80 < seen[-1] < 100


def test_events_that_a_gap_held_back_bring_their_facts_and_nothing_else():
    late = event(EventKind.FACTS, facts={"train_tokens": 7, "steps": 1})
    older = event(EventKind.WARNING, message="careful")
    figures = step(2, 9.0)
    newest = [
        step(1, 3.0).model_copy(update={"seq": 1}),
        event(EventKind.FACTS, facts={"steps": 10}).model_copy(update={"seq": 8}),
        step(8, 1.0).model_copy(update={"seq": 9}),
    ]
    found = fold([*newest, late, older, figures])
    assert (found.step, found.metrics.training_loss) == (8, 1.0)
    assert found.facts == {"steps": 10, "train_tokens": 7}
    assert found.warnings == ("careful",)


def test_a_long_training_is_folded_in_time_that_grows_with_it():
    """What grows is added to in place: by copies, 40,000 warnings took 10 s of the driver's only loop."""
    events = [event(EventKind.WARNING, message="w")] * 40_000
    began = time.process_time()
    folded = fold(events)
    assert len(folded.warnings) == 40_000
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "facts",
    [
        {"train_tokens": "many", "steps_per_epoch": "few"},
        {"train_tokens": [], "steps_per_epoch": {}},
        {"train_tokens": 10**400, "steps_per_epoch": 1},
        {"train_tokens": 10, "steps_per_epoch": 0},
        {"train_tokens": float("nan"), "steps_per_epoch": float("inf")},
    ],
)
def test_facts_that_are_no_figures_tell_no_time_that_is_left(facts):
    told = fold([step(1, 2.0, throughput=5.0), event(EventKind.FACTS, facts=facts)])
    assert told.progress().eta_seconds is None


def test_folded_further_each_time_is_the_same_without_its_curve():
    told = [
        step(1, 2.0),
        step(2, 1.5),
        event(EventKind.WARNING, message="odd"),
        resumed(1),
        step(2, 1.2, attempt=2),
    ]
    folding = Folding()
    for one in told:
        folding.take([one])
    whole = fold(told)
    assert folding.brief() == whole._replace(losses=())
    assert folding.size == len(whole.losses) == 2
