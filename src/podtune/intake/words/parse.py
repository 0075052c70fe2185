"""A request in words -> the fields it states, what must be asked, what contradicts, what is suspicious.

Takes text and the local time; reads no file, no environment and no network. Nothing here decides about
money: a cap that a text states can only lower what somebody configured.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from podtune.core.clock import utc_now
from podtune.core.errors import SpecError
from podtune.intake.words import (
    cards,
    choices,
    columns,
    datasets,
    deadlines,
    durations,
    hostile,
    intents,
    literals,
    money,
    names,
    normalise,
    outputs,
    questions,
    regions,
    secrets,
    sources,
    switches,
    tasks,
    tokens,
)  # fmt: skip
from podtune.intake.words.candidates import Candidate, Value
from podtune.intake.words.clauses import corrections, settle
from podtune.intake.words.document import Document
from podtune.intake.words.fields import Reader
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.patterns import Pattern

_HISTORY: Final = Pattern(
    r"\b(?:same (?:as|thing as|settings? as|config as|again)|like|as|repeat|again|reuse) (?:the )?(?:last|before|previous(?:ly)?|earlier|yesterday|my last|our last)\b(?! (?:two|three|\d))|\b(?:last time|same (?:file|data\w*|rows|model|settings) as (?:in |for |of )?(?:job|run|last|before|the last)|as before|as always|as usual|once more|the usual|same settings|same again|same as always|previous (?:run|job|settings))\b|\brepeat (?:the|that|my|last)|\b(?:run|do|train|start) (?:it|that|this) again\b|\bwie (?:beim )?letzte\w*|\bwie (?:vorher|zuvor|immer|gehabt)|\bnoch ?mal\b|"
    r"\bcomme (?:la derniere fois|avant|d habitude|hier)|\bcomo (?:la ultima vez|antes|siempre|ayer)|\blo mismo que\b|\bcome (?:l ultima volta|prima|sempre|ieri)|\bcomo (?:da ultima vez|da outra vez|sempre|ontem)|\bo mesmo que\b|和上次一样|跟上次|像上次|前回と同じ"
)
_BUDGET: Final = ("budget_amount", "budget_currency", "budget_scope", "budget_kind")
_KNOBLESS: Final = frozenset(("intent", "priority", "task", "dataset_hint", "base_model_mention"))


_SPOKEN_OF: Final = frozenset(("intent", "job_id", "base_model_mention", "base_model_family", "base_model_version", "base_model_size_b", "base_model_variant"))  # fmt: skip
"""What a question of fact names; all else in it (`is $5 a usual budget?`) nobody states."""


class Span(NamedTuple):
    """Where in the request the words of a field stand."""

    start: int
    end: int


class ParsedRequest(NamedTuple):
    """What a request states, and nothing else."""

    fields: Mapping[str, Value]
    """Field -> value, by the names of the request schema; what is not stated is not there."""
    spans: Mapping[str, Span]
    """Field -> the words it was read from, as places in the request. Computed values point at their rule."""
    must_ask: list[str]
    must_confirm: list[str]
    conflicts: list[str]
    flags: list[str]

    def to_json(self) -> dict[str, object]:
        """The five parts that programs read."""
        return {
            "fields": dict(self.fields),
            "must_ask": self.must_ask,
            "must_confirm": self.must_confirm,
            "conflicts": self.conflicts,
            "flags": self.flags,
        }


def parse(request: str, now: datetime | None = None) -> ParsedRequest:
    """Read a request.

    Args:
        request: Text in English, German, French, Spanish, Italian or Portuguese (numbers, units and
            the commonest words of Chinese and Japanese too), at most 20,000 characters.
        now: Local time that `tomorrow` counts from; the machine's where it is not given.

    Raises:
        SpecError: the request is longer than that; code `request_too_long`.
    """
    if len(request) > normalise.MAX_CHARACTERS:
        raise SpecError(
            f"the request has {len(request)} characters, more than {normalise.MAX_CHARACTERS}",
            code="request_too_long",
            hint="say it in a few sentences, or write a spec file: podtune plan --spec FILE",
        )
    plain = normalise.normalise(request)
    masked, has_secret = secrets.mask(plain.text)
    document, models, found_cards = _document(masked, local_now(now))
    parsed = _read(document, models, found_cards)
    flags = set(parsed.flags)
    flags |= {"secret_in_request"} if has_secret else set()
    flags |= {"suspicious_unicode"} if plain.is_suspicious else set()
    spans = {f: Span(plain.origin(s.start), plain.origin(s.end)) for f, s in parsed.spans.items()}
    return parsed._replace(flags=sorted(flags), spans=spans)


def local_now(now: datetime | None) -> datetime:
    """The local time that `tomorrow` counts from: the machine's where none is given."""
    return now or utc_now().astimezone().replace(tzinfo=None)


