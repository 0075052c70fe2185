"""What was asked, gaps allowed: the front door's own type, whoever knocked."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

MAX_QUOTE: Final = 200
"""Characters of words that are quoted from a request. Chosen: one line of a screen or two."""
MAX_WHY: Final = 500
"""Characters of a reason. Chosen."""
MAX_ENTRIES: Final = 100
"""Quotes, reasons or remarks of one request; the spec has fewer fields. Chosen."""

Quote = Annotated[str, Field(max_length=MAX_QUOTE)]
Why = Annotated[str, Field(max_length=MAX_WHY)]


class TrainingRequest(BaseModel):
    """Only what somebody stated: spec paths (`training.epochs`) -> values.

    Whatever is not here was not said; `podtune.intake.resolve` fills the gaps and marks them so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stated: dict[str, object] = Field(default_factory=dict)
    minutes: float | None = Field(default=None, gt=0)
    """Shorten the training to about so many minutes on the machine chosen."""
    quotes: dict[str, Quote] = Field(
        default_factory=dict, max_length=MAX_ENTRIES, exclude_if=lambda v: not v
    )
    """Spec path -> the words it was read from, secrets masked."""
    assumed: dict[str, Why] = Field(
        default_factory=dict, max_length=MAX_ENTRIES, exclude_if=lambda v: not v
    )
    """Spec path -> why its value was chosen: what stands in `stated` without anybody having said it."""
    told: tuple[Why, ...] = Field(default=(), max_length=MAX_ENTRIES, exclude_if=lambda v: not v)
    """What was asked for and is not done, or is done otherwise; the plan repeats it as warnings."""
