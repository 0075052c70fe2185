"""What passes between containers, formats and the judge: records, problems, what became of them.

A container turns bytes into records; a format turns a record into messages; nothing here reads
files or decides anything.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from podtune.core.dataset import Choice, Message
from podtune.core.spec import Method


class Problem(NamedTuple):
    """A finding's code and facts, before it has a line. `detail` never holds row text."""

    code: str
    detail: str | None = None
    repair: str | None = None
    """The repair that would mend it."""


class Record(NamedTuple):
    """One record at its physical line: decoded, or with the problem that kept it from that."""

    line: int | None
    """Where it begins, from 1; None in containers without lines."""
    value: object = None
    """A JSON value, a table's cells by column, or `{"messages": [...]}` of a gathered log."""
    problem: Problem | None = None
    raw: bytes = b""
    """The record's bytes as UTF-8 where they are at hand, for cheap looks ahead."""
    split: str | None = None
    """`train` or `validation`, where the container tells."""


class Converted(NamedTuple):
    """What became of a record: its messages and what was noticed; no messages when unusable."""

    messages: tuple[Message, ...]
    problems: tuple[Problem, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    rejected: tuple[Message, ...] = ()
    """The worse answer of a preference pair."""
    label: bool | None = None
    """Whether the last answer was rated good."""
    shared: int = 0
    """Of a pair whose sides part before the last question: messages that both have."""
    continues: bool = False
    """Whether a plain text goes on in the next record."""
    repaired: tuple[str, ...] = ()
    """Repairs that were made, with consent."""


def refused(*problems: Problem) -> Converted:
    """A record that cannot be used."""
    return Converted((), problems)


class ReadOptions(BaseModel):
    """What somebody said about how a source is to be read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, str] = Field(default_factory=dict)
    """Role (`prompt`, `completion`, `system`, `label`, `text`) -> column."""
    speaker: str | None = None
    """Who of a chat or mailbox is the assistant; several of a team with commas."""
    sheet: str | None = None
    """Sheet of a workbook."""
    member: str | None = None
    """File inside an archive."""
    format: str | None = None
    """The format, where recognition went wrong."""
    fixes: frozenset[str] = frozenset()
    """Repairs consented to, by name; `all` for every one."""
    method: Method = Method.SFT
    """What is to be learnt: it decides which rows are fit, and whether text is plain text."""

    def named(self) -> dict[str, str]:
        """What was said that is one word each, under the name of its option."""
        said = {"speaker": self.speaker, "sheet": self.sheet, "member": self.member}
        said["format"] = self.format
        return {name: value for name, value in said.items() if value is not None}

    @property
    def as_text(self) -> bool:
        """Whether files and records are read as plain text."""
        return self.method is Method.CPT

    def consents(self, repair: str) -> bool:
        """Whether a repair was asked for."""
        return repair in self.fixes or "all" in self.fixes


Note = Callable[[Problem, int | None], None]
"""Tells something about the file, or about what was left out: a problem and its line."""


class Reading(NamedTuple):
    """One pass over one file: what was said, where notes go, and what was chosen by rule."""

    options: ReadOptions
    note: Note
    choices: dict[str, Choice]
    """Filled while reading: `speaker`, `sheet`, `member`, `prompt_column`, `response_column`."""
    alone: bool = True
    """Whether the file is all there is; one of several need not have the column that was named."""
