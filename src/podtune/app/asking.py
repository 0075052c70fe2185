"""A request in words -> what is understood, what is open, and a plan once nothing is: the one way of every face.

Composes the parser, the locator and the planner, and decides nothing of its own: what was not said is asked
or stands in the plan as assumed. Starts nothing, rents nothing, writes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from podtune.app.locate import Located, locate
from podtune.app.open_questions import (
    DATASET,
    about_data,
    chosen,
    in_order,
    of_error,
    picked,
    refuse_unasked,
    with_idle,
)
from podtune.app.settings import Settings
from podtune.app.workspace import Workspace
from podtune.core.errors import DatasetError, SpecError
from podtune.core.plan import Plan
from podtune.core.request import MAX_WHY, TrainingRequest
from podtune.core.spec import Method
from podtune.intake.resolve import refuse_unknown
from podtune.intake.understand import understand
from podtune.intake.understood import Question, Understood
from podtune.intake.words.parse import ParsedRequest, parse

SOURCE: Final = "data.source"

CEILING: Final = "where.max_usd"

_PLACE: Final = "where.on"

_MODEL: Final = "base_model.name"
_PATHS: Final = ("data.validation_source", "deliver.to", _MODEL)
"""Fields beside the data that may name a file or folder of this machine."""
_PATH_BEGINS: Final = (".", "/", "~")
"""How the path of a model folder begins; the Hub has no such names."""

_ANSWERED_BY: Final = {
    DATASET: SOURCE,
    "base_model": _MODEL,
    "budget": CEILING,
    "gpu_type": "where.gpu",
    "where": _PLACE,
    "visibility": "deliver.public",
}
"""Question -> the field of the spec that answers it."""

TRAINS: Final = ("train", "estimate")
"""Intents that lead to a plan."""


class Planner(Protocol):
    """What of the service is needed to plan."""

    @property
    def settings(self) -> Settings:
        """Of this installation."""
        ...

    def plan(self, request: TrainingRequest) -> Plan:
        """A plan, with no side effect."""
        ...


Parser = Callable[[str, datetime | None], ParsedRequest]


class Asked(NamedTuple):
    """How far a request in words is."""

    parsed: ParsedRequest
    understood: Understood
    questions: tuple[Question, ...]
    """Open ones: those that must be answered first, then assumptions to be confirmed with the plan."""
    located: Located | None = None
    """Where the data was only described."""
    request: TrainingRequest | None = None
    """What is planned; None for an intent that plans nothing, and while the data is open."""
    plan: Plan | None = None
    """None while something that must be answered is open."""

    @property
    def intent(self) -> str:
        """`train`, `estimate`, `check_data`, `status`, `stop` or `other`."""
        return self.understood.intent

    @property
    def must(self) -> tuple[Question, ...]:
        """Questions without an answer that anybody may assume."""
        return tuple(q for q in self.questions if q.must)

    @property
    def assumptions(self) -> tuple[Question, ...]:
        """Questions whose first option is assumed, until somebody says otherwise."""
        return tuple(q for q in self.questions if not q.must)

    def to_json(self) -> dict[str, Any]:
        """What programs read: no row text, and secrets masked."""
        told = self.understood
        return {
            "intent": told.intent,
            "stated": dict(told.stated),
            "quotes": dict(told.quotes),
            "assumed": {
                path: {"value": value, "why": why} for path, (value, why) in told.assumed.items()
            },
            "questions": [q.model_dump(mode="json") for q in self.questions],
            "told": list(told.told),
            "looked": self.located.looked if self.located else None,
            "flags": list(self.parsed.flags),
            "plan_digest": self.plan.digest if self.plan else None,
        }


class Asking:
    """Takes requests in words.

    Args:
        service: Plans.
        workspace: The working folder; None where callers have none (tenants): they name addresses alone.
        roots: Folders beside it that a caller may speak of.
        parser: Reads the words; the offline grammar, where nothing else is given.
    """

    def __init__(
        self,
        service: Planner,
        workspace: Path | None,
        roots: Sequence[Path] = (),
        parser: Parser = parse,
    ) -> None:
        self._service = service
        self._parser = parser
        self._workspace = (
            Workspace.of(workspace, service.settings, roots) if workspace is not None else None
        )

    def read(self, sentence: str, now: datetime | None = None) -> ParsedRequest:
        """What a sentence states.

        Raises:
            SpecError: it is too long.
        """
        return self._parser(sentence, now)

    def begin(
        self,
        sentence: str,
        answers: Mapping[str, str] | None = None,
        *,
        stated: Mapping[str, object] | None = None,
        now: datetime | None = None,
        parsed: ParsedRequest | None = None,
    ) -> Asked:
        """Understand a sentence, and plan it where nothing that must be answered is open.

        Args:
            sentence: As it was typed.
            answers: Field of a question -> its answer: a value; of the data also a candidate's number.
            stated: What was said beside the sentence, by spec path; it wins, but for a ceiling, which it can
                only lower.
            now: Local time that `tomorrow` counts from.
            parsed: What `read` found in it, where that is known.

        Raises:
            PodtuneError: it is refused, or the plan is: bad data, an unknown model, over the ceiling.
        """
        read = parsed or self._parser(sentence, now)
        given = {name: answer.strip() for name, answer in (answers or {}).items()}
        refuse_unasked(given)
        if stated and _PLACE in stated:  # it decides what else is asked
            given["where"] = str(stated[_PLACE])
        heard = understand(read, sentence, given, now=now)
        refuse(heard)
        heard = with_idle(heard, read, sentence, given, now)
        heard = self._confined(heard)
        if stated:
            heard = _beside(heard, stated)
        if heard.intent not in (*TRAINS, "check_data"):
            return Asked(read, heard, heard.questions)
        return self._with_data(read, heard, given)

    def _confined(self, heard: Understood) -> Understood:
        """The same with every path that words named inside the workspace, whatever it is for.

        Raises:
            SpecError: one lies outside.
        """
        named = {p: heard.stated[p] for p in _PATHS if isinstance(heard.stated.get(p), str)}
        paths = {
            path: self._inside(value)
            for path, value in named.items()
            if isinstance(value, str) and (path != _MODEL or value.startswith(_PATH_BEGINS))
        }
        return heard.model_copy(update={"stated": {**heard.stated, **paths}}) if paths else heard

    def _with_data(self, read: ParsedRequest, heard: Understood, given: Mapping[str, str]) -> Asked:
        """Find the data, then plan."""
        located = self._located(read, heard)
        source = self._source(heard, given, located)
        is_open = given.get(DATASET) is None and (located is not None or source is None)
        questions = [q for q in heard.questions if not (is_open and q.field == DATASET)]
        if is_open:
            questions.insert(0, about_data(located, heard.data_hint, is_taken=source is not None))
        asked = Asked(read, heard, in_order(questions), located)
        if source is None:
            return asked
        asked = asked._replace(request=_request(heard, source, given))
        if heard.intent == "check_data" or asked.must:
            return asked
        return self._planned(asked, _request(heard, source, given))

    def _located(self, read: ParsedRequest, heard: Understood) -> Located | None:
        """What a description may mean; None where the data is named, or nobody may look."""
        if SOURCE in heard.stated or SOURCE in heard.assumed or self._workspace is None:
            return None
        task = read.fields.get("task")
        return locate(
            heard.data_hint,
            self._workspace,
            task=str(task) if task else None,
            method=Method(str(heard.stated.get("method", Method.SFT.value))),
        )

    def _source(
        self, heard: Understood, given: Mapping[str, str], located: Located | None
    ) -> "_Source | None":
        """The data that was named, chosen, or fits alone; None while it is open."""
        answer = given.get(DATASET)
        if answer is not None:
            found = chosen(answer, located)
            return _Source(self._inside(found.source if found else answer), None)
        if SOURCE in heard.stated:
            return _Source(self._inside(str(heard.stated[SOURCE])), None)
        if SOURCE in heard.assumed:
            value, why = heard.assumed[SOURCE]
            return _Source(self._inside(str(value)), why)
        only = located.only if located else None
        is_asked = any(q.field == DATASET and q.must for q in heard.questions)
        if only is None or is_asked:
            return None
        why = f"the only data here that fits {heard.data_hint!r}: {only.words}"
        return _Source(self._inside(only.source), why)

    def _inside(self, named: str) -> str:
        """A source as it may be used by this caller.

        Raises:
            SpecError: it lies outside of the workspace, or there is none.
        """
        if self._workspace is not None:
            return self._workspace.source(named)
        if "://" in named:
            return named
        raise SpecError(
            f"{named!r} is no address, and files of this machine are not for this caller",
            code="outside_workspace",
            hint="upload it, or name an https:// or hf:// address",
        )

    def _planned(self, asked: Asked, request: TrainingRequest) -> Asked:
        """The plan; what it lacks becomes a question, and an estimate takes the ceiling that is suggested."""
        try:
            return asked._replace(request=request, plan=self._service.plan(request))
        except (SpecError, DatasetError) as error:
            if error.code == "budget_needed" and asked.intent == "estimate":
                ceiling = error.context["suggested_usd"]
                why = "what this would need; an estimate rents nothing"
                return self._planned(asked, _assuming(request, CEILING, ceiling, why))
            question = of_error(error)
            if question is None:
                raise
            return asked._replace(questions=in_order([question, *asked.questions]))


class _Source(NamedTuple):
    """Where the data is, and why that is assumed; None where it was said."""

    source: str
    why: str | None


def refuse(heard: Understood) -> None:
    """Raise where a request may not be followed.

    Raises:
        SpecError: with every reason; code of the first.
    """
    if not heard.refusals:
        return
    first = heard.refusals[0]
    raise SpecError(
        "; ".join(r.text for r in heard.refusals), code=first.code, hint=first.hint or None
    )


def _beside(heard: Understood, more: Mapping[str, object]) -> Understood:
    """What was understood, and what was said beside it.

    Raises:
        SpecError: a field that is none; or a ceiling over that of the sentence: code `ceiling_raised`.
    """
    refuse_unknown(more)
    said, wanted = heard.stated.get(CEILING), more.get(CEILING)
    if isinstance(said, int | float) and isinstance(wanted, int | float) and wanted > said:
        raise SpecError(
            f"the request says at most ${said:g}; {CEILING}={wanted:g} is over it",
            code="ceiling_raised",
            hint=f"say the ceiling once, or leave {CEILING} away",
        )
    answered = {field for field, path in _ANSWERED_BY.items() if path in more}
    return heard.model_copy(
        update={
            "stated": {**heard.stated, **more},
            "quotes": {path: words for path, words in heard.quotes.items() if path not in more},
            "assumed": {path: why for path, why in heard.assumed.items() if path not in more},
            "questions": tuple(q for q in heard.questions if q.field not in answered),
        }
    )


def _request(heard: Understood, source: _Source, given: Mapping[str, str]) -> TrainingRequest:
    """What is planned: what was said, what was chosen, and why the rest of it is assumed."""
    stated = {path: value for path, value in heard.stated.items() if path != SOURCE}
    assumed = {path: why for path, why in heard.assumed.items() if path != SOURCE}
    if source.why is None:
        stated[SOURCE] = source.source
    else:
        assumed[SOURCE] = (source.source, source.why[:MAX_WHY])
    quotes = heard.quotes
    if DATASET in given:  # the words named another, or none
        quotes = {path: words for path, words in quotes.items() if path != SOURCE}
    changes = {"stated": {**stated, **picked(given)}, "assumed": assumed, "quotes": quotes}
    return heard.model_copy(update=changes).request()


def _assuming(request: TrainingRequest, path: str, value: object, why: str) -> TrainingRequest:
    changes = {"stated": {**request.stated, path: value}, "assumed": {**request.assumed, path: why}}
    return request.model_copy(update=changes)
