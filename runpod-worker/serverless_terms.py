"""What whoever orchestrates jobs may say beside a request: which try this is, and until when it is worth it.

`attempt`, `begin_by` and `deadline` of the input, our additions. An application that sends none of them
has one attempt and all the time that the platform gives.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from podtune.core.errors import ConflictError, SpecError

KEYS: Final = ("attempt", "begin_by", "deadline")

LATEST: Final = 1e11
"""Unix seconds, in the year 5138: a greater figure is milliseconds."""


class Terms(BaseModel):
    """An orchestrator's words on one attempt."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    attempt: int = Field(default=1, ge=1, le=1_000_000)
    """Of one `job_id` the greatest wins: who holds a lesser one stops."""
    begin_by: float | None = Field(default=None, gt=0, lt=LATEST)
    """Unix seconds after which nothing is begun any more."""
    deadline: float | None = Field(default=None, gt=0, lt=LATEST)
    """Unix seconds by which everything is over; the training saves before."""

    def refuse_late(self, now: float, reserve_s: float) -> None:
        """Raise where it is too late to begin.

        Args:
            now: Unix seconds.
            reserve_s: What is kept before the deadline for saving and sending.

        Raises:
            ConflictError: code `too_late`.
        """
        if self.begin_by is not None and now > self.begin_by:
            raise _late(f"it was to begin {now - self.begin_by:.0f} s ago at the latest (begin_by)")
        if self.deadline is not None and now > self.deadline - reserve_s:
            left = max(0.0, self.deadline - now)
            raise _late(f"{left:.0f} s are left until its deadline, of which {reserve_s:g} s are "
                        "kept for saving and sending")  # fmt: skip


def read(given: Mapping[str, object]) -> Terms:
    """The terms in an input; null is the same as leaving one away.

    Args:
        given: The whole input as it came.

    Raises:
        SpecError: code `bad_request_body`, with every fault.
    """
    said = {key: given[key] for key in KEYS if given.get(key) is not None}
    try:
        return Terms.model_validate(said)
    except ValidationError as error:
        faults = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
    raise SpecError(
        "; ".join(faults),
        code="bad_request_body",
        hint="attempt is a whole number from 1, begin_by and deadline are unix seconds",
    )


def _late(why: str) -> ConflictError:
    return ConflictError(
        f"the worker got this job too late: {why}",
        code="too_late",
        hint="submit the job again with a later begin_by and deadline",
    )
