"""transformers' Trainer on packed rows: exact document bounds, loss on trained positions only.

Checkpoints, bit-equal resume, accumulation and callbacks are the Trainer's own; what is ours is
the batch, the loss (a mean over the trained tokens of the whole optimizer step, over all
micro-batches and processes) and an evaluation weighted by tokens (the stock one averages rows).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import torch
from transformers import Trainer

import evaluation
import leak_guard
import memory_ladder
import process_group
import row_dealing
import sharding
from packed_rows import PackedRow, collate, lay_out
from token_scores import TokenScorer, TokenScores, scorer_of

__all__ = ["PackedRow", "PackedTrainer", "collate", "lay_out", "token_loss"]

WHOLE = TokenScorer()


def token_loss(
    model: Any, batch: dict[str, Any], scorer: TokenScorer = WHOLE
) -> tuple[torch.Tensor, int, TokenScores]:
    """Summed negative log-likelihood of the trained tokens, how many they are, and each one's."""
    scores = scorer.score(model, batch)
    return -scores.log_probs.sum(), scores.log_probs.numel(), scores


class PackedTrainer(Trainer):
    """Trains on `PackedRow`s."""

    pack: Callable[..., dict[str, Any]] = staticmethod(collate)
    """Rows -> batch."""

    def __init__(
        self, *arguments: Any, apart: bool = False, piece_bytes: int | None = None, **options: Any
    ) -> None:
        """As transformers.Trainer; the collator is ours.

        Args:
            arguments: As transformers.Trainer.
            apart: One forward for each document (`leak_guard` tells which models need it).
            piece_bytes: Logits held at once (`token_scores.PIECE_BYTES`).
            options: As transformers.Trainer.
        """
        hybrid = leak_guard.is_hybrid(options["model"].config)
        pack = partial(self.pack, sequence_index=hybrid and not apart)
        super().__init__(*arguments, data_collator=pack, **options)
        self.model_accepts_loss_kwargs = True  # the loss is divided by the step's weight here
        self.tokens_seen = 0
        pieces = {} if piece_bytes is None else {"piece_bytes": piece_bytes}
        self.scorer = scorer_of(self.model, tokens=self.largest_batch(), apart=apart, **pieces)
        self._step_weight = 1.0
        self._divides_later = False

    def train(self, *arguments: Any, **options: Any) -> Any:
        """As transformers.Trainer; in fp16 the gradients are divided where they are fp32."""
        handles = _divide_gradients(self.model, lambda: self._step_weight)
        self._divides_later = bool(handles)
        try:
            return super().train(*arguments, **options)
        finally:
            self._divides_later = False
            for handle in handles:
                handle.remove()

    def loss_of(self, model: Any, batch: dict[str, Any]) -> torch.Tensor:
        """Summed loss of a batch; divided by the step's weight it is the step's mean."""
        return token_loss(model, batch, self.scorer)[0]

    def weight_of(self, batch: dict[str, Any]) -> int:
        """What a batch contributes to the divisor: its trained tokens."""
        return batch["trained_positions"].numel()

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Any]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], float]:
        """The batches of one optimizer step, and its weight over all processes."""
        del device
        batches = list(islice(epoch_iterator, num_batches))
        dealt = [batch for batch in batches if not row_dealing.is_blank(batch)]
        weight, tokens = process_group.total(
            sum(self.weight_of(batch) for batch in dealt),
            sum(batch["input_ids"].numel() for batch in dealt),
        )
        self.tokens_seen += int(tokens)
        return batches, max(1.0, weight)

    def get_train_dataloader(self) -> Any:
        """The rows of each optimizer step, the same ones however many processes share them."""
        rows: Any = self.train_dataset
        pack: Any = self.data_collator
        deal = row_dealing.Deal(
            rows=len(rows),
            micro_batch=self.args.per_device_train_batch_size,
            accumulation=self.args.gradient_accumulation_steps,
            world=self.args.world_size,
            rank=self.args.process_index,
            seed=self.args.seed,
        )
        return row_dealing.DealtRows(rows, deal, pack, row_dealing.blank(rows))

    def _wrap_model(self, model: Any, training: bool = True, dataloader: Any = None) -> Any:
        """As transformers.Trainer; accelerate does not wrap a model that is spread."""
        if training and model is self.model and sharding.is_spread(model):
            return sharding.replicated(model)
        return super()._wrap_model(model, training, dataloader)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: float | None = None,
        **_: Any,
    ) -> Any:
        """This batch's part of the mean over the whole optimizer step.

        The processes' gradients are averaged, so each part counts once more for every process.
        """
        weight = num_items_in_batch or max(1, self.weight_of(inputs))
        self._step_weight = weight / process_group.member().world
        if row_dealing.is_blank(inputs):
            total = self.scorer.score(model, row_dealing.plain(inputs)).log_probs.sum()
        else:
            total = self.loss_of(model, inputs)
        divide = _DividedLater.apply if self._divides_later else torch.div
        loss: Any = divide(total, self._step_weight)
        return (loss, None) if return_outputs else loss

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Mean loss over the held-out rows, each counted once over all processes."""
        del ignore_keys
        rows: Any = self.eval_dataset if eval_dataset is None else eval_dataset
        with evaluation.at_rest(self.model):
            measured = self.measure(rows)
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in measured.items()}
        self.log(dict(metrics))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def measure(self, rows: Sequence[Any]) -> dict[str, float]:
        """Figures over held-out rows; `loss` is among them."""

        def of_row(row: Any) -> torch.Tensor:
            batch = self.batch_of([row])
            loss = self.loss_of(self.model, batch)
            return torch.stack([loss, loss.new_tensor(self.weight_of(batch))])

        loss, weight = evaluation.sums(rows, of_row)
        return {"loss": loss / max(1.0, weight)}

    def parts(self, inputs: dict[str, Any], passes: int) -> list[dict[str, Any]]:
        """A batch as so many smaller ones (or fewer); their losses add up to its own."""
        return [self.batch_of([row]) for row in memory_ladder.split(inputs, passes)]

    def units(self, inputs: dict[str, Any]) -> int:
        """Into how many parts a batch can be split at most."""
        return len(memory_ladder.lengths_of(inputs))

    def batch_of(self, rows: Sequence[Any]) -> dict[str, Any]:
        """Rows as one batch on the model's device."""
        pack: Any = self.data_collator
        return self._prepare_inputs(pack(rows))

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the stock way walks over all parameters at every batch."""
        del inputs
        return 0

    def largest_batch(self) -> int:
        """Tokens of the largest batch that can come."""
        rows: list[Any] = [*(self.train_dataset or ()), *(self.eval_dataset or ())]
        longest = max((sum(row.lengths) for row in rows), default=0)
        return longest * self.args.per_device_train_batch_size


class _DividedLater(torch.autograd.Function):
    """A mean whose gradient is that of the sum; parameter hooks divide it, in fp32.

    In fp16 a gradient of 1/n of a token's loss falls below 6e-8 and is lost on its way back
    through the activations; the sum's has the same size for every n.
    """

    @staticmethod
    def forward(ctx: Any, total: torch.Tensor, divisor: float) -> torch.Tensor:
        del ctx
        return total / divisor

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        del ctx
        return gradients[0], None


def _divide_gradients(model: Any, divisor: Callable[[], float]) -> list[Any]:
    """Hook the division into the trained parameters of a model that computes in fp16.

    Returns:
        The hooks' handles; none where the model computes in another precision.
    """
    if not any(p.dtype == torch.float16 for p in model.parameters()):
        return []
    return [
        parameter.register_hook(lambda gradient: gradient / divisor())
        for parameter in model.parameters()
        if parameter.requires_grad
    ]
