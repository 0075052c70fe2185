"""What the worker says, one JSON line at a time; the one progress channel on every machine.

On stdout a line stands behind `MARKER`, so that library chatter around it does no harm; in
`events.jsonl` it stands alone. Events carry figures and file names, never row text.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from podtune.core.states import WorkerStage

MARKER: Final = "@podtune "


MOST: Final = 2**53
"""No count of a worker is greater. Its words come from a rented machine, and what they add up to is written
where an outcome is settled: a figure that no float holds must not get there."""


class EventKind(StrEnum):
    """What kind of thing happened."""

    STAGE = "stage"
    TASK = "task"
    STEP = "step"
    EVALUATION = "evaluation"
    CHECKPOINT = "checkpoint"
    WARNING = "warning"
    FACTS = "facts"
    RESULT = "result"


class Metrics(BaseModel):
    """Figures of a training step or an evaluation; absent ones are null, never invented."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    training_loss: float | None = None
    """Mean negative log-likelihood per trained token of the step, in nats."""
    validation_loss: float | None = None
    """The same over the validation split, token-weighted."""
    learning_rate: float | None = None
    throughput: float | None = None
    """Tokens per second, trained or not, measured over the last steps."""
    gpu_utilization: float | None = None
    """Percent, 0..100; null without a GPU."""
    gradient_norm: float | None = None
    """L2 norm of the adapter's gradient before clipping."""


class Task(BaseModel):
    """A bounded piece of work inside a stage: a download, a conversion, tokenising."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    done: float = Field(ge=0)
    total: float | None = None
    unit: str = ""
    """`bytes`, `rows`, `tensors`, `answers` ..."""


class WorkerResult(BaseModel):
    """The last word of an attempt: success with the artifact's files, or a typed failure."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    ok: bool
    error_code: str | None = None
    error_message: str | None = None
    advice: str | None = None
    files: dict[str, str] = Field(default_factory=dict)
    """Artifact file -> sha256."""


class TrainingEvent(BaseModel):
    """One thing that happened in one attempt of one job."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    job: str
    attempt: int = Field(ge=1)
    seq: int = Field(ge=0, le=MOST)
    """Counts from 0 within an attempt, without gaps."""
    time: datetime
    """Aware UTC."""
    kind: EventKind
    stage: WorkerStage
    step: int | None = Field(default=None, ge=0, le=MOST)
    total_steps: int | None = Field(default=None, ge=0, le=MOST)
    epoch: float | None = Field(default=None, allow_inf_nan=False)
    metrics: Metrics | None = None
    task: Task | None = None
    message: str | None = None
    facts: dict[str, object] | None = None
    """Measured facts for the receipt (token counts, parameters, peak memory)."""
    result: WorkerResult | None = None

    def line(self) -> str:
        """The event as one JSON line without a line end."""
        return self.model_dump_json(exclude_none=True)


def parse_line(line: str) -> TrainingEvent | None:
    """An event from a line of stdout or of `events.jsonl`; None when the line is something else.

    A line cut short by a crash is "something else" too: the next event repeats what matters.
    """
    text = line.strip()
    if text.startswith(MARKER):
        text = text[len(MARKER) :]
    if not text.startswith("{"):
        return None
    try:
        return TrainingEvent.model_validate_json(text)
    except ValueError:
        return None
