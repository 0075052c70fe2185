"""The plan's settings reach the Trainer, and the learning rate goes the way that was asked for."""

import pytest
import torch

import optimisation
import packed_trainer
import preference_trainer
from failures import PlanMismatchError
from podtune.core.job import WorkerOrder
from podtune.core.spec import Method
from podtune.data.masks import Example
from podtune.data.preferences import Pair, Rated
from process_group import QuietWriter
from training_run import Run


@pytest.fixture
def run(trained, tmp_path):
    order = WorkerOrder.model_validate_json((trained / "order.json").read_text())
    return Run(order, tmp_path, QuietWriter())


def changed(run, **training):
    spec = run.spec.model_copy(update={"training": run.spec.training.model_copy(update=training)})
    return with_spec(run, spec)


def with_spec(run, spec):
    plan = run.plan.model_copy(update={"spec": spec})
    return run._replace(order=run.order.model_copy(update={"plan": plan}))


def rates(run, steps):
    """The learning rate before each step, as transformers' schedule gives it."""
    from transformers import get_scheduler

    arguments = optimisation.arguments(run, has_validation=False, steps=steps)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=arguments.learning_rate)
    schedule = get_scheduler(
        arguments.lr_scheduler_type, optimizer, arguments.get_warmup_steps(steps), steps
    )
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_warm_up_in_steps_wins_over_the_share(run):
    peak = float(run.spec.training.learning_rate)
    ramp = rates(changed(run, warmup_steps=4, warmup_ratio=0.5), 12)
    assert ramp[:5] == pytest.approx([0, peak / 4, peak / 2, 3 * peak / 4, peak])
    assert ramp[5:] == sorted(ramp[5:], reverse=True)


def test_warm_up_as_a_share(run):
    peak = float(run.spec.training.learning_rate)
    assert rates(changed(run, warmup_ratio=0.25), 8)[:3] == pytest.approx([0, peak / 2, peak])


def test_no_warm_up_begins_at_the_peak(run):
    assert rates(changed(run, warmup_steps=0), 4)[0] == float(run.spec.training.learning_rate)


def test_nothing_is_cast_behind_the_models_back(run):
    for precision in ("fp32", "bf16", "fp16"):
        arguments = optimisation.arguments(
            changed(run, precision=precision), has_validation=True, steps=8
        )
        assert (arguments.fp16, arguments.bf16) == (False, False)


def test_checkpointing_is_on_only_where_it_is_planned(run):
    for wanted in (True, False):
        arguments = optimisation.arguments(
            changed(run, gradient_checkpointing=wanted), has_validation=False, steps=8
        )
        assert arguments.activation_checkpointing is wanted


def test_steps_must_be_the_plans(run):
    rows = run.plan.schedule.rows_per_epoch
    steps, _ = optimisation.total_steps(run, rows)
    assert steps == run.plan.schedule.steps
    with pytest.raises(PlanMismatchError, match="planned were"):
        optimisation.total_steps(run, 7 * rows)


def document(length, line=1):
    return Example(tuple(range(3, 3 + length)), (-100, *range(4, 3 + length)), line)


@pytest.mark.parametrize("method", Method)
def test_each_method_has_its_rows_and_its_trainer(run, method):
    spec = run.spec.model_copy(update={"method": method})
    units = {
        "dpo": [Pair(document(5), document(6), 1)],
        "orpo": [Pair(document(5), document(6), 1)],
        "kto": [Rated(document(5), True, 1), Rated(document(6, 2), False, 2)],
    }.get(method, [document(5), document(6)])
    packed = [list(range(len(units)))]
    rows = optimisation.training_rows(with_spec(run, spec), units, packed)
    assert rows[0].lengths == [5, 6]

    class Data:
        train = units

    kind, options = optimisation._trainer_of(with_spec(run, spec), Data)
    assert issubclass(kind, packed_trainer.PackedTrainer)
    assert (kind is preference_trainer.TRAINERS.get(method)) is method.is_preference
    assert ("beta" in options) is method.is_preference
