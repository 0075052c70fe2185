"""Memory that runs out in a step: the ladder is climbed down and the training is the same."""

import pytest
import torch

from failures import MemoryExhaustedError
from guarded_steps import GuardedSteps, guarded
from memory_ladder import MemoryLadder, Rung
from packed_trainer import PackedTrainer
from podtune.core.events import EventKind
from support import trainings

CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB."
CPU = "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"


class Failing:
    """Stands between guard and trainer: passes over too many tokens find no memory."""

    limit = 10**9
    at_step = 1
    backward_too = True
    """Half of the gradient is there when the memory runs out."""
    needs_checkpointing = False
    error = staticmethod(lambda: torch.OutOfMemoryError(CUDA))

    def training_step(self, model, inputs, num_items_in_batch=None):
        tokens = inputs["input_ids"].numel()
        due = self.state.global_step + 1 >= self.at_step
        full = self.needs_checkpointing and not self._ladder.rung.checkpointing
        if due and (tokens > self.limit or full):
            if self.backward_too:
                super().training_step(model, inputs, num_items_in_batch)
            raise self.error()
        return super().training_step(model, inputs, num_items_in_batch)


def failing(**options):
    class Limited(Failing, PackedTrainer):
        pass

    for name, value in options.items():
        setattr(Limited, name, value)
    return guarded(Limited)


@pytest.fixture
def train(tiny, tmp_path):
    """Train with a fault; the weights after it, what was told, and the result."""

    def go(name, *, dropout=0.0, **options):
        fault = options.pop("fault", None)
        folder = tmp_path / name
        model = trainings.adapted(tiny, dropout=dropout)
        made = trainings.trainer(folder, model, trainer_class=fault, **options)
        result = trainings.run(folder, made)
        return trainings.weights(model), made, result, trainings.events(folder)

    return go


@pytest.fixture(scope="module")
def undisturbed(tiny, tmp_path_factory):
    """Weights and trainer of a training without a fault."""
    folder = tmp_path_factory.mktemp("whole")
    model = trainings.adapted(tiny)
    made = trainings.trainer(folder, model)
    trainings.run(folder, made)
    return trainings.weights(model), made


def losses(made):
    return [entry["loss"] for entry in made.state.log_history if "loss" in entry]


def same(left, right, tolerance):
    return all(torch.allclose(left[n], right[n], rtol=0, atol=tolerance) for n in right)


@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("limit", [80, 40])
def test_whenever_it_happens_the_training_is_as_if_it_had_not(train, undisturbed, step, limit):
    weights, made = undisturbed
    again, broken, result, events = train("broken", fault=failing(limit=limit, at_step=step))
    assert len(result.ladder) == (1 if limit == 80 else 4)
    assert result.ladder[0]["step"] == step
    assert losses(broken) == pytest.approx(losses(made), rel=1e-5)
    assert same(again, weights, 2e-5)
    warnings = [e.message for e in events if e.kind is EventKind.WARNING]
    assert len(warnings) == len(result.ladder)
    assert f"step {step}" in warnings[0]
    assert "effective batch stays the same" in warnings[0]


def test_at_the_first_step_it_equals_a_run_with_the_final_settings(train, tmp_path):
    fault = failing(limit=70, at_step=1)
    weights, _, result, _ = train("ladder", fault=fault, dropout=0.1)
    assert result.ladder[-1]["passes"] == 2
    (tmp_path / "final" / "work").mkdir(parents=True)
    known = (tmp_path / "ladder" / "work" / "ladder.json").read_text(encoding="utf-8")
    (tmp_path / "final" / "work" / "ladder.json").write_text(known, encoding="utf-8")
    undisturbed, _, _, _ = train("final", dropout=0.1)
    assert all(torch.equal(weights[name], undisturbed[name]) for name in weights)


def test_gradient_checkpointing_comes_when_a_pass_holds_one_row(train, undisturbed):
    whole, _ = undisturbed
    weights, made, result, _ = train("checkpointing", fault=failing(needs_checkpointing=True))
    assert [(e["passes"], e["checkpointing"]) for e in result.ladder] == [(2, False), (2, True)]
    assert made.model.is_gradient_checkpointing
    assert same(weights, whole, 2e-5)


@pytest.mark.parametrize(
    "error", [MemoryError, lambda: RuntimeError(CPU), lambda: torch.OutOfMemoryError(CUDA)]
)
def test_the_devices_memory_and_the_machines_are_both_meant(train, error):
    _, _, result, _ = train("any", fault=failing(limit=80, error=staticmethod(error)))
    assert result.ladder


def test_an_accumulated_gradient_is_gathered_again(train, undisturbed):
    """The second micro-batch of a step fails after the first one's gradient is in."""
    whole, _ = undisturbed

    class Second(Failing, PackedTrainer):
        calls = 0

        def training_step(self, model, inputs, num_items_in_batch=None):
            type(self).calls += 1
            if type(self).calls == 4:
                raise torch.OutOfMemoryError(CUDA)
            return super().training_step(model, inputs, num_items_in_batch)

    weights, _, result, _ = train("second", fault=guarded(Second))
    assert result.ladder == [{"step": 2, "passes": 2, "checkpointing": False}]
    assert same(weights, whole, 2e-5)


def test_tokens_are_counted_once(train, undisturbed):
    _, whole = undisturbed
    _, broken, _, _ = train("broken", fault=failing(limit=80, at_step=3, backward_too=False))
    assert broken.tokens_seen == whole.tokens_seen


def test_when_nothing_helps_the_failure_says_what_was_tried(train, tmp_path):
    with pytest.raises(MemoryExhaustedError, match="gradient checkpointing") as caught:
        train("hopeless", fault=failing(limit=0))
    assert "adapter.kind=qlora" in (caught.value.hint or "")
    assert isinstance(caught.value.__cause__, torch.OutOfMemoryError)


def test_another_fault_is_not_the_ladders_business(train, tmp_path):
    boom = failing(limit=0, error=staticmethod(lambda: RuntimeError("CUDA error: an assert")))
    with pytest.raises(RuntimeError, match="an assert"):
        train("other", fault=boom)
    assert not (tmp_path / "other" / "work" / "ladder.json").exists()


def test_a_later_attempt_begins_on_the_rung(train, tiny, tmp_path):
    train("job", fault=failing(limit=80, at_step=1), max_steps=2)
    ladder = MemoryLadder(tmp_path / "job" / "work")
    assert ladder.rung == Rung(passes=2)
    model = trainings.adapted(tiny)
    made = trainings.trainer(
        tmp_path / "job", model, trainer_class=failing(limit=80, at_step=1), max_steps=4
    )
    result = trainings.run(tmp_path / "job", made)
    assert result.resumed_from_step == 2
    assert len(result.ladder) == 1, "nothing failed again"


def test_one_of_several_processes_cannot_repeat_a_step(tiny, tmp_path):
    made = trainings.trainer(tmp_path, trainings.adapted(tiny), trainer_class=failing(limit=80))
    guard = made.guard

    def together(*arguments):
        guard(*arguments)
        made._alone = False

    made.guard = together
    with pytest.raises(MemoryExhaustedError, match="memory ran out") as caught:
        trainings.run(tmp_path, made)
    assert "podtune resume" in (caught.value.hint or "")
    assert MemoryLadder(tmp_path / "work").rung.passes == 2


def test_the_mixin_comes_before_the_trainer():
    assert guarded(PackedTrainer).__mro__[1:3] == (GuardedSteps, PackedTrainer)
