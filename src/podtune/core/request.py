"""What was asked, gaps allowed: the front door's own type, whoever knocked."""

from pydantic import BaseModel, ConfigDict, Field


class TrainingRequest(BaseModel):
    """Only what somebody stated: spec paths (`training.epochs`) -> values.

    Whatever is not here was not said; `podtune.intake.resolve` fills the gaps and marks them so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stated: dict[str, object] = Field(default_factory=dict)
    minutes: float | None = Field(default=None, gt=0)
    """Shorten the training to about so many minutes on the machine chosen."""