def documented(masked: str, now: datetime) -> Document:
    """A text whose secrets are masked, as the readers of single fields see it."""
    return _document(masked, now)[0]


def _document(masked: str, now: datetime) -> tuple[Document, list[names.Model], list[cards.Card]]:
    """The text in all its forms, and the models and cards that were taken out of it."""
    taken = literals.find(masked)
    words = normalise.fold(literals.blank(masked, taken)).replace(secrets.MASK, " ")
    language = tokens.language_of(words)
    models = names.find(words)
    without_models = _cover(words, [(m.start, m.end) for m in models], tokens.MODEL_HEAD)
    found_cards = cards.find(without_models)
    folded = _cover(without_models, [(c.start, c.end) for c in found_cards], tokens.CARD_HEAD)
    loose = re.sub(r"[-'_]", " ", folded)
    pieces = tokens.tokenise(folded, language)
    document = Document(masked, folded, loose, words, pieces, taken, language, now)
    return document, models, found_cards


def _cover(text: str, spans: list[tuple[int, int]], head: str) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += (text[at:start], head, literals.TAIL * (end - start - 1))
        at = end
    return "".join([*parts, text[at:]])


def _read(
    document: Document, models: list[names.Model], found_cards: list[cards.Card]
) -> ParsedRequest:
    """Every reader in turn, then one value a field."""
    used = sources.uses(document)
    budget = money.read(document)
    taken = set(budget.used)
    spans = durations.read(document, taken)
    numbers = Reader(document, taken, budget.candidates)
    numbers.read()
    chosen = _model(document, models, used)
    gpus = choices.gpus(document, found_cards)
    data, how = datasets.read(document, used)
    made = outputs.read(document, used)
    moments = deadlines.read(document)
    spans = [s for s in spans if not any(m.start < s.end and s.start < m.end for m in moments)]
    candidates = [
        *numbers.found, *spans, *budget.candidates, *chosen.candidates, *gpus.candidates, *data, *made.candidates, *switches.read(document),
        *moments, *regions.read(document), *tasks.read(document), *columns.read(document, used), *_literal_fields(document, used),
    ]  # fmt: skip
    numbered = settle(choices.avoided(candidates), corrections(document.tokens))
    fields, places, conflicts = _unfold(numbered.chosen, numbered.conflicts)
    _reconcile(fields, conflicts, chosen)
    intent = intents.read(
        document, set(fields), has_data=how != "none", has_model=chosen.is_foreign
    )
    fields["intent"] = intent.value
    _by_intent(fields, intent)
    if intent.is_asking:
        conflicts = []
    says_little = bool(numbers.left_over) or len(document.tokens) <= 2
    is_bare = intent.value == "train" and not set(fields) - _KNOBLESS and says_little
    found = questions.Found(
        how, chosen.is_open, chosen.is_foreign, chosen.model is not None and chosen.model.is_guess,
        budget.is_unusable or _is_bare_limit(document, numbers.left_over), gpus.is_open, made.is_publishing, is_bare or not document.text.strip(),
    )  # fmt: skip
    flags = hostile.flags(document, used) | questions.doubts(fields, found) | made.flags
    if _HISTORY.search(document.loose):
        flags.add("needs_history")
    asked = [] if intent.is_asking else questions.ask(fields, conflicts, found)
    if "injection" in flags and hostile.sets_a_limit(document):
        fields = {f: v for f, v in fields.items() if f not in _BUDGET}
        asked = [*dict.fromkeys((*asked, "budget"))]
    confirmed = questions.confirm(fields, asked, found)
    kept = {field: place for field, place in places.items() if field in fields}
    return ParsedRequest(fields, kept, asked, confirmed, conflicts, sorted(flags))


def _is_bare_limit(document: Document, left_over: Sequence[int]) -> bool:
    """Whether a clause is a limit and a number and no more: `under ten` of what?"""
    limits = (Concept.AT_MOST, Concept.LESS_THAN)
    for at in left_over:
        before = at - 1
        while before >= 0 and document.tokens[before].concept in limits:
            before -= 1
        behind = at + 1
        while behind < len(document.tokens) and document.tokens[behind].concept in limits:
            behind += 1
        opens = before < 0 or document.tokens[before].is_break
        closes = behind == len(document.tokens) or document.tokens[behind].is_break
        if opens and closes and behind - before > 2:
            return True
    return False


