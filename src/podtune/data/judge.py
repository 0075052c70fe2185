"""One record after another -> is it good, what is wrong with it, what would mend it.

Holds a few numbers for each row and never the rows themselves, so that memory stays flat.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, cast

import msgspec

from podtune.core.dataset import TEXT_ROLE, Conversation, Message
from podtune.data import method_fit, repairs
from podtune.data.findings import CODES, Findings
from podtune.data.formats.chat import is_final
from podtune.data.message_text import private_parts, whole, with_text
from podtune.data.names import SIDES
from podtune.data.quality import sensitive, wording
from podtune.data.quality.languages import Languages
from podtune.data.quality.repeats import Repeats
from podtune.data.quality.suffixes import Suffixes, stripped
from podtune.data.record import Converted, Problem, ReadOptions, Record
from podtune.data.sizes import Sizes
from podtune.data.split import normalise

TOO_FEW: Final = 3
"""Rows below which nothing can be learnt but the rows themselves."""

FEW: Final = 50
"""Good rows below which a note says so; OpenAI's guide starts at 50."""

ONE_ANSWER_SHARE: Final = 0.05
"""Share of the rows from which one and the same answer is worth a note."""

KEYS_KEPT: Final = 20
"""Unused keys that are counted by name."""

_LANGUAGE_SAMPLE: Final = 2000

_PII: Final = frozenset({"pii_email", "pii_phone", "pii_card", "pii_iban"})
_SECRET: Final = frozenset({"secret"})

Convert = Callable[[object, Callable[[Problem], None]], Converted]


class Rejected(NamedTuple):
    """A row that is not trained on, as it stands in `rejected.jsonl`."""

    line: int | None
    row: int
    codes: tuple[str, ...]
    reason: str
    """In the table's words, without the row's text."""


class Among(NamedTuple):
    """Where a file stands among those that are read as one."""

    number: int = 0
    """From 0, in the order they are read."""
    side: str | None = None
    """`train` or `validation`, where its name says so."""
    asked: dict[int, int] | None = None
    """Hash of a question that is trained on -> where it stands; shared by the files."""


ALONE: Final = Among()
"""A file that is all there is."""


