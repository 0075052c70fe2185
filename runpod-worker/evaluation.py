"""Sums over held-out rows: each row counted once, whoever computes it.

The stock evaluation averages the rows' means, and pads the last batch of several processes with
rows that it counts again. Here sums travel, and a row that stands in for a missing one counts
nothing: every process does the same number of forwards, which sharded models need.
"""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

import process_group

Row = TypeVar("Row")
Value = TypeVar("Value")


def deal(count: int, rank: int, world: int) -> list[tuple[int, bool]]:
    """The rows of one process: index, and whether it counts.

    >>> deal(3, 0, 2), deal(3, 1, 2)
    ([(0, True), (2, True)], [(1, True), (0, False)])
    """
    rounds = -(-count // world)
    places = range(rank, rounds * world, world)
    return [(place % count, place < count) for place in places]


def sums(rows: Sequence[Row], measure: Callable[[Row], torch.Tensor]) -> tuple[float, ...]:
    """Measured values summed over all rows of all processes, in fp64.

    Args:
        rows: The same rows in every process; at least one.
        measure: A row -> values to be summed [values]; no gradient is kept.
    """
    parts: list[torch.Tensor] = []
    me = process_group.member()
    with torch.no_grad():
        for index, counts in deal(len(rows), me.rank, me.world):
            values = measure(rows[index]).detach()
            parts.append(values if counts else torch.zeros_like(values))
        total = torch.stack(parts).cpu().double().sum(0)
    return process_group.total(*total.tolist())


def collect(
    rows: Sequence[Row],
    measure: Callable[[Row], Value],
    progress: Callable[[int, int], None],
) -> list[Value]:
    """What was measured of each row, in the rows' order, known to every process.

    Args:
        rows: The same rows in every process; at least one.
        measure: A row -> any value that can be sent; no gradient is kept.
        progress: Told how many of this process's rows are done, and of how many.
    """
    me = process_group.member()
    dealt = deal(len(rows), me.rank, me.world)
    found: dict[int, Value] = {}
    with torch.no_grad():
        for done, (index, _) in enumerate(dealt, start=1):
            found[index] = measure(rows[index])
            progress(done, len(dealt))
    shares = [found]
    if not me.is_alone:
        shares = [{} for _ in range(me.world)]
        torch.distributed.all_gather_object(shares, found)
    known = {index: value for share in shares for index, value in share.items()}
    return [known[index] for index in range(len(rows))]


@contextmanager
def at_rest(model: Any) -> Generator[None]:
    """The model in evaluation mode (no dropout); as it was afterwards."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
