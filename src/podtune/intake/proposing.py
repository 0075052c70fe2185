"""What a language model proposes of a request -> what of it holds, by the same grammar that reads without one.

A proposal is a field, a value and the words it was read from. The words must stand in the request; what can
be read again is read again from them and from their whole sentence, and both must say the same. What does not
hold is a question, never a value. Pure: knows no model, no network and no settings.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from podtune.intake.proposal import Proposal, Proposed, same
from podtune.intake.words import normalise, secrets
from podtune.intake.words.candidates import Value
from podtune.intake.words.document import Document
from podtune.intake.words.parse import ParsedRequest, Span, documented, local_now, parse

MOST_ASKED: Final = 5
"""Questions that a proposal may cost; one that would cost more is passed over. Chosen: a short dialogue."""
HIDDEN: Final = "[hidden]"
"""Stands for a key or a password in what a model is shown."""


class Checked(NamedTuple):
    """A request as both readers see it, and what became of the proposal."""

    parsed: ParsedRequest
    added: tuple[str, ...]
    """Fields that the grammar had missed and that hold."""
    asked: tuple[str, ...]
    """Fields that did not hold and are asked about instead."""
    refused: tuple[str, ...]
    """Fields that changed nothing: the grammar reads them otherwise, or may not be overruled."""
    is_passed_over: bool = False
    """Whether so much did not hold that nobody is bothered with it."""


_BUDGET: Final = ("budget_amount", "budget_currency", "budget_scope", "budget_kind")
_COPIED: Final = frozenset(
    ("dataset_hint", "dataset_prompt_column", "dataset_response_column", "system_prompt", "output_name", "base_model_mention", "base_model_variant")
)  # fmt: skip
"""Words that are taken as they stand; they spend nothing and open nothing by themselves."""
_PLACES: Final = frozenset(("dataset_ref", "eval_ref", "resume_from", "callback_url"))
"""Addresses and paths: one of the text's own, whole."""
_GUESSES: Final = frozenset(("task", "priority", "dataset_hint", "base_model_mention", "base_model_variant"))  # fmt: skip
"""Nothing is asked about these where they do not hold: they decide nothing."""
_TASKS: Final = frozenset(
    ("customer_support", "qa", "summarization", "classification", "extraction", "translation", "code", "writing_style", "tool_use", "reasoning", "chat", "other")
)  # fmt: skip
_HARMLESS: Final = frozenset(("estimate", "check_data", "status"))
"""Intents that start, stop and spend nothing."""
_GROUPS: Final = (("budget_", "budget"), ("base_model_", "base_model"), ("dataset_ref", "dataset"))
"""What a question is called that is due for several fields."""
_MOST_PLACES: Final = 3
"""Places of a quotation that are looked at. Chosen: each costs two readings of a few milliseconds."""
_SENTENCE_END: Final = re.compile(r"[.!?](?=\s|$)|[\n。！？;]")  # noqa: RUF001 - ends of Chinese sentences
_LONGEST_SENTENCE: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,95}(?:/[A-Za-z0-9][A-Za-z0-9._\-]{0,95})?")
_COLUMN: Final = re.compile(r"[^\W\d][\w \-]{0,60}")


def shown(request: str) -> str:
    """What a model may see of a request: plain characters, keys and passwords hidden.

    Raises:
        SpecError: the request is too long; code `request_too_long`.
    """
    parse(request)
    masked, _ = secrets.mask(normalise.normalise(request).text)
    return re.sub(f"{secrets.MASK}+", HIDDEN, masked)


def check(request: str, proposal: Proposal, now: datetime | None = None) -> Checked:
    """Hold a proposal against the request.

    Whatever the grammar reads stays: its values, conflicts, questions and flags. A proposal can fill in what
    it missed, ask, and make an intent cheaper; it raises no cap, publishes nothing and starts nothing. One of
    which more than `MOST_ASKED` fields do not hold changes nothing.

    Args:
        request: As it was typed.
        proposal: What a model made of `shown(request)`.
        now: Local time that `tomorrow` counts from.

    Raises:
        SpecError: the request is too long; code `request_too_long`.
    """
    return _Checking(request, now).hold(proposal)