class Judge:
    """Takes the records of one file in order."""

    def __init__(
        self, convert: Convert, options: ReadOptions, findings: Findings, repeats: Repeats,
        among: Among = ALONE, *, tells_rows: bool = True,
    ) -> None:  # fmt: skip
        """Begin with no row.

        Args:
            convert: Record -> messages.
            options: Repairs consented to.
            findings: Where problems go.
            repeats: Shared by the files that are read as one.
            among: Which of them this file is.
            tells_rows: Whether bad rows are findings; not where one for the file says it all.
        """
        self._convert = convert
        self._options = options
        self._method = options.method
        self.findings = findings
        self._repeats = repeats
        self._origin = among.number << 40
        self._side = among.side
        self._tells_rows = tells_rows
        self.rows = self.good = self.after_repair = self.duplicates = 0
        self.repaired: dict[str, int] = defaultdict(int)
        self.dropped_keys: Counter[str] = Counter()
        self.sizes = Sizes()
        self.first_row: Conversation | None = None
        self.first_raw: object = None
        self._styles: set[str] = set()
        self._languages = Languages()
        self._suffixes = Suffixes()
        self._marks: dict[str, str] = {}
        self._asked: dict[int, int] = {} if among.asked is None else among.asked
        self._held: list[tuple[int, int | None, int]] = []
        self._redacts = frozenset(
            code
            for codes, repair in ((_PII, "redact-pii"), (_SECRET, "redact-secrets"))
            if options.consents(repair)
            for code in codes
        )

    @property
    def held_rows(self) -> int:
        """Good rows that the file itself holds out."""
        return len(self._held)

    def prime(self, sample: Iterable[Record]) -> None:
        """Learn from the first records what a consented repair has to take off every row."""
        if not self._options.consents("strip-suffixes"):
            return
        seen = Suffixes()
        for record in sample:
            if record.problem is None:
                messages = self._convert(record.value, _ignored).messages
                if messages:
                    seen.see(messages)
        self._marks = seen.marks()

    def take(self, record: Record) -> Conversation | Rejected | None:
        """Judge a record: a good row, a rejected one, or none at all (an empty line)."""
        if record.problem is not None and record.problem.code == "empty_line":
            self.findings.add(record.problem, record.line)
            return None
        self.rows += 1
        problems: list[Problem] = []
        value = self._value(record, problems)
        converted = Converted(())
        if not any(is_final(p) for p in problems):
            broken = list(problems)
            converted = self._convert(value, problems.append)
            problems.extend(converted.problems)
            if converted.messages and not any(_is_learnt(m) for m in converted.messages):
                problems.append(Problem("no_assistant", "every answer has weight 0"))
            if converted.messages:
                problems.extend(method_fit.problems(converted, self._method))
            if broken and any(is_final(p) for p in problems):
                problems = [p._replace(repair=None) for p in broken]  # mending would not help
        both = self._cleaned(converted.messages + converted.rejected, record.raw, problems)
        messages, worse = both[: len(converted.messages)], both[len(converted.messages) :]
        if len(problems) > 1:
            problems = list({p.code: p for p in reversed(problems)}.values())[::-1]
        errors = [p for p in problems if _is_error(p)]
        mendable = bool(messages) and all(p.repair for p in errors)
        if errors and mendable:
            self.after_repair += 1
        if errors and not (
            mendable and all(self._options.consents(p.repair or "") for p in errors)
        ):
            return self._rejected(record, problems, errors)
        self.after_repair += not errors
        tools = self._cleaned_tools(converted.tools, problems)
        cleaned = converted._replace(messages=messages, rejected=worse, tools=tools)
        return self._kept(record, cleaned, problems, errors)

    def _value(self, record: Record, problems: list[Problem]) -> object:
        """The record's value; a broken one is mended where that is possible."""
        if record.problem is None:
            return record.value
        mended = repairs.mend_json(record.raw) if record.raw else None
        if mended is None:
            problems.append(record.problem)
            return None
        problems.append(record.problem._replace(repair=mended.repair))
        return mended.value

    def _cleaned(
        self, messages: tuple[Message, ...], raw: bytes, problems: list[Problem]
    ) -> tuple[Message, ...]:
        """Messages with wrong decoding, secrets and personal data found, and mended with consent."""
        if not messages:
            return messages
        is_plain = raw.isascii() and b"\\u" not in raw
        if not (raw and is_plain) and any(
            wording.is_mojibake(m.content) for m in messages if m.content
        ):
            if self._options.consents("mojibake"):
                messages = tuple(with_text(m, repairs.mend_mojibake) for m in messages)
                self.repaired["mojibake"] += 1
            else:
                problems.append(Problem("mojibake"))
        if raw and not sensitive.may_hold(raw):
            return messages
        return self._without_sensitive(messages, problems)

    def _without_sensitive(
        self, messages: tuple[Message, ...], problems: list[Problem]
    ) -> tuple[Message, ...]:
        found = private_parts(messages)
        if not found:
            return messages
        for repair, codes in (("redact-pii", _PII), ("redact-secrets", _SECRET)):
            if found.keys() & codes & self._redacts:
                self.repaired[repair] += 1
        for code, masked in found.items():
            if code == "secret_in_answer":
                problems.append(Problem(code, masked, "redact-secrets"))
            elif code not in self._redacts:
                problems.append(Problem(code, masked))
        if not self._redacts:
            return messages
        return tuple(with_text(m, lambda t: sensitive.redact(t, self._redacts)) for m in messages)

    def _cleaned_tools(
        self, tools: tuple[Mapping[str, Any], ...], problems: list[Problem]
    ) -> tuple[Mapping[str, Any], ...]:
        """Declared tools; what is private in their descriptions is found and blotted out too."""
        text = msgspec.json.encode(tools).decode() if tools else ""
        hits = {hit.code: hit.masked for hit in sensitive.scan(text)} if text else {}
        known = {p.code for p in problems}
        problems.extend(
            Problem(code, masked)
            for code, masked in hits.items()
            if code not in self._redacts and code not in known
        )
        if not hits.keys() & self._redacts:
            return tools
        blotted = sensitive.redact(text, self._redacts)
        return tuple(cast("list[Mapping[str, Any]]", msgspec.json.decode(blotted)))

    def _rejected(self, record: Record, problems: list[Problem], errors: list[Problem]) -> Rejected:
        for problem in problems if self._tells_rows else ():
            self.findings.add(problem, record.line, self.rows)
        words = "; ".join(
            CODES[p.code].message + (f" ({p.detail})" if p.detail else "") for p in errors
        )
        codes = tuple(dict.fromkeys(CODES[p.code].shown_as or p.code for p in errors))
        return Rejected(record.line, self.rows, codes, words)

    def _kept(
        self, record: Record, converted: Converted, problems: list[Problem], errors: list[Problem]
    ) -> Conversation | None:
        for problem in problems:
            if problem not in errors:
                self.findings.add(problem, record.line, self.rows)
        for repair in {p.repair for p in errors if p.repair}:
            self.repaired[repair] += 1
        messages = converted.messages
        if self._marks and (bare := stripped(messages, self._marks)) != messages:
            messages = bare
            self.repaired["strip-suffixes"] += 1
        if self._repeat(record, messages, converted):
            self.repaired["drop-duplicates"] += 1
            self.after_repair -= 1
            return None
        self._wording(record, messages, {p.code for p in problems})
        self.good += 1
        self.sizes.add(messages)
        split = record.split or _split_of(record.value) or self._side
        conversation = Conversation(
            messages,
            record.line or self.rows,
            converted.tools,
            converted.rejected,
            self.rows,
            split,
            converted.label,
            converted.shared,
            converted.continues,
        )
        self._leaks(conversation, record.line)
        if self.first_row is None:
            self.first_row, self.first_raw = conversation, record.value
        return conversation

    def _repeat(self, record: Record, messages: tuple[Message, ...], converted: Converted) -> bool:
        """Whether the row repeats an earlier one and is to go; says so, and what is nearly so."""
        answer = messages[-1].content or ""
        question = "\n".join(m.content or "" for m in messages[:-1] if m.role != "system")
        everything = "\n".join(map(whole, (*messages, *converted.rejected)))
        is_weighed = bool(converted.rejected) or converted.label is not None
        if converted.label is not None:
            everything += f"\n{converted.label}"
        if converted.tools:
            everything += f"\n{converted.tools}"
        seen = self._repeats.see(self._origin | self.rows, question, answer, everything)
        drops = seen.duplicate_of is not None and self._options.consents("drop-duplicates")
        self.duplicates += seen.duplicate_of is not None
        for code, of in (
            ("duplicate", None if drops else seen.duplicate_of),
            ("near_duplicate", seen.near_of),
            ("conflicting_answers", seen.conflicts_with),
        ):
            if of is not None and not (is_weighed and code == "conflicting_answers"):
                self._point(code, record.line, self.rows, of)
        return drops

    def _point(self, code: str, line: int | None, row: int, of: int) -> None:
        """A finding that points to an earlier row, of this file or of another."""
        here, other = of >> 40 == self._origin >> 40, of & (2**40 - 1)
        detail = None if here else f"row {other} of file {(of >> 40) + 1}"
        self.findings.add(Problem(code, detail), line, row, other if here else None)

    def _wording(self, record: Record, messages: tuple[Message, ...], told: set[str]) -> None:
        """What is odd about how a row is worded."""
        answer = messages[-1].content or ""
        is_text = messages[-1].role == TEXT_ROLE
        if not is_text and wording.looks_cut(answer) and "truncated_answer" not in told:
            self.findings.add(Problem("truncated_answer"), record.line, self.rows)
        if not record.raw or b"<" in record.raw or b"[INST" in record.raw:
            marker = next(
                (k for m in messages if m.content and (k := wording.chat_markers(m.content))), None
            )
            if marker is not None:
                self.findings.add(Problem("already_templated", f"such as {marker}"), record.line)
        for m in messages:
            if m.role == "assistant":
                self._styles.add(_style(m))
        if self.good < _LANGUAGE_SAMPLE:
            self._languages.add(answer)
        self._suffixes.see(messages)

    def _leaks(self, conversation: Conversation, line: int | None) -> None:
        """Remember what is asked on either side, where the file tells the sides apart."""
        if conversation.split is None:
            return
        question = normalise(conversation.first_user_turn()).encode(errors="replace")
        key = int.from_bytes(hashlib.blake2b(question, digest_size=8).digest(), "big")
        if conversation.split == "validation":
            self._held.append((key, line, self.rows))
        else:
            self._asked.setdefault(key, self._origin | self.rows)

    def finish(self) -> None:
        """What only the whole file tells."""
        for key, line, row in self._held:
            if key in self._asked:
                self._point("train_val_leak", line, row, self._asked[key])
        if len(self._styles) > 1:
            self.findings.add(Problem("mixed_reasoning_styles"))
        languages = self._languages.mixed()
        if languages:
            words = ", ".join(f"{name} {count}" for name, count in languages.items())
            self.findings.add(Problem("mixed_language", words))
        for code, suffix in self._suffixes.found():
            self.findings.add(Problem(code, f"{suffix!r}"))
        self._counts()
        if self.dropped_keys:
            names = ", ".join(key[:40] for key, _ in self.dropped_keys.most_common(8))
            self.findings.add(Problem("keys_not_used", names))

    def _counts(self) -> None:
        rows, first = self._repeats.commonest_answer()
        if self._options.as_text:  # how long they are says more than how many
            return
        for problem in size_problems(self.rows, self.good):
            self.findings.add(problem)
        if self.good >= FEW and rows > ONE_ANSWER_SHARE * self.good:
            row = first & (2**40 - 1)
            self.findings.add(Problem("one_answer", f"{rows} rows, first row {row}"))
        if not self._repeats.near_complete:
            self.findings.add(Problem("near_repeats_sampled"))


def size_problems(rows: int, good: int) -> list[Problem]:
    """What is to be said of how many rows there are."""
    if good > 0 and rows < TOO_FEW:
        return [Problem("too_few_rows", f"{rows} found")]
    return [Problem("few_rows", f"{good} good")] if 0 < good < FEW else []


def _ignored(problem: Problem) -> None:
    """Problems of a look ahead; they are told when the row's turn comes."""


def _is_learnt(message: Message) -> bool:
    return message.role in ("assistant", TEXT_ROLE) and message.weight != 0


def _is_error(problem: Problem) -> bool:
    return is_final(problem) or is_final(problem._replace(repair=None))


def _style(message: Message) -> str:
    if message.reasoning_content:
        return "reasoning_content"
    return "think" if message.content and "<think>" in message.content[:200] else "none"


def _split_of(value: object) -> str | None:
    """The side a record names itself."""
    if not isinstance(value, dict):
        return None
    said = cast("Mapping[str, object]", value).get("split")
    if not isinstance(said, str):
        return None
    return SIDES.get(said.strip().lower())