def _model(
    document: Document, models: list[names.Model], used: list[sources.Use]
) -> choices.Chosen:
    """A literal id before a name in words; a size that stands alone completes a name without one."""
    ids = [
        u.literal
        for u in used
        if u.role is sources.Role.MODEL and not document.is_negated(u.literal.start)
    ]
    if ids:
        stated = [Candidate("base_model_id", i.value, i.start, i.end) for i in ids]
        chosen = choices.model(document, (), stated)
        if not chosen.candidates:
            return chosen
        literal = next(i for i in ids if i.value == chosen.candidates[0].value)
        bare = names.Model(literal.value, 0, 0, None)
        named = names.parse_id(literal.value.rpartition("/")[2]) or bare
        placed = named._replace(start=literal.start, end=literal.end)
        return choices.Chosen(choices.describe(placed, id_=literal.value))
    chosen = choices.model(document, models, ())
    sizes = {size: (start, end) for size, start, end in names.sizes(document.folded)}
    has_size = any(c.field == "base_model_size_b" for c in chosen.candidates)
    if len(sizes) == 1 and not has_size and not chosen.is_foreign and not chosen.is_open:
        ((size, (start, end)),) = sizes.items()
        value = int(size) if size == int(size) else size
        stated = Candidate("base_model_size_b", value, start, end)
        return chosen._replace(candidates=[*chosen.candidates, stated])
    return chosen


def _literal_fields(document: Document, used: list[sources.Use]) -> list[Candidate]:
    """What literals state by their role alone."""
    found: list[Candidate] = []
    for use in used:
        start, end, value = use.literal.start, use.literal.end, use.literal.value
        if secrets.MASK in value:
            continue
        if use.role is sources.Role.EVAL:
            found += [
                Candidate("eval_ref", value, start, end),
                Candidate("eval_enabled", True, start, end),
            ]
        elif use.role is sources.Role.RESUME and not document.is_negated(start):
            found.append(Candidate("resume_from", value, start, end))
        elif use.role is sources.Role.PROMPT:
            found.append(Candidate("system_prompt", value, start, end))
    return found


def _unfold(
    chosen: Mapping[str, Candidate], conflicting: list[str]
) -> tuple[dict[str, Value], dict[str, Span], list[str]]:
    """Candidates as fields and places; a budget as its four fields."""
    fields: dict[str, Value] = {}
    places: dict[str, Span] = {}
    for field, candidate in chosen.items():
        place = Span(candidate.start, candidate.end)
        if field != "budget":
            fields[field], places[field] = candidate.value, place
            continue
        amount, *rest = str(candidate.value).split("|")
        value = float(amount)
        for name, part in zip(
            _BUDGET, (int(value) if value == int(value) else value, *rest), strict=True
        ):
            if part != "":
                fields[name], places[name] = part, place
    return fields, places, list(conflicting)


def _reconcile(fields: dict[str, Value], conflicts: list[str], chosen: choices.Chosen) -> None:
    """Fields that contradict or follow from each other."""
    model_parts = [c for c in conflicts if c.startswith("base_model")]
    if model_parts and not chosen.is_open:
        conflicts[:] = [c for c in conflicts if c not in model_parts] + ["base_model"]
    if "epochs" in fields and "max_steps" in fields:
        conflicts += ["epochs", "max_steps"]
    if "gpu_any_of" in fields and "gpu_type" in fields:
        fields.pop("gpu_type")
        fields.pop("gpu_any_of")
        conflicts.append("gpu_type")
    if fields.get("local_only") and (fields.get("where") == "runpod" or "runpod_mode" in fields):
        conflicts.append("where")
    if fields.get("quant_bits") in (4, 8) and fields.get("adapter") == "full":
        conflicts.append("adapter")
    if "eval_fraction" in fields or "eval_rows" in fields:
        fields.setdefault("eval_enabled", True)


def _by_intent(fields: dict[str, Value], intent: intents.Intent) -> None:
    """What a job's name brings, and what no training means nothing without."""
    if intent.job_id is not None:
        fields["job_id"] = intent.job_id.value
    if intent.value in ("stop", "status", "other"):
        for field in ("dataset_hint", "dataset_kind", "task"):
            if "dataset_ref" not in fields:
                fields.pop(field, None)
    if intent.value in ("stop", "status", "check_data", "other"):
        fields.pop("priority", None)
        if "base_model_family" not in fields:
            fields.pop("base_model_size_b", None)
    if intent.is_asking:
        for field in set(fields) - _SPOKEN_OF:
            del fields[field]
