"""What the data really is: counts and findings, with the physical line of every one."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field


class Severity(StrEnum):
    """An error keeps a row out of training; a warning does not; a note is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Finding(BaseModel):
    """Something about one row, or about the file (`row` None)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    severity: Severity
    message: str
    """What is wrong, without the row's text."""
    advice: str
    line: int | None = None
    """Physical line in the user's file, from 1, also inside an archive; None where it has none."""
    row: int | None = None
    """Record number, from 1."""
    of: int | None = None
    """The row it repeats or contradicts."""
    repair: str | None = None
    """The repair that would mend it, as `--fix` names it."""
    file: str | None = None
    """Name of the file, where several are read as one."""


TEXT_ROLE: Final = "text"
"""Role of the one message of a plain text, which nobody asks and nobody answers."""


class Message(NamedTuple):
    """One turn of a conversation, or a plain text."""

    role: str
    """system, user, assistant or tool; `TEXT_ROLE` for a text without turns."""
    content: str | None
    """Text; None only for an assistant that calls tools."""
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    """Calls in the OpenAI form, `arguments` as JSON text."""
    tool_call_id: str | None = None
    """The call a tool's message answers."""
    name: str | None = None
    reasoning_content: str | None = None
    """What the assistant thought before it answered."""
    weight: float | None = None
    """0: this assistant turn is context only and not trained on."""

    @property
    def text(self) -> str:
        """The content, empty where there is none."""
        return self.content or ""

    def as_json(self) -> dict[str, Any]:
        """The canonical JSON form; absent parts are left out."""
        value: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.reasoning_content is not None:
            value["reasoning_content"] = self.reasoning_content
        if self.tool_calls:
            value["tool_calls"] = list(self.tool_calls)
        if self.tool_call_id is not None:
            value["tool_call_id"] = self.tool_call_id
        if self.name is not None:
            value["name"] = self.name
        if self.weight is not None:
            value["weight"] = self.weight
        return value


class Conversation(NamedTuple):
    """One training example in canonical form."""

    messages: tuple[Message, ...]
    line: int
    """Physical line in the user's file where the record begins; its row where there are no lines."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """Functions the assistant may call, in the OpenAI form."""
    rejected: tuple[Message, ...] = ()
    """For preference pairs: the worse answer, without the prompt; `messages` end with the better."""
    row: int = 0
    """Record number in the source, from 1; of several files, among their good rows."""
    split: str | None = None
    """`train` or `validation` where the file itself tells them apart."""
    label: bool | None = None
    """Whether the last answer was rated good; None where nobody rated it."""
    shared: int = 0
    """For pairs: messages that both answers follow; 0 where that is up to the last user turn."""
    continues: bool = False
    """For plain text: whether it goes on in the next row, so that no end is learnt here."""

    @property
    def is_text(self) -> bool:
        """Whether this is a plain text without turns."""
        return self.messages[0].role == TEXT_ROLE

    @property
    def prompt_turns(self) -> int:
        """How many messages are the prompt of the last answer, or of both answers of a pair."""
        users = (i for i in range(len(self.messages), 0, -1) if self.messages[i - 1].role == "user")
        return self.shared or next(users, 0)

    def as_json(self) -> dict[str, Any]:
        """The canonical JSON form: messages (with their rating), a preference pair, or a text."""
        if self.is_text:
            text: dict[str, Any] = {"text": self.messages[0].text}
            return text | ({"continues": True} if self.continues else {})
        if self.rejected:
            asked = self.prompt_turns
            value: dict[str, Any] = {
                "prompt": [m.as_json() for m in self.messages[:asked]],
                "chosen": [m.as_json() for m in self.messages[asked:]],
                "rejected": [m.as_json() for m in self.rejected],
            }
        else:
            value = {"messages": [m.as_json() for m in self.messages]}
        if self.label is not None:
            value["label"] = self.label
        if self.tools:
            value["tools"] = list(self.tools)
        return value

    def first_user_turn(self) -> str:
        """The text the split hashes: of a plain text all of it; empty when nobody asks."""
        return next((m.text for m in self.messages if m.role in ("user", TEXT_ROLE)), "")


class Confidence(StrEnum):
    """How sure a reading is. Words and no percentages: rules are not calibrated."""

    CERTAIN = "certain"
    LIKELY = "likely"
    GUESS = "guess"


class Choice(BaseModel):
    """Something that was chosen by rule, and that a person may choose otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: str
    others: tuple[str, ...] = ()
    """What else could have been meant."""
    close: bool = False
    """Whether another reading is about as good: then it has to be asked."""
    option: str = ""
    """How to choose on the command line, such as `--map prompt=NAME`."""


class Recognised(BaseModel):
    """What format a file has, how sure that is, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    confidence: Confidence
    why: str
    others: tuple[str, ...] = ()
    """Formats that fit as well or nearly."""


class DatasetReport(BaseModel):
    """Counts and findings of a source; the rows themselves travel beside it, never in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    sha256: str
    """Of the file's bytes; of the files' names and sums where several are read as one."""
    size_bytes: int
    format: str
    """As `podtune data check` names it, such as `chat_messages` or `qa_table`."""
    container: str
    """`jsonl`, `csv`, `xlsx` ...; `.gz` or `.zst` behind where it is compressed."""
    encoding: str | None = None
    """Of the text as found; None where the container has none."""
    recognised: Recognised | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    """Role -> column, for tables."""
    choices: dict[str, Choice] = Field(default_factory=dict)
    """Columns, sheet, member, speaker: what was chosen by rule."""
    rows: int
    """Records found, good or bad."""
    good_rows: int
    """Usable as they are, or after the repairs that were asked for."""
    good_rows_after_repair: int = 0
    """Usable when every offered repair is accepted."""
    rows_sha256: str | None = None
    """Of the good rows in canonical form, in order: what a plan was made for."""
    duplicates: int = 0
    """Rows whose text repeats an earlier one."""
    repaired: dict[str, int] = Field(default_factory=dict)
    """Repairs that were asked for and made: name -> rows."""
    dropped_keys: dict[str, int] = Field(default_factory=dict)
    """Keys of records that are not used for training: name -> rows."""
    findings: tuple[Finding, ...] = ()
    """In the file's order; of one code at most a thousand are listed, `counts` has all."""
    counts: dict[str, int] = Field(default_factory=dict)
    """Code -> how often it was found."""
    files: tuple["DatasetReport", ...] = ()
    """The single files, where several are read as one."""

    def errors(self) -> Sequence[Finding]:
        """The findings that keep rows out."""
        return [f for f in self.findings if f.severity is Severity.ERROR]

    def of_severity(self, severity: Severity) -> Sequence[Finding]:
        """The findings of one severity."""
        return [f for f in self.findings if f.severity is severity]
