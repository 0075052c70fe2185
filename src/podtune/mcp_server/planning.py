"""The tools that change something: a plan with its token, a submit that takes the token alone, a cancel."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from mcp.types import ListRootsResult
from pydantic import Field

from podtune.app import plan_words
from podtune.app.asked import SubmissionState
from podtune.app.asking import TRAINS
from podtune.app.plan_offers import question_of
from podtune.app.ticket import Ticket
from podtune.core.errors import DatasetError, SpecError
from podtune.core.plan import Origin, Plan
from podtune.core.redact import scrub
from podtune.core.request import TrainingRequest
from podtune.intake.understand import Question
from podtune.mcp_server.answers import (
    CancelAnswer,
    FieldLine,
    Line,
    PlanAnswer,
    SubmitAnswer,
)
from podtune.mcp_server.house import KIND, House
from podtune.mcp_server.looking import JobId, Roots
from podtune.mcp_server.paths import kept_inside
from podtune.mcp_server.words import heard, next_of, open_questions

WAIT_S: Final = 20.0
"""How long a submit waits for its preparation, so that a bad request is told at once."""
SECTIONS: Final = ("base_model", "data", "adapter", "training", "where", "deliver", "evaluate")


class Planning:
    """On one server."""

    def __init__(self, house: House) -> None:
        """Nothing is planned yet."""
        self._house = house

    def plan(
        self,
        roots: Roots,
        request: Annotated[
            str | None,
            Field(
                description="What the user wants, in the user's own words. Do not add to them: only what the user "
                "said counts as said.",
                max_length=20_000,
            ),
        ] = None,
        answers: Annotated[
            dict[str, str],
            Field(
                description="The user's answers to `questions` of the call before, by their `field`."
            ),
        ] = {},  # noqa: B006 - the schema's default; it is never changed
        fields: Annotated[
            dict[str, Any] | None,
            Field(
                description="Instead of `request`: fields of the spec by path, such as `data.source`, `base_model`, "
                "`training.epochs`, `where.on` (local, runpod), `where.max_usd`.",
            ),
        ] = None,
    ) -> PlanAnswer:
        """Plan a training: what will happen, on what, how long, at what price; nothing is started or paid.

        Give the user's words as `request`, or `fields`. Answers `questions` where something has to be said by the
        user: ask the user, do not choose. Otherwise shows the whole plan with a `token` that `submit` takes, good
        once and for minutes. Show the user the summary and the price, and wait for a yes.
        """
        if (request is None) == (fields is None):
            raise SpecError(
                "give either `request` (the user's words) or `fields`", code="no_request"
            )
        if request is not None:
            return self._of_words(request, answers, roots)
        stated = dict(stated_of(fields or {}))
        if not stated.get("data.source"):
            raise SpecError(
                "`fields` names no data",
                code="no_source",
                hint="`data.source`: a file of the workspace",
            )
        if self._house.caller.tenant is None:
            stated = kept_inside(stated, self._house.workspace(roots))
        return self._planned(TrainingRequest(stated=stated))

    def submit(
        self,
        token: Annotated[
            str,
            Field(
                description="As `plan` gave it, unchanged; after the user said yes to that plan.",
                min_length=1,
                max_length=2000,
            ),
        ],
    ) -> SubmitAnswer:
        """Start the plan that a token stands for. Only after the user has seen that plan and its price and said yes.

        Takes the token and nothing else. The same token again is the same job, never a second one. A plan that needs
        approval is refused with `approval_needed` until a person has agreed in the terminal or on the dashboard;
        an agent cannot agree.
        """
        self._house.count_submit()
        found = self._house.tickets.submit(token, self._house.caller, wait_s=WAIT_S)
        return SubmitAnswer(
            job_id=found.id,
            state="preparing" if found.state is SubmissionState.PREPARING else "accepted",
            is_repetition=found.duplicate,
            ceiling_usd=None if found.ceiling_usd is None else float(found.ceiling_usd),
            next=f"`status` with job_id {found.id!r} and wait_s 45, until is_finished",
        )

    def cancel(self, job_id: JobId) -> CancelAnswer:
        """Cancel a job: its training is ended, and its machine if it rented one. Cannot be undone.

        Only where the user asked for it. What was trained so far stays as a checkpoint; `podtune resume` goes on
        with it.
        """
        found = self._house.desk().cancel(job_id)
        phase = str(found.job.phase) if found.job else str(found.state)
        return CancelAnswer(
            job_id=found.id,
            phase=phase,
            next=f"`status` with job_id {found.id!r} and wait_s 45: it has ended once is_finished",
        )

    def _planned(self, request: TrainingRequest) -> PlanAnswer:
        """A plan for the caller and its token, or what has to be chosen first."""
        try:
            plan = self._house.desk().plan(request)
        except (SpecError, DatasetError) as error:
            question = question_of(error)
            if question is None:
                raise
            return _open([question], "train", "ask the user, then `plan` with that in `fields`")
        return plan_answer(plan, self._ticket(plan, request))

    def _of_words(
        self, sentence: str, answers: Mapping[str, str], roots: ListRootsResult
    ) -> PlanAnswer:
        """What a sentence leads to: questions, another tool, an estimate, or a plan with its token."""
        asked, request, notes = heard(self._house, sentence, answers, roots)
        if asked.plan is None or request is None or asked.must:
            told = (*asked.understood.told, *notes)
            return _open(asked.questions, asked.intent, next_of(asked), told)
        is_estimate = asked.intent == "estimate"
        answer = plan_answer(asked.plan, None if is_estimate else self._ticket(asked.plan, request))
        more = {
            "intent": asked.intent,
            "questions": open_questions(asked.questions),
            "warnings": [*answer.warnings, *notes],
        }
        return answer.model_copy(update=more)

    def _ticket(self, plan: Plan, request: TrainingRequest) -> Ticket:
        return self._house.tickets.issue(plan, request, self._house.caller, kind=KIND)


def stated_of(fields: Mapping[str, Any]) -> Mapping[str, object]:
    """Fields as the spec names them; a section that is given whole is taken apart.

    >>> stated_of({"data": {"source": "a.csv"}, "training.epochs": 2})
    {'data.source': 'a.csv', 'training.epochs': 2}
    """
    found: dict[str, object] = {}
    for name, value in fields.items():
        if name in SECTIONS and isinstance(value, Mapping):
            held: Mapping[str, object] = value  # pyright: ignore[reportUnknownVariableType]
            found |= {f"{name}.{key}": one for key, one in held.items()}
        else:
            found[name] = value
    return found


def plan_answer(plan: Plan, ticket: Ticket | None) -> PlanAnswer:
    """A plan and its token as an agent reads them; without a token it is an estimate."""
    answer = PlanAnswer(
        state="estimate",
        digest=plan.digest,
        cost_usd=plan.usd,
        ceiling_usd=float(plan.price.max_usd) if plan.price else None,
        hours=plan.price.first.hours_p50 if plan.price else plan.time.total_s / 3600,
        summary=[Line(about=about, says=says) for about, says in plan_words.lines(plan)],
        fields=field_lines(plan),
        warnings=[scrub(one) for one in plan.warnings],
        next="show the summary and the price; where the user wants it done, `plan` it as a training",
    )
    return answer if ticket is None else answer.model_copy(update=_ticket_fields(ticket))


def _open(
    questions: Sequence[Question], intent: str, next_: str, told: Sequence[str] = ()
) -> PlanAnswer:
    """What there is where nothing was planned."""
    return PlanAnswer(
        state="questions" if intent in TRAINS else "other",
        intent=intent,
        questions=open_questions(questions),
        warnings=[scrub(one) for one in told],
        next=next_,
    )


def _ticket_fields(ticket: Ticket) -> dict[str, object]:
    """What a token adds to a plan's answer."""
    fields: dict[str, object] = {
        "state": "ready",
        "token": ticket.token.get_secret_value(),
        "expires_at": ticket.expires_at,
        "next": "show the user the summary and the price; after a yes, `submit` with the token",
    }
    if ticket.needs_approval:
        fields |= {
            "state": "needs_approval",
            "approval_id": ticket.approval_id,
            "approval_reasons": list(ticket.reasons),
            "next": "show the summary and the price; a person has to agree outside of this conversation: "
            f"`podtune approve {ticket.approval_id}`, or /approvals on the dashboard; then `submit` with the token",
        }
    return fields


def field_lines(plan: Plan) -> list[FieldLine]:
    """The fields that people look for, with the words or the reason behind each."""
    return [
        FieldLine(
            path=note.path,
            value=scrub(plan_words.shown_value(note.value)),
            origin=str(note.origin),
            why="" if note.origin is Origin.STATED else note.why,
            quote=note.quote,
        )
        for note in plan_words.told_fields(plan.fields)
    ]
