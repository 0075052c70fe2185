"""DPO, ORPO and KTO on packed rows: the same trainer, other losses.

The reference is the model before the training: its log-probabilities are computed once, with the
adapter off and before the first step, and travel with the rows. So no second model is held, also
where every weight is trained.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import torch

import evaluation
import preference_losses as losses
import process_group
import row_dealing
from packed_trainer import PackedTrainer
from preference_rows import PreferenceRow, collate_preferences, in_parts, units_of

NOTES = ("good", "bad", "goods", "bads", "right", "pairs")
"""What is summed for the log: rewards of good and bad answers, how many there were, and of pairs
how many have the better answer rewarded more."""
EXTRAS = ("good", "reference", "unrelated", "unrelated_reference")


class PreferenceTrainer(PackedTrainer):
    """What the three methods share: scores of documents, the reference, figures for the log."""

    pack = staticmethod(collate_preferences)
    needs_reference = True
    documents_a_unit = 2
    """A pair is two documents; rated answers stand alone."""

    def __init__(
        self,
        *arguments: Any,
        beta: float,
        progress: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> None:
        """As `PackedTrainer`, on `PreferenceRow`s.

        Args:
            arguments: As `PackedTrainer`.
            beta: Strength of the preference, or how closely the reference is kept to.
            progress: Told how many rows of how many the reference has been computed for.
            options: As `PackedTrainer`.
        """
        super().__init__(*arguments, **options)
        self.beta = beta
        self._progress = progress or (lambda done, total: None)
        self._notes = torch.zeros(len(NOTES))

    def train(self, *arguments: Any, **options: Any) -> Any:
        """As `PackedTrainer.train`, after the reference is known."""
        self.prepare_reference()
        return super().train(*arguments, **options)

    def prepare_reference(self) -> None:
        """Let every row know the log-probabilities of its answers before the training.

        One forward over all rows, shared among the processes; rows that know them are left.
        """
        for name in ("train_dataset", "eval_dataset") if self.needs_reference else ():
            rows = getattr(self, name)
            if rows and not all(row.reference for row in rows):
                setattr(self, name, self._referenced(rows))

    def largest_batch(self) -> int:
        """As `PackedTrainer.largest_batch`; unrelated answers may make longer ones."""
        rows = [*(self.train_dataset or ()), *(self.eval_dataset or ())]
        others = [sum(row.unrelated.lengths) for row in rows if row.unrelated]
        return max([super().largest_batch(), *others])

    def _referenced(self, rows: Sequence[PreferenceRow]) -> list[PreferenceRow]:
        base = getattr(self.model, "disable_adapter", nullcontext)
        with evaluation.at_rest(self.model), base():
            known = evaluation.collect(rows, self._sums_of, self._progress)
        return [
            row._replace(reference=tuple(own), unrelated_reference=tuple(other))
            for row, (own, other) in zip(rows, known, strict=True)
        ]

    def _sums_of(self, row: PreferenceRow) -> tuple[list[float], list[float]]:
        batch = self.batch_of([row])
        own, _ = self.sums(self.model, batch)
        if "unrelated" not in batch:
            return own.tolist(), []
        other, _ = self.sums(self.model, batch["unrelated"])
        return own.tolist(), other.tolist()

    def weight_of(self, batch: dict[str, Any]) -> int:
        """Pairs or rated answers; none in a batch that stands in for a missing one."""
        trains = batch["trained_positions"].numel() > 0
        return trains * documents_in(batch) // self.documents_a_unit

    def parts(self, inputs: dict[str, Any], passes: int) -> list[dict[str, Any]]:
        """A batch as so many smaller ones (or fewer), cut between pairs."""
        units = units_of(inputs, self.documents_a_unit)
        return [self.batch_of(units[part]) for part in in_parts(len(units), passes)]

    def units(self, inputs: dict[str, Any]) -> int:
        """Into how many parts a batch can be split at most."""
        return documents_in(inputs) // self.documents_a_unit

    def sums(self, model: Any, batch: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Summed log-probability of each document's answer, and its tokens; both [documents]."""
        inputs = {name: value for name, value in batch.items() if name not in EXTRAS}
        return self.scorer.score(model, inputs).by_document(documents_in(batch))

    def note(self, rewards: torch.Tensor, good: torch.Tensor, *, paired: bool = True) -> None:
        """Keep figures of a training batch for the next log, without waiting for the device."""
        model: Any = self.model
        if not model.training:
            return
        rewards = rewards.detach()
        values = [
            (rewards * good).sum(),
            (rewards * ~good).sum(),
            good.sum(),
            (~good).sum(),
            (rewards[0::2] > rewards[1::2]).sum() if paired else good.new_zeros(()),
            good.sum() if paired else good.new_zeros(()),
        ]
        self._notes = self._notes.to(rewards.device) + torch.stack([v.float() for v in values])

    def log(self, logs: dict[str, float], *arguments: Any, **options: Any) -> None:
        """As transformers.Trainer, with the rewards since the last log."""
        if "loss" in logs:
            summed = process_group.total(*self._notes.tolist())
            self._notes = torch.zeros(len(NOTES))
            logs |= figures(dict(zip(NOTES, summed, strict=True)))
        super().log(logs, *arguments, **options)


