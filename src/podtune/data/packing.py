"""Several examples in one row, so that no computation goes into padding.

Only lengths are looked at; keeping the documents of a row apart is the trainer's business.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence


def best_fit_decreasing(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Assign documents to rows of at most `capacity` tokens.

    Longest first, each into the fullest row that still takes it; at most 22 % more rows than the
    optimum (Johnson 1974, 11/9 bound). O(n log n) look-ups.

    Args:
        lengths: Tokens of each document, 1..capacity.
        capacity: Tokens of a row.

    Returns:
        Rows of indices into `lengths`; deterministic, ties broken by index.

    Raises:
        ValueError: a document is longer than a row.
    """
    rows: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (free tokens, row), ascending
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        need = lengths[index]
        if need > capacity:
            raise ValueError(f"document {index} has {need} tokens, a row {capacity}")
        at = bisect_left(rooms, (need, -1))
        if at == len(rooms):
            rows.append([index])
            insort(rooms, (capacity - need, len(rows) - 1))
            continue
        room, row = rooms.pop(at)
        rows[row].append(index)
        insort(rooms, (room - need, row))
    return rows


def singles(lengths: Sequence[int]) -> list[list[int]]:
    """One document a row, for models whose layers cannot keep packed documents apart."""
    return [[index] for index in range(len(lengths))]
