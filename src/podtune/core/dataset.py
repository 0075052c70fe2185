"""What the data really is: counts and findings, with the physical line of every one."""

from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Severity(StrEnum):
    """An error keeps a row out of training; a warning does not."""

    ERROR = "error"
    WARNING = "warning"


class Finding(BaseModel):
    """Something about one row, or about the file (`line` None)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    severity: Severity
    message: str
    """What is wrong, without the row's text."""
    advice: str
    line: int | None = None
    """Physical line in the user's file, from 1."""
    row: int | None = None
    """Record number, from 1."""


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: str
    content: str


class Conversation(BaseModel):
    """One training example in canonical form."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    messages: tuple[Message, ...]
    line: int
    """Physical line in the user's file where the record begins."""

    def as_template_input(self) -> list[dict[str, str]]:
        """The messages as chat templates want them."""
        return [{"role": m.role, "content": m.content} for m in self.messages]

    def first_user_turn(self) -> str:
        """The text the split hashes; empty when nobody asks."""
        return next((m.content for m in self.messages if m.role == "user"), "")


class DatasetReport(BaseModel):
    """Counts and findings of one file; the rows themselves travel beside it, never in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    sha256: str
    size_bytes: int
    format: str
    """`chat_messages`, `prompt_completion` or `qa_table`."""
    container: str
    """`jsonl` or `csv`."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Role -> column, for tables."""
    rows: int
    """Records found, good or bad."""
    good_rows: int
    findings: tuple[Finding, ...] = ()

    def errors(self) -> Sequence[Finding]:
        """The findings that keep rows out."""
        return [f for f in self.findings if f.severity is Severity.ERROR]
