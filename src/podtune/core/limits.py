"""Time limits of rented machines, in one table; each is a setting (`PODTUNE_<NAME>`)."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

SKEW_S: Final = 120.0
"""How far the clocks of two machines may differ: so long after a deadline another machine's is passed
for certain (reliability-security.md R11)."""


class Limits(BaseModel):
    """Seconds, where nothing else is said. Defaults: `reference` measurements of 2026-11 named beside each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check_limit_s: float = Field(default=1800, gt=0)
    """How long a job's copy of the data may be compared with the plan; nothing is rented yet
    (orchestration.md section 8)."""
    stage_limit_s: float = Field(default=7200, gt=0)
    """How long an attempt's work may be brought together; its machine is not ordered yet (the same)."""
    boot_limit_s: float = Field(default=900, gt=0)
    """From the order of a machine to its first word; a cold pull of a 16 GB image takes 170 s."""
    queue_limit_s: float = Field(default=1800, gt=0)
    """How long a job may wait in a serverless endpoint's queue, which costs nothing; a worker that takes it
    later leaves it alone. Chosen: a cold start with a large image takes minutes, a sold-out card hours."""
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
    overrun_reserve_s: float = Field(default=180, ge=0)
    """Kept back of the ceiling for a machine that outlives its deadline: clocks that differ by 120 s, and a
    minute until somebody looks (reliability-security.md R11, 2.4)."""
    max_recoveries: int = Field(default=3, ge=0, le=20)
    """How often a job goes on by itself on another machine after it lost one. A count."""
    pull_s: float = Field(default=1, gt=0)
    """Between two looks at what a worker says: what is watched looks alive, and a look is one small request
    to the machine itself, none to the provider."""
    reap_every_s: float = Field(default=30, gt=0)
    """Between two rounds over the account for machines that no job wants: a second machine made for one
    order lives no longer than a minute."""
    reap_grace_s: float = Field(default=300, ge=0)
    """How long a machine of ours that the job store does not know is only shown before it is ended."""
    bill_lag_s: float = Field(default=7200, ge=0)
    """From a machine's end to the first question for its bill. Bills are of whole hours (`bucketSize`, REST
    v2 of 2026-11), and one more is left for booking; how late RunPod books is documented nowhere."""


DEFAULTS: Final = Limits()
