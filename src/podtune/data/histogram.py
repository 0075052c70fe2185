"""How rows are spread over lengths: eight bars, the middle, the far end, what a limit would cut."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

from podtune.data.lengths import Estimate

BARS: Final = (64, 128, 256, 512, 1024, 2048, 4096)
"""Upper ends of the first seven bars, in tokens; the eighth has no end."""

LIMITS: Final = (512, 1024, 2048, 4096, 8192)
"""Values of `max_length` for which it is said what would not fit."""


def facts(estimate: Estimate) -> dict[str, Any]:
    """The token part of the report."""
    lengths = sorted(estimate.rows)
    if not lengths:
        return {"exact": estimate.exact, "basis": estimate.basis, "rows": 0}
    return {
        "exact": estimate.exact,
        "basis": estimate.basis,
        "rows": len(lengths),
        "total": sum(lengths),
        "trained": estimate.trained,
        "p50": percentile(lengths, 0.5),
        "p95": percentile(lengths, 0.95),
        "max": lengths[-1],
        "histogram": bars(lengths),
        "over": {str(limit): n for limit in LIMITS if (n := _over(lengths, limit))},
    }


def percentile(ordered: Sequence[int], share: float) -> int:
    """The value that a share of the sorted values does not exceed (nearest rank).

    >>> percentile([1, 2, 3, 4], 0.5), percentile([7], 0.95)
    (2, 7)
    """
    return ordered[min(len(ordered), max(1, math.ceil(len(ordered) * share))) - 1]


def bars(ordered: Sequence[int]) -> list[dict[str, int | None]]:
    """Rows in each bar; `up_to` is None for the last."""
    edges: list[int | None] = [*BARS, None]
    reached = [*(bisect_right(ordered, edge) for edge in BARS), len(ordered)]
    counts = [high - low for low, high in zip([0, *reached], reached, strict=False)]
    return [{"up_to": edge, "rows": count} for edge, count in zip(edges, counts, strict=True)]


def _over(ordered: Sequence[int], limit: int) -> int:
    return len(ordered) - bisect_right(ordered, limit)
