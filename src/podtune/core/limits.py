"""Time limits of rented machines, in one table; each is a setting (`PODTUNE_<NAME>`)."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field


class Limits(BaseModel):
    """Seconds. Defaults: `reference` measurements of 2026-11 named beside each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    boot_limit_s: float = Field(default=900, gt=0)
    """From the order of a machine to its first word; a cold pull of a 16 GB image takes 170 s."""
    silence_limit_s: float = Field(default=600, gt=0)
    """Without a word of the worker, or of the pod, it is taken for lost."""
    settle_s: float = Field(default=60, ge=0)
    """How long a machine just ordered may be missing from the provider's lists."""
    proof_window_s: float = Field(default=60, ge=0)
    """How long a machine has to be missing from lists before its absence counts as proved."""
    terminate_alarm_s: float = Field(default=120, gt=0)
    """After this long without proof a machine counts as a leak risk, in every view."""
    upload_reserve_s: float = Field(default=120, ge=0)
    """Kept back of the deadline to bring away what was trained."""


DEFAULTS: Final = Limits()
