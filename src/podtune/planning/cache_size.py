"""How large a network volume has to be for a model, and what it costs a month."""

import math
from decimal import ROUND_UP, Decimal
from typing import Final

GB: Final = 10**9
"""RunPod says GB and not which: the smaller one is taken, so that nothing turns out too small."""

SLACK: Final = 1.1
"""For what a file system and half-fetched files take beside the weights."""

FOUR_BIT_PART: Final = 0.27
"""A copy in 4 bits, as a part of the weights in bf16: 42 of 159 GB of Qwen3-Next-80B-A3B (2026-11-22). The
room for it, or for what the Hub's cache holds beside the model."""

LEAST_SLACK: Final = 1.02
"""With less than this nothing but the files themselves has room: what is asked for may not be smaller."""

STEP_GB: Final = 10

USD_PER_GB_MONTH: Final = Decimal("0.07")
"""Network volume under 1 TB; docs.runpod.io/pods/pricing, 2026-08-20."""

USD_PER_GB_MONTH_LARGE: Final = Decimal("0.05")
"""From 1 TB on, of the whole volume (the same page)."""

LARGE_GB: Final = 1000


def volume_gb(model_bytes: int, others_bytes: int = 0) -> int:
    """The size that a model wants, rounded up to whole tens of GB.

    Args:
        model_bytes: Of its files.
        others_bytes: Of other models that are known to lie on the same volume.

    >>> volume_gb(159_000_000_000)
    220
    >>> volume_gb(0)
    10
    """
    wanted = model_bytes * (SLACK + FOUR_BIT_PART) + others_bytes * SLACK
    return max(STEP_GB, math.ceil(wanted / GB / STEP_GB) * STEP_GB)


def least_gb(model_bytes: int, others_bytes: int = 0) -> int:
    """The smallest size that holds the files at all.

    >>> least_gb(159_000_000_000)
    163
    """
    return max(STEP_GB, math.ceil((model_bytes + others_bytes) * LEAST_SLACK / GB))


def usd_per_month(size_gb: int) -> Decimal:
    """Dollars a month of a network volume, used or not, rounded up to a cent.

    >>> usd_per_month(220), usd_per_month(1200)
    (Decimal('15.40'), Decimal('60.00'))
    """
    rate = USD_PER_GB_MONTH if size_gb < LARGE_GB else USD_PER_GB_MONTH_LARGE
    return (rate * size_gb).quantize(Decimal("0.01"), rounding=ROUND_UP)
