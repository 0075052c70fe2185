"""What speed earlier runs reached here, so that the next plan's time is measured and not guessed."""

import contextlib
import json
from pathlib import Path
from typing import cast

from podtune.core.plan import Device, Plan
from podtune.planning.duration import flop_per_token, speed_key, work

FEWEST_STEPS = 8
"""A shorter run says little about the speed."""


def reached(path: Path) -> dict[str, float]:
    """Speed key -> FLOP/s of the last run on that device; empty before the first."""
    return {k: float(v) for k, v in _read(path).items() if isinstance(v, int | float) and v > 0}


def remember(
    path: Path, plan: Plan, tokens_per_second: float, steps: int, device: Device | None = None
) -> None:
    """Keep the speed of a finished run; failing to is no reason to fail a job.

    Args:
        path: Where speeds are kept.
        plan: What was trained.
        tokens_per_second: Of all devices together.
        steps: Optimizer steps it was reached over.
        device: What it ran on, where that is not the plan's: a later rung of the ladder.
    """
    if steps < FEWEST_STEPS or tokens_per_second <= 0:
        return
    speeds = _read(path)
    ran_on = device or plan.device
    done = work(plan.spec, ran_on, plan.schedule.world, tokens=1)
    key = speed_key(ran_on, done, plan.base_model)
    speeds[key] = tokens_per_second * flop_per_token(plan.base_model, done) / done.devices
    temporary = path.with_suffix(".tmp")
    with contextlib.suppress(OSError):
        temporary.write_text(json.dumps(speeds, indent=1), encoding="utf-8")
        temporary.replace(path)


def _read(path: Path) -> dict[str, object]:
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}
