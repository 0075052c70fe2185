"""How long an effect rests before it is tried again."""

from typing import Final

from podtune.core.limits import Limits
from podtune.workflow.steps import Effect

RETRY_S: Final = 2.0
"""Before something on this machine is tried again."""

LOOKS_PER_S: Final = 20.0
"""Looks at machines of all jobs together; with more machines each is looked at less often. A look takes
some 3 ms CPU here (`bench/reconciler.py`). Chosen: 6 % of a core."""

LONGEST_S: Final = 300.0
"""However often a termination fails, it is tried again after so long."""


def pause_after(effect: Effect, limits: Limits, failures: int, jobs: int = 1) -> float:
    """Seconds until an effect of a rented job may run again.

    `failures` are those in a row (0: it only was not done), `jobs` how many are driven together.

    Calls to the provider are spread so that the looks of a proof or of a doubtful order are about six
    in their window, and grow rare while the provider fails.
    """
    if effect is Effect.TERMINATE:
        base = min(10.0, max(0.5, limits.proof_window_s / 6))
        return min(LONGEST_S, base * 2 ** min(max(0, failures - 1), 10))
    if effect is Effect.LAUNCH:
        return min(10.0, max(0.2, limits.settle_s / 6))
    if effect in (Effect.PULL, Effect.HAND_OVER, Effect.SALVAGE):
        return max(limits.pull_s, jobs / LOOKS_PER_S)
    return RETRY_S