class DPOTrainer(PreferenceTrainer):
    """Direct preference optimisation; a row holds pairs."""

    def loss_of(self, model: Any, batch: dict[str, Any]) -> torch.Tensor:
        """Summed loss of the batch's pairs."""
        sums, _ = self.sums(model, batch)
        reference = batch["reference"]
        self.note(self.beta * (sums - reference), batch["good"])
        return losses.dpo(sums[0::2], sums[1::2], reference[0::2], reference[1::2], self.beta).sum()


class ORPOTrainer(PreferenceTrainer):
    """Odds-ratio preference optimisation; a row holds pairs, there is no reference."""

    needs_reference = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """As `PreferenceTrainer`; beta is the weight of the odds ratio."""
        super().__init__(*arguments, **options)
        self._tokens_a_pair: float | None = None

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Any]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], float]:
        """The step's batches; the likelihood is averaged over their better answers' tokens."""
        batches, pairs = super().get_batch_samples(epoch_iterator, num_batches, device)
        (tokens,) = process_group.total(sum(_better_tokens(batch) for batch in batches))
        self._tokens_a_pair = max(1.0, tokens) / pairs
        return batches, pairs

    def loss_of(self, model: Any, batch: dict[str, Any]) -> torch.Tensor:
        """Summed over pairs: likelihood of the better answer, and the odds-ratio term."""
        sums, counts = self.sums(model, batch)
        means = sums / counts.clamp(min=1)
        self.note(self.beta * means, batch["good"])
        each = self._tokens_a_pair or _better_tokens(batch) / self.weight_of(batch)
        ratio = losses.orpo(means[0::2], means[1::2])
        return -sums[0::2].sum() / each + self.beta * ratio.sum()

    def measure(self, rows: Sequence[PreferenceRow]) -> dict[str, float]:
        """As `PackedTrainer.measure`, averaged over these rows' tokens and pairs."""
        batches = [collate_preferences([row]) for row in rows]
        pairs = sum(self.weight_of(batch) for batch in batches)
        before = self._tokens_a_pair
        self._tokens_a_pair = sum(_better_tokens(batch) for batch in batches) / max(1, pairs)
        try:
            return super().measure(rows)
        finally:
            self._tokens_a_pair = before


