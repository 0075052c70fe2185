"""What a program wishes to have trained -> a plan with a token for it, or the questions that are open.

A wish is a sentence or fields of the spec; either is planned at the caller's desk, under its ceilings. Callers of a
shared face have no workspace: they name addresses, or files that they uploaded (`file-...`).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from podtune.app import open_questions
from podtune.app.asking import Asking
from podtune.app.ceilings import FILES
from podtune.app.desk import Desk
from podtune.app.plan_tickets import KIND, PlanTickets
from podtune.app.settings import Settings
from podtune.app.ticket import Ticket
from podtune.core.errors import DatasetError, PodtuneError, SpecError
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.intake.resolve import refuse_unknown
from podtune.intake.understand import Question

SOURCES: Final = ("data.source", "data.validation_source")
UPLOADED: Final = "file-"
"""How the id of an uploaded file begins."""
_UPLOAD: Final = "upload://"
"""Before such an id where an address is meant to stand."""
_PATHS: Final = {"budget": "where.max_usd", "base_model": "base_model.name"}
"""Question -> spec path, where it is not a field of `data`."""

FindFile = Callable[[str], Path]
"""Where an uploaded file of the caller's is, by its id."""


class Wish(NamedTuple):
    """What somebody wants; a sentence, or fields."""

    sentence: str | None
    stated: Mapping[str, object]
    """Spec path -> value."""
    answers: Mapping[str, object]
    """Field of a question -> what was answered."""
    minutes: float | None = None


class Offered(NamedTuple):
    """What comes of a wish."""

    plan: Plan | None
    ticket: Ticket | None
    """None while a question is open, and where no more than an estimate was asked for."""
    questions: tuple[Question, ...]
    intent: str
    """`train`, or `estimate`."""
    uploads: Mapping[str, str]
    """Path of a file here -> the id that the caller knows it by."""
    told: tuple[str, ...] = ()
    """What was asked for and cannot be done, in words."""


class Offers:
    """Makes offers at one caller's desk."""

    def __init__(self, desk: Desk, tickets: PlanTickets, find_file: FindFile) -> None:
        """`find_file` finds what the caller uploaded."""
        self._desk, self._tickets, self._find = desk, tickets, find_file
        self._uploads: dict[str, str] = {}
        self._planned = TrainingRequest()

    @property
    def settings(self) -> Settings:
        """Of this installation."""
        return self._desk.service.settings

    def offer(self, wish: Wish) -> Offered:
        """A plan and its token, or what is open.

        Raises:
            SpecError: it states what there is not, or asks for no training (`no_training`).
            PodtuneError: as `Desk.plan`.
        """
        return self._of_words(wish) if wish.sentence is not None else self._of_fields(wish)

    def plan(self, request: TrainingRequest) -> Plan:
        """A plan at the caller's desk; uploaded files are put in the place of their ids.

        Raises:
            PodtuneError: as `Desk.plan`; there is no such file.
        """
        stated = dict(request.stated)
        for path in SOURCES:
            named = str(stated.get(path, "")).removeprefix(_UPLOAD)
            if named.startswith(UPLOADED):
                found = str(self._find(named))
                self._uploads[found], stated[path] = named, found
        if self._desk.principal.tenant is None:  # of a tenant the desk refuses more
            _refuse_paths(stated, self.settings)
        self._planned = request.model_copy(update={"stated": stated})
        return self._desk.plan(self._planned)

    def _of_fields(self, wish: Wish) -> Offered:
        stated = {**wish.stated, **wish.answers}
        refuse_unknown(stated)
        try:
            plan = self.plan(TrainingRequest(stated=stated, minutes=wish.minutes))
        except (SpecError, DatasetError) as error:
            question = question_of(error)
            if question is None:
                raise
            return Offered(None, None, (question,), "train", {})
        return self._issued(plan, (), "train")

    def _of_words(self, wish: Wish) -> Offered:
        answers = {
            name: f"{_UPLOAD}{text}" if text.startswith(UPLOADED) else text
            for name, text in ((name, str(value)) for name, value in wish.answers.items())
        }
        asked = Asking(self, None).begin(wish.sentence or "", answers)
        told = asked.understood.told
        if asked.plan is not None and not asked.must:
            found = self._issued(asked.plan, asked.questions, asked.intent)
            return found._replace(told=told)
        if asked.must:
            return Offered(None, None, asked.questions, asked.intent, {}, told)
        raise SpecError(
            f"this asks for no training but for {asked.intent!r}",
            code="no_training",
            hint="say what is to be trained on which data; the other routes show and end jobs",
        )

    def _issued(self, plan: Plan, questions: tuple[Question, ...], intent: str) -> Offered:
        ticket = None
        if intent != "estimate":
            ticket = self._tickets.issue(plan, self._planned, self._desk.principal, kind=KIND)
        return Offered(plan, ticket, questions, intent, dict(self._uploads))


def _refuse_paths(stated: Mapping[str, object], settings: Settings) -> None:
    """Raise where a program names a place of the gateway's machine; uploads are none.

    Raises:
        SpecError: code `outside_workspace`.
    """
    uploads = (settings.home / FILES).resolve()
    for path in (*SOURCES, "deliver.to"):
        named = stated.get(path)
        if not isinstance(named, str) or "://" in named:
            continue
        if path in SOURCES and "\0" not in named and Path(named).resolve().is_relative_to(uploads):
            continue
        raise SpecError(
            f"{path}: {named[:200]!r} is no address, and files of this machine are not for this caller",
            code="outside_workspace",
            hint="upload it to /v1/files, or name an https:// or hf:// address",
        )


def question_of(error: PodtuneError) -> Question | None:
    """What a plan lacks that somebody can say, by spec path; None where the error is another."""
    found = open_questions.of_error(error)
    if found is None:
        return None
    name = found.field
    path = _PATHS.get(name, name if "." in name else f"data.{name}")
    return found.model_copy(update={"field": path})
