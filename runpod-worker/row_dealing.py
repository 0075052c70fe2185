"""Deals the rows of every optimizer step to the processes that train together.

Each step averages over the same rows, in the same order of steps, however many processes share
them: the order is drawn from the seed and the epoch alone, cut into steps, and each step's
micro-batches go to the ranks in turn. Where a step has too few for all, some get a blank one: it
goes through the model (every process has to take part in each pass) and trains nothing. No row is
left out or repeated; accelerate's `even_batches` repeats rows in the last step of an epoch.

Alone it is the order a single process trains in.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import torch
from torch.utils.data import DataLoader, Sampler

from podtune.data.masks import IGNORED

Batch = dict[str, Any]

PASSED: Final = (
    "input_ids",
    "labels",
    "position_ids",
    "trained_positions",
    "cu_seq_lens_q",
    "cu_seq_lens_k",
    "max_length_q",
    "max_length_k",
    "seq_idx",
)
"""What `packed_rows.collate` makes."""


class Deal(NamedTuple):
    """How rows are shared out."""

    rows: int
    micro_batch: int
    """Rows in one forward pass of one process."""
    accumulation: int
    """Forward passes of one process in a step."""
    world: int = 1
    rank: int = 0
    seed: int = 0

    @property
    def rows_per_step(self) -> int:
        """Rows of one optimizer step, over all processes."""
        return self.micro_batch * self.accumulation * self.world


class StepBatches(Sampler[list[int]]):
    """Batch sampler: the micro-batches of one rank in one epoch, as lists of row numbers.

    Every rank yields the same number of them; an empty list is a blank micro-batch.
    """

    def __init__(self, deal: Deal) -> None:
        """Begins with epoch 0."""
        self._deal = deal
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Another epoch, another order."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Micro-batches of this rank in an epoch."""
        whole, rest = divmod(self._deal.rows, self._deal.rows_per_step)
        return whole * self._deal.accumulation + self._passes(rest)

    def __iter__(self) -> Iterator[list[int]]:
        """Step by step; within a step, micro-batch j belongs to rank j modulo world."""
        deal, order = self._deal, self.order()
        for start in range(0, deal.rows, deal.rows_per_step):
            step = order[start : start + deal.rows_per_step]
            for index in range(self._passes(len(step))):
                first = (index * deal.world + deal.rank) * deal.micro_batch
                yield step[first : first + deal.micro_batch]

    def order(self) -> list[int]:
        """All rows in the order of this epoch."""
        generator = torch.Generator().manual_seed(self._deal.seed + self._epoch)
        return torch.randperm(self._deal.rows, generator=generator).tolist()

    def _passes(self, rows: int) -> int:
        batches = -(-rows // self._deal.micro_batch)
        return -(-batches // self._deal.world)


class DealtRows(DataLoader[Any]):
    """A data loader over `StepBatches`; transformers' Trainer tells it the epoch."""

    def __init__(
        self, rows: Sequence[Any], deal: Deal, collate: Callable[..., Batch], blank: Any
    ) -> None:
        """`collate` makes a batch of rows; `blank` is a row in which nothing is trained."""
        self._batches = StepBatches(deal)

        def fill(dealt: Sequence[Any]) -> Batch:
            return collate(dealt or [blank])

        super().__init__(
            rows,  # pyright: ignore[reportArgumentType] - a list of rows is a data set
            batch_sampler=self._batches,
            collate_fn=fill,
        )

    def set_epoch(self, epoch: int) -> None:
        """Another epoch, another order."""
        self._batches.set_epoch(epoch)


def blank(rows: Sequence[Any]) -> Any:
    """The shortest of packed rows, with every label masked."""
    shortest = min(rows, key=lambda row: len(row.input_ids))
    return shortest._replace(labels=[IGNORED] * len(shortest.labels))


def is_blank(batch: Batch) -> bool:
    """Whether nothing of a batch is trained."""
    return not batch["trained_positions"].numel()


def plain(batch: Batch) -> Batch:
    """A batch without what only weighed answers have: all that a model needs to run over it."""
    return {name: value for name, value in batch.items() if name in PASSED}
