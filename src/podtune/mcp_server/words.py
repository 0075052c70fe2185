"""A request in words, for an agent: what has to be asked first, or the plan with the words behind its fields."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from mcp.types import ListRootsResult

from podtune.app import llm
from podtune.app.asking import TRAINS, Asked, Asking
from podtune.app.desk import Desk
from podtune.app.settings import Settings
from podtune.app.workspace import Workspace
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.intake.understand import Question
from podtune.mcp_server.answers import Choosable, OpenQuestion
from podtune.mcp_server.house import House
from podtune.mcp_server.paths import kept_inside

ELSEWHERE: Final = {
    "check_data": "this asks about data: call `check_data`",
    "status": "this asks how a job stands: call `jobs`, then `status`",
    "stop": "this asks to stop a job: call `jobs`, ask the user which, then `cancel`",
}
"""Intents that plan nothing, and the tool that is meant."""
NO_TRAINING: Final = "this asks for no training; say what to fine-tune, on which data"


class DeskPlanner:
    """Plans as the caller may: with its ceiling, nothing that is the operator's, no path out of the workspace."""

    def __init__(self, desk: Desk, workspace: Workspace | None) -> None:
        """`workspace`: None of a tenant, who has none."""
        self.desk, self._workspace = desk, workspace
        self.planned: TrainingRequest | None = None
        """What was planned last."""

    @property
    def settings(self) -> Settings:
        """Of this installation."""
        return self.desk.service.settings

    def plan(self, request: TrainingRequest) -> Plan:
        """A plan, with no side effect.

        Raises:
            SpecError: a path leads out of the workspace; code `outside_workspace`.
            PodtuneError: as `Desk.plan`.
        """
        if self._workspace is not None:
            stated = kept_inside(request.stated, self._workspace)
            request = request.model_copy(update={"stated": stated})
        self.planned = request
        return self.desk.plan(request)


class Heard(NamedTuple):
    """What a sentence leads to."""

    asked: Asked
    request: TrainingRequest | None
    """What was planned of it."""
    notes: tuple[str, ...] = ()
    """Of a language model that helped to read it, where one is set."""


def heard(house: House, sentence: str, answers: Mapping[str, str], roots: ListRootsResult) -> Heard:
    """What a sentence leads to for the caller.

    Raises:
        PodtuneError: it is refused, or its plan is.
    """
    if house.caller.tenant is not None:
        planner = DeskPlanner(house.desk(), None)
        return Heard(Asking(planner, None).begin(sentence, answers), planner.planned)
    workspace = house.workspace(roots)
    planner, notes = DeskPlanner(house.desk(), workspace), list[str]()
    first, *more = workspace.roots
    parser = llm.parser(planner.settings, notes.append)
    asked = Asking(planner, first, more, parser).begin(sentence, answers)
    return Heard(asked, planner.planned, tuple(notes))


def open_questions(questions: Sequence[Question]) -> list[OpenQuestion]:
    """Questions as an agent reads them."""
    return [
        OpenQuestion(
            field=one.field,
            text=one.text,
            options=[Choosable(value=o.value, label=o.label, why=o.why) for o in one.options],
            must=one.must,
        )
        for one in questions
    ]


def next_of(asked: Asked) -> str:
    """What an agent does where nothing was planned."""
    if asked.intent not in TRAINS:
        return ELSEWHERE.get(asked.intent, NO_TRAINING)
    return "ask the user these questions, then `plan` with the same request and `answers`"