class _Checking:
    """One request, while a proposal is held against it."""

    def __init__(self, request: str, now: datetime | None) -> None:
        self._now = local_now(now)
        self._own = parse(request, self._now)
        self._plain = normalise.normalise(request)
        self._text, _ = secrets.mask(self._plain.text)
        self._document: Document = documented(self._text, self._now)
        self._fields: dict[str, Value] = dict(self._own.fields)
        self._spans: dict[str, Span] = dict(self._own.spans)
        self._asks = list(self._own.must_ask)
        self._confirms = list(self._own.must_confirm)
        self._flags = set(self._own.flags)
        self._added: list[str] = []
        self._asked: list[str] = []
        self._refused: list[str] = []

    def hold(self, proposal: Proposal) -> Checked:
        """Every proposed field in turn; a budget as one."""
        first = {one.field: one for one in reversed(proposal.fields)}
        for one in (first[name] for name in first if name not in _BUDGET):
            self._hold_one(one)
        self._hold_budget([first[name] for name in _BUDGET if name in first])
        if len(set(self._asked)) > MOST_ASKED:
            return Checked(self._own, (), (), tuple(first), is_passed_over=True)
        parsed = self._own._replace(
            fields=self._fields, spans=self._spans, must_ask=self._asks, must_confirm=self._confirms, flags=sorted(self._flags)
        )  # fmt: skip
        return Checked(parsed, tuple(self._added), tuple(self._asked), tuple(self._refused))

    def _hold_one(self, one: Proposed) -> None:
        own = self._own.fields.get(one.field)
        if own is not None and one.field != "intent":
            self._refused += [] if same(one.value, own) else [one.field]
        elif one.field == "intent":
            self._hold_intent(one)
        elif self._is_open(one.field):
            self._refused.append(one.field)
        elif one.field in _COPIED or one.field == "task":
            self._copy(one)
        else:
            self._read_again(one)

    def _hold_intent(self, one: Proposed) -> None:
        """Only what starts, stops and spends nothing may take another intent's place."""
        own = self._own.fields.get("intent")
        if one.value == own:
            return
        for place in self._places(one.quote):
            is_said = self._readings(place)[0].fields.get("intent") == one.value
            if one.value in _HARMLESS and (own == "other" or (own == "train" and is_said)):
                self._take("intent", one.value, place)
                return
        self._refused.append("intent")

    def _hold_budget(self, proposed: Sequence[Proposed]) -> None:
        """All four fields or none: an amount of one sentence in the currency of another is nobody's budget."""
        if not proposed:
            return
        if any(name in self._own.fields for name in _BUDGET) or self._is_open("budget_amount"):
            own = self._own.fields
            self._refused += [p.field for p in proposed if not same(p.value, own.get(p.field))]
            return
        for place in self._places(proposed[0].quote):
            quoted, whole = self._readings(place)
            agrees = all(
                reading.fields.get(name) == whole.fields.get(name)
                for reading in (quoted, whole)
                for name in _BUDGET
            ) and all(same(p.value, whole.fields.get(p.field)) for p in proposed)
            if agrees and "budget" not in (*whole.must_ask, *quoted.must_ask):
                for name in _BUDGET:
                    self._take(name, whole.fields[name], place)
                return
        self._ask("budget_amount")

    def _read_again(self, one: Proposed) -> None:
        """Taken where the quotation and its whole sentence say the same; else asked."""
        for place in self._places(one.quote):
            quoted, whole = self._readings(place)
            value = quoted.fields.get(one.field)
            if not same(one.value, value) or value is None:
                continue
            says = whole.fields.get(one.field)
            if says == value and one.field not in whole.conflicts:
                self._take(one.field, value, place)
                self._confirms += [c for c in whole.must_confirm if c == "visibility"]
                self._flags |= set(quoted.flags) & {"implausible_value"}
                return
            if one.field in _PLACES and says is None and self._is_plain_place(str(value)):
                self._take(one.field, value, place)
                self._flags |= set(quoted.flags)
                return
        self._ask(one.field)

    def _is_plain_place(self, value: str) -> bool:
        """Whether an address or a path of the text is neither refused in it nor used for something else."""
        mine = [each for each in self._document.literals if each.value == value]
        return bool(mine) and not any(self._document.is_negated(each.start) for each in mine) and value not in self._fields.values()  # fmt: skip

    def _copy(self, one: Proposed) -> None:
        """Words as they stand, where they are words of the quotation and look like what they are to be."""
        place = next(self._places(one.quote), None)
        words = " ".join(one.value.split())
        stands = place is not None and words != "" and _squeezed(words) in _squeezed(one.quote)
        if place is not None and one.field == "task" and one.value in _TASKS:
            self._take(one.field, one.value, place)
        elif place is not None and stands and _looks_right(one.field, words):
            self._take(one.field, words, place)
        else:
            self._ask(one.field)

    def _take(self, field: str, value: Value, place: Span) -> None:
        self._fields[field] = value
        self._spans[field] = Span(self._plain.origin(place.start), self._plain.origin(place.end))
        self._added.append(field)
        if field in ("dataset_ref", "dataset_hint"):
            self._found_data(field, value, place)
        if field == "base_model_id" and "base_model" in self._asks:
            self._asks.remove("base_model")

    def _found_data(self, field: str, value: Value, place: Span) -> None:
        """Data that only the model saw is no longer asked for, but confirmed with the plan."""
        quoted, _ = self._readings(place)
        kind = quoted.fields.get("dataset_kind") if field == "dataset_ref" else "described"
        if field == "dataset_ref" or "dataset_kind" not in self._fields:
            self._fields["dataset_kind"] = kind or "file"
        if "dataset" in self._asks:
            self._asks.remove("dataset")
        if "dataset" not in self._confirms:
            self._confirms.append("dataset")

    def _ask(self, field: str) -> None:
        """A question instead of a value, where the answer decides anything."""
        if field in _GUESSES:
            self._refused.append(field)
            return
        name = next((group for head, group in _GROUPS if field.startswith(head)), field)
        self._asked.append(name)
        if name not in self._asks:
            self._asks.append(name)

    def _is_open(self, field: str) -> bool:
        """Whether the grammar saw a contradiction or a choice here: a person settles that, not a model."""
        name = next((group for head, group in _GROUPS if field.startswith(head)), field)
        if field.startswith("dataset_"):
            name = "dataset"
            return self._own.fields.get("dataset_kind") == "files" or "secret_in_request" in self._own.flags  # fmt: skip
        return bool({field, name} & {*self._own.must_ask, *self._own.conflicts})

    def _readings(self, place: Span) -> tuple[ParsedRequest, ParsedRequest]:
        """What the grammar reads in quoted words alone, and in the sentence around them."""
        start, end = _sentence(self._text, place)
        return parse(self._text[place.start : place.end], self._now), parse(
            self._text[start:end], self._now
        )

    def _places(self, quote: str) -> Iterator[Span]:
        """Where quoted words stand in the request, outside of its own quotations and without a secret."""
        words = [re.escape(word) for word in normalise.normalise(quote).text.split()]
        if not words:
            return
        found = 0
        for match in re.finditer(r"\s+".join(words), self._text, re.IGNORECASE):
            place = Span(match.start(), match.end())
            if secrets.MASK in match[0] or found == _MOST_PLACES or self._is_cut_out(place):
                continue
            found += 1
            yield place

    def _is_cut_out(self, place: Span) -> bool:
        """Whether a quotation begins or ends within a word, or lies within what the request itself quotes."""
        before, after = self._text[: place.start][-1:], self._text[place.end : place.end + 1]
        inside = any(
            each.start < place.start and place.end < each.end for each in self._document.literals
        )
        return inside or _joins(before, self._text[place.start]) or _joins(self._text[place.end - 1], after)  # fmt: skip


def _joins(one: str, other: str) -> bool:
    """Whether two characters belong to one word or number: `$1|5`, `2|.5` and `tick|ets` may not be cut."""
    if one.isascii() and other.isascii():
        return one.isalnum() and other.isalnum()
    return False


def _sentence(text: str, place: Span) -> Span:
    """The sentence around a place, at most `_LONGEST_SENTENCE` to each side."""
    low = max(0, place.start - _LONGEST_SENTENCE)
    ends = [m.end() for m in _SENTENCE_END.finditer(text, low, place.start)]
    after = _SENTENCE_END.search(text, max(place.start, place.end - 1), place.end + _LONGEST_SENTENCE)  # fmt: skip
    return Span(ends[-1] if ends else low, after.end() if after else min(len(text), place.end + _LONGEST_SENTENCE))  # fmt: skip


def _looks_right(field: str, words: str) -> bool:
    if field == "output_name":
        return _NAME.fullmatch(words) is not None
    if field.endswith("_column"):
        return _COLUMN.fullmatch(words) is not None
    return True


def _squeezed(words: str) -> str:
    return " ".join(words.lower().split())
