"""A Trainer's steps that survive a lack of memory and can be broken off without loss.

`GuardedSteps` stands before a Trainer in the list of bases. It changes nothing while nothing fails:
the batches, their order and the gradients are the Trainer's own.
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch

import memory_ladder
import process_group
import random_state
import restarts
from failures import MemoryExhaustedError, is_out_of_memory
from memory_ladder import MemoryLadder
from podtune.data.masks import IGNORED
from progress import EventWriter
from shutdown import Shutdown

NOTES = ("_notes",)
"""What trainers count in their passes (`PreferenceTrainer`); a repeated step counts once."""


class GuardedSteps:
    """Mixin for a Trainer whose batches can be split.

    `parts(inputs, passes)` gives a micro-batch as so many smaller ones (or fewer), whose losses
    with the same `num_items_in_batch` add up to its own; `units(inputs)` how many there can be.
    """

    def guard(self, stop: Shutdown, ladder: MemoryLadder, events: EventWriter) -> None:
        """Take what the guards need. Without this call there are none.

        Args:
            stop: Tells when the process is asked to end.
            ladder: What to do when memory runs out.
            events: Warnings go there.
        """
        self._stop, self._ladder, self._events = stop, ladder, events
        self._alone = process_group.member().is_alone
        if ladder.rung.checkpointing and not self.args.activation_checkpointing:
            memory_ladder.keep_inputs_only(self.model)

    _stop: Shutdown | None = None
    _ladder: MemoryLadder | None = None
    _events: EventWriter | None = None
    _alone = True
    _step_inputs: list[Any]
    """Micro-batches of this optimizer step whose gradients are in already."""
    _step_random: random_state.RandomState
    _step_notes: dict[str, Any]

    def get_batch_samples(self, *arguments: Any) -> Any:
        """As the Trainer; an optimizer step begins."""
        self._step_inputs = []
        return super().get_batch_samples(*arguments)

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Forward and backward of one micro-batch.

        Raises:
            MemoryExhaustedError: on the last rung of the ladder too.
            Interrupted: the process was asked to end.
        """
        if not self._step_inputs:
            self._step_random = random_state.take()
            self._step_notes = {name: getattr(self, name) for name in NOTES if hasattr(self, name)}
        with self._breakable():
            loss = self._within_memory(model, inputs, num_items_in_batch)
        self._step_inputs.append(inputs)
        return loss

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        """As the Trainer; nothing changes here that could be left half done."""
        with self._breakable():
            return super().evaluate(*arguments, **options)

    @contextmanager
    def _breakable(self) -> Generator[None]:
        if self._stop is None or not self._alone:  # several processes stop between steps
            yield
            return
        with self._stop.rising():
            yield

    def _within_memory(self, model: Any, inputs: dict[str, Any], items: Any) -> torch.Tensor:
        """The micro-batch, and after a lack of memory the whole step up to it once more."""
        begin_again = False
        while True:
            try:
                if begin_again:
                    self._repeat_step(model, items)
                return self._passes(model, inputs, items)
            except Exception as error:
                if self._ladder is None or not is_out_of_memory(error):
                    raise
                self._descend(inputs, error)
            # Out of the handler, so that the frames of the failed pass are gone.
            begin_again = True
            release_memory()

    def _passes(self, model: Any, inputs: dict[str, Any], items: Any) -> torch.Tensor:
        passes = self._ladder.rung.passes if self._ladder is not None else 1
        if passes == 1:
            return super().training_step(model, inputs, items)
        parts = self.parts(inputs, passes)
        if not self._alone:  # the others wait in every pass
            parts += [_blank(parts[0])] * (passes - len(parts))
        losses: list[torch.Tensor] = []
        for part in parts:
            losses.append(super().training_step(model, part, items))
        return torch.stack(losses).sum()

    def _repeat_step(self, model: Any, items: Any) -> None:
        """Drop the gradient of the step and gather it again, drawing the same random numbers."""
        model.zero_grad()
        random_state.put_back(self._step_random)
        for name, value in self._step_notes.items():
            setattr(self, name, value)
        for inputs in self._step_inputs:
            self._passes(model, inputs, items)

    def _descend(self, inputs: dict[str, Any], error: Exception) -> None:
        """The next rung, told and remembered.

        Raises:
            MemoryExhaustedError: there is none, or other processes take part in the step: it cannot
                be done again by one of them.
        """
        ladder, step = self._ladder, self.state.global_step + 1
        assert ladder is not None and self._events is not None  # noqa: PT018 - see guard
        what = f"the memory ran out at step {step} ({inputs['input_ids'].numel():,} tokens in "
        what += f"{self.units(inputs)} documents)"
        had = ladder.rung.checkpointing
        if not ladder.descend(step, self.args.per_device_train_batch_size, self.units(inputs)):
            raise MemoryExhaustedError(
                f"{what}, even with {ladder.words()}",
                hint="train with shorter rows (--set training.max_length=N), a base in 4 bits "
                "(--set adapter.kind=qlora), a smaller base model or more memory",
            ) from error
        told = f"{what}; it goes on with {ladder.words()}, the effective batch stays the same"
        if not self._alone:
            self._begin_again_together(told, error)
        if ladder.rung.checkpointing and not had:
            memory_ladder.keep_inputs_only(self.model)
        self._events.warning(told)

    def _begin_again_together(self, told: str, error: Exception) -> None:
        """Several processes: all of them begin again from the last checkpoint, on the next rung.

        Raises:
            MemoryExhaustedError: there is nobody who would start them again.
        """
        me = process_group.member()
        if me.launched and me.local_world == me.world:
            print(told, flush=True)  # noqa: T201 - into the log: this process may be a silent one
            restarts.again(alone=False)
        raise MemoryExhaustedError(told, hint="run `podtune resume JOB`") from error


def guarded(kind: type) -> Any:
    """A Trainer's class with guarded steps."""
    return type(f"Guarded{kind.__name__}", (GuardedSteps, kind), {})


def _blank(part: dict[str, Any]) -> dict[str, Any]:
    """A batch that goes through the model and trains nothing."""
    return part | {
        "labels": torch.full_like(part["labels"], IGNORED),
        "trained_positions": part["trained_positions"][:0],
    }


def release_memory() -> None:
    """Give back what the failed pass held, and what the allocator keeps in pieces."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