class KTOTrainer(PreferenceTrainer):
    """Kahneman-Tversky optimisation; a row holds answers rated good or bad."""

    documents_a_unit = 1

    def __init__(
        self, *arguments: Any, weights: losses.Weights = losses.EQUAL, **options: Any
    ) -> None:
        """As `PreferenceTrainer`.

        Args:
            arguments: As `PreferenceTrainer`.
            weights: Of good and bad answers (`preference_losses.kto_weights`).
            options: As `PreferenceTrainer`.
        """
        super().__init__(*arguments, **options)
        self.weights = weights
        self._divergence: float | None = None

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Any]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], float]:
        """The step's batches; the divergence is measured over all of them and all processes.

        So it does not depend on how the step is cut into batches.
        """
        batches, count = super().get_batch_samples(epoch_iterator, num_batches, device)
        with torch.no_grad(), evaluation.at_rest(self.model):
            parts = [self._drift(self._prepare_inputs(batch)) for batch in batches]
        counts = [0 if row_dealing.is_blank(batch) else 1 for batch in batches]
        drift = sum(float(part) * count for part, count in zip(parts, counts, strict=True))
        answers = sum(documents_in(b) * n for b, n in zip(batches, counts, strict=True))
        summed, answers = process_group.total(drift, answers)
        self._divergence = max(0.0, summed / max(1.0, answers))
        return batches, count

    def loss_of(self, model: Any, batch: dict[str, Any]) -> torch.Tensor:
        """Summed loss of the batch's documents."""
        sums, _ = self.sums(model, batch)
        ratios = sums - batch["reference"]
        self.note(self.beta * ratios, batch["good"], paired=False)
        divergence = self._divergence
        if divergence is None:  # asked outside of a step: this batch is all there is
            with torch.no_grad():
                divergence = max(0.0, float(self._drift(batch)) / documents_in(batch))
        return losses.kto(ratios, batch["good"], divergence, self.beta, self.weights).sum()

    def measure(self, rows: Sequence[PreferenceRow]) -> dict[str, float]:
        """As `PackedTrainer.measure`, with the divergence over these rows."""

        def of_row(row: PreferenceRow) -> torch.Tensor:
            drift = self._drift(self.batch_of([row]))
            return torch.stack([drift, drift.new_tensor(len(row.lengths))])

        summed, answers = evaluation.sums(rows, of_row)
        before, self._divergence = self._divergence, max(0.0, summed / max(1.0, answers))
        try:
            return super().measure(rows)
        finally:
            self._divergence = before

    def _drift(self, batch: dict[str, Any]) -> torch.Tensor:
        """Summed log-ratio of the unrelated answers: what the divergence is the mean of."""
        sums, _ = self.sums(self.model, batch["unrelated"])
        return (sums - batch["unrelated_reference"]).sum()


TRAINERS: dict[str, type[PreferenceTrainer]] = {
    "dpo": DPOTrainer,
    "orpo": ORPOTrainer,
    "kto": KTOTrainer,
}
"""By the spec's `method`."""


def documents_in(batch: dict[str, Any]) -> int:
    """How many documents a flat batch holds."""
    return len(batch["cu_seq_lens_q"]) - 1 if "cu_seq_lens_q" in batch else 1


def figures(notes: dict[str, float]) -> dict[str, float]:
    """What the log says of a stretch of training, in TRL's names."""
    said: dict[str, float] = {}
    if notes["goods"]:
        said["rewards/chosen"] = notes["good"] / notes["goods"]
    if notes["bads"]:
        said["rewards/rejected"] = notes["bad"] / notes["bads"]
    if len(said) == 2:
        said["rewards/margins"] = said["rewards/chosen"] - said["rewards/rejected"]
    if notes["pairs"]:
        said["rewards/accuracies"] = notes["right"] / notes["pairs"]
    return said


def _better_tokens(batch: dict[str, Any]) -> int:
    """Trained tokens of the better answers."""
    keep, ends = batch["trained_positions"], batch["cu_seq_lens_q"][1:].long()
    documents = torch.bucketize(keep, ends, right=True)
    return int((documents % 2 == 0).sum())
