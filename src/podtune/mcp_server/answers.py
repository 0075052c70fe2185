"""What the tools answer: typed, so that an agent reads fields and no prose; never a row of anybody's data.

Each answer ends with `next`: the step that makes sense now.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from podtune.core.wire import TrainingStatus


class Answer(BaseModel):
    """Of any tool."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    next: str
    """The step that makes sense now."""


class Kind(BaseModel):
    """One kind of finding in the data: how often, where first, what to do. Never a row's text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    severity: str
    """`error` keeps a row out of training; `warning` and `note` do not."""
    rows: int
    message: str
    advice: str
    first_lines: list[str] = Field(default_factory=list)
    """Lines (or rows) of the user's own file."""
    repairs: list[str] = Field(default_factory=list)
    """Repairs that would mend it, as `data.fix` names them; only with the user's consent."""


class Pick(BaseModel):
    """Something about the data that was chosen by rule."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str
    others: list[str] = Field(default_factory=list)
    is_open: bool
    """Whether another reading is about as good, so that the user has to choose."""


class DataAnswer(Answer):
    """What a source of data is, and whether it can be trained on."""

    source: str
    format: str
    """Such as `chat_messages`, `qa_table`, `zendesk`."""
    container: str
    is_trainable: bool
    rows: int
    good_rows: int
    good_rows_after_repair: int
    duplicates: int
    columns: dict[str, str]
    """Role -> column, for tables."""
    choices: dict[str, Pick]
    kinds: list[Kind]
    sha256: str


class Line(BaseModel):
    """One line of a plan in words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: str
    says: str


class FieldLine(BaseModel):
    """One field of the plan, and how it came to its value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    value: str
    origin: str
    """`stated` by somebody, or `assumed`."""
    why: str
    """Of an assumed one: the reason."""
    quote: str | None = None
    """Of a stated one: the words of the request."""


class Choosable(BaseModel):
    """An answer that may be given."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str
    label: str
    why: str = ""


class OpenQuestion(BaseModel):
    """Something the user has to say; an agent must not say it for them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: str
    """The key of `answers` in the next call of `plan`."""
    text: str
    options: list[Choosable] = Field(default_factory=list)
    must: bool
    """False: an assumption that is confirmed with the plan."""


class PlanAnswer(Answer):
    """A plan with the token that buys it once, or what has to be asked first."""

    state: Literal["ready", "needs_approval", "questions", "estimate", "other"]
    """`ready`: `submit` takes the token. `needs_approval`: a person has to agree first, outside of this
    conversation. `questions`: ask the user and plan again with `answers`. `estimate`: only a price was asked for.
    `other`: the sentence asks for something that is no training."""
    intent: str | None = None
    """What the sentence wants, where there was one: `train`, `estimate`, `check_data`, `status`, `stop`."""
    token: str | None = None
    """What `submit` takes: good once, for this plan and no other, until `expires_at`."""
    expires_at: datetime | None = None
    approval_id: str | None = None
    approval_reasons: list[str] = Field(default_factory=list)
    digest: str | None = None
    cost_usd: float = 0.0
    """What it is expected to cost; 0 on this machine."""
    ceiling_usd: float | None = None
    """What it can cost at most; null where nothing is rented."""
    hours: float | None = None
    """How long it is expected to take."""
    summary: list[Line] = Field(default_factory=list)
    """The plan in words: show it to the user whole."""
    fields: list[FieldLine] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    questions: list[OpenQuestion] = Field(default_factory=list)
    """What the user has to say first (`must`), or may say otherwise."""


class SubmitAnswer(Answer):
    """What became of a token."""

    job_id: str
    state: Literal["preparing", "accepted"]
    is_repetition: bool
    """Whether this token was submitted before: it is the same job."""
    ceiling_usd: float | None


class StatusAnswer(Answer):
    """How a job stands."""

    job_id: str
    is_finished: bool
    """Whether it has ended, and every machine of it is proved gone."""
    has_changed: bool
    """Whether its phase changed, or it ended, while this call waited."""
    status: TrainingStatus


class LogAnswer(Answer):
    """The end of a job's log, without anything that looks like a secret."""

    job_id: str
    lines: list[str]
    """Of the worker's own output, the newest last."""
    left_out: int
    """Lines before these."""
    workflow: list[Line]
    """What podtune did with the job: its phase, and a message."""


class CancelAnswer(Answer):
    """A wish to cancel."""

    job_id: str
    phase: str
    """`preparing`, `refused`, or where the workflow stands."""


class Held(BaseModel):
    """A file of an artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    size_bytes: int


class ArtifactAnswer(Answer):
    """A completed job's verified artifact."""

    job_id: str
    folder: str | None
    """On this machine; null for callers from elsewhere."""
    download_path: str | None
    """Of the gateway, for callers from elsewhere."""
    files: list[Held]
    is_proved: bool
    """Whether a fresh process loaded the adapter and found the model changed."""
    base_model: dict[str, Any]
    artifact: dict[str, Any]
    """Sums and sizes, from the signed receipt."""
    cost: dict[str, Any]


class JobLine(BaseModel):
    """One job in a list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    title: str | None
    state: str
    """`preparing`, `accepted` or `refused`."""
    phase: str | None
    outcome: str | None
    base_model: str | None
    where: str | None
    created_at: datetime
    finished_at: datetime | None
    error_code: str | None


class JobsAnswer(Answer):
    """The caller's jobs, the newest first."""

    jobs: list[JobLine]
    has_more: bool
