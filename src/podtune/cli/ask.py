"""`podtune ask SENTENCE`: words -> plan -> consent -> job -> adapter, with its eight steps told.

The words decide nothing about money: a plan is shown and agreed to as with `podtune train`.
"""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from podtune.cli import dialogue, money, words_view
from podtune.cli.console import Output, err, out, plain, print_json_line
from podtune.cli.following import open_service, say_detached, say_leaks, watch_to_end
from podtune.cli.planning import FieldsOption, SetOption
from podtune.core.errors import NotFoundError, SpecError
from podtune.core.units import plural

if TYPE_CHECKING:
    from rich.console import Console

    from podtune.app.asking import Asked
    from podtune.app.service import Service
    from podtune.core.plan import Plan
    from podtune.intake.words.parse import ParsedRequest

EXAMPLE: Final = 'podtune ask "fine-tune Mistral on tickets.csv, at most 5 dollars"'
"""Without a dollar sign: between double quotes a shell takes `$5` away."""

MOST_JOBS: Final = 100
"""Jobs among which those that run are looked for."""


def ask(  # noqa: PLR0913 - a command's parameters are its options
    sentence: Annotated[
        str | None, typer.Argument(metavar="SENTENCE", help="What you want, in your own words.")
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option(
            "--answer", metavar="FIELD=VALUE", help="Answer a question beforehand, by its name."
        ),
    ] = None,
    sets: SetOption = None,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes", "-y", help="Take what is assumed and start; a ceiling is still needed."
        ),
    ] = False,
    digest: Annotated[
        str | None,
        typer.Option(
            "--digest",
            metavar="LETTERS",
            help="As --yes, but for the plan of this digest alone: its first letters, 8 at least.",
        ),
    ] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Start and return at once.")] = False,
    fields: FieldsOption = False,
    parse_only: Annotated[
        bool, typer.Option("--parse-only", help="Show what the words state, and do nothing.")
    ] = False,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin",
            help='With --parse-only: read JSON lines {"id", "request"}; answer one line for each.',
        ),
    ] = False,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Read the words without the language model of PODTUNE_LLM_MODEL."
        ),
    ] = False,
    now: Annotated[
        datetime | None,
        typer.Option("--now", help="Local time that `tomorrow` counts from; now if not given."),
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", help="For people or for programs.")
    ] = Output.HUMAN,
) -> None:
    """Train from a sentence: what is open is asked, the plan is shown, and nothing is rented unseen.

    With --output json each step is a line, and the last line is the result or the error.
    """
    if stdin == (sentence is not None) or (stdin and not parse_only):
        raise SpecError(
            "say what you want in one sentence, or --parse-only --stdin",
            code="no_request",
            hint=EXAMPLE,
        )
    if sentence is None:
        words_view.show_lines(now)
    elif parse_only:
        words_view.show(sentence, now, output, words_view.reader(offline=offline))
    else:
        from podtune.intake.resolve import parse_assignment

        stated = dict(parse_assignment(text) for text in sets or ())
        said = Said(sentence, now, stated, yes, fields, offline, digest)
        Conversation(open_service(), said, dialogue.said(answers), output).hold(detach=detach)


class Said(NamedTuple):
    """What was said with the command."""

    sentence: str
    now: datetime | None
    stated: dict[str, object]
    """By spec path, beside the sentence."""
    yes: bool
    fields: bool = False
    """Whether every field of the plan is shown with its reason."""
    offline: bool = False
    """Whether it is read without a language model."""
    digest: str | None = None
    """First letters of the plan that is agreed to."""


class Conversation:
    """One sentence and what is said after it."""

    def __init__(
        self, service: "Service", said: Said, answers: dict[str, str], output: Output
    ) -> None:
        from podtune.app.asking import Asking
        from podtune.cli.steps_view import Steps

        self._service, self._said, self._answers = service, said, answers
        self._output, self._yes = output, said.yes
        read = words_view.reader(service.settings, offline=said.offline)
        self._asking = Asking(service, Path.cwd(), parser=read)
        self._steps = Steps(output)

    def hold(self, *, detach: bool) -> None:
        """Go wherever the sentence leads."""
        from podtune.app.asking import TRAINS
        from podtune.app.eight_steps import Step, begins

        first = begins(Step.PARSE)
        parsed = self._asking.read(self._said.sentence, self._said.now)
        if parsed.fields.get("intent") not in TRAINS:
            self._other(parsed)
            return
        self._steps.tell(first)
        self._steps.end(Step.PARSE, f"{plural(len(parsed.fields), 'field')} stated")
        self._steps.begin(Step.VALIDATE)
        asked = self._settled(parsed)
        made = asked.plan
        assert made is not None  # nothing that must be answered is open
        self._steps.end(Step.VALIDATE, f"{plural(made.tokens.train_rows, 'row')} to train on")
        if asked.intent == "estimate":
            self._estimate(asked, made)
            return
        self._train(asked, detach=detach)

    def _begin(self, parsed: "ParsedRequest") -> "Asked":
        said = self._said
        return self._asking.begin(
            said.sentence, self._answers, stated=said.stated, now=said.now, parsed=parsed
        )

    def _settled(self, parsed: "ParsedRequest") -> "Asked":
        """Everything that must be answered is; asked where somebody is there.

        Raises:
            SpecError: `answers_needed`, where nobody is.
        """
        asked = self._begin(parsed)
        while asked.must:
            if not dialogue.may_ask(self._output):
                dialogue.refuse_open(asked.must)
            self._answers = dialogue.answered(asked.must, self._answers)
            asked = self._begin(parsed)
        return asked

    def _agreed(self, asked: "Asked") -> "Plan":
        """The plan whose assumptions somebody took, or said otherwise; shown anew where it changed.

        Raises:
            SpecError: `confirm_needed`, where nobody is there and nobody agreed beforehand.
            ConflictError: `plan_changed`, where that was to another plan.
        """
        shown = None
        while True:
            made = asked.plan
            assert made is not None  # nothing that must be answered is open
            if made.digest != shown:
                self._show(asked, made)
                shown = made.digest
            if self._said.digest is not None:
                dialogue.refuse_other(self._said.digest, made)
                self._yes = True
            if self._yes or not asked.assumptions:
                return made
            if not dialogue.may_ask(self._output):
                dialogue.refuse_open(asked.assumptions, made.digest)
            self._answers = dialogue.answered(asked.assumptions, self._answers)
            asked = self._settled(asked.parsed)

    def _show(self, asked: "Asked", made: "Plan") -> None:
        from podtune.cli import plan_view

        if self._output is Output.HUMAN:
            self._render(err(), asked, made)
        else:
            print_json_line({"plan": plan_view.plan_json(made)})

    def _render(self, console: "Console", asked: "Asked", made: "Plan") -> None:
        """On one screen: what was said, what was chosen for it and why, and the values of the rest."""
        from podtune.cli import plan_view

        chosen = asked.request.assumed if asked.request is not None else ()
        everything = self._said.fields
        plan_view.render(console, made, brief=not everything, chosen=chosen, all_fields=everything)

    def _train(self, asked: "Asked", *, detach: bool) -> None:
        """Consent, also where nothing is rented: words may be misread. Then the job, to its end."""
        made = self._agreed(asked)
        if made.price is not None:
            say_leaks(self._service)
        money.confirm_public(made, yes=self._yes)
        dialogue.confirm_start(made, self._output, yes=self._yes)
        job = self._service.submit(made, digest=made.digest)
        if self._output is Output.HUMAN:
            err().print(f"job [bold]{job.id}[/] [dim]runs by itself; Ctrl-C only stops watching[/]")
        if detach:
            say_detached(job, self._output, self._steps)
            return
        watch_to_end(self._service, job, self._output, self._steps)

    def _estimate(self, asked: "Asked", made: "Plan") -> None:
        """The plan and nothing else: whoever asks for a price buys nothing."""
        from podtune.cli import plan_view

        if self._output is Output.JSON:
            print_json_line({"result": plan_view.plan_json(made)})
            return
        self._render(out(), asked, made)
        err().print("[dim]nothing was started or rented[/]")

    def _other(self, parsed: "ParsedRequest") -> None:
        """What is no training: the verb that answers it.

        Raises:
            SpecError: it asks for nothing that podtune does.
        """
        from podtune.cli import app, data

        asked = self._begin(parsed)
        if asked.intent == "check_data":
            while asked.request is None:
                asked = self._with_answers(asked)
            data.check(str(asked.request.stated["data.source"]), output=self._output)
        elif asked.intent == "status":
            app.status(self._job(asked), self._output)
        elif asked.intent == "stop":
            self._stop(self._job(asked, only_running=True))
        else:
            raise SpecError(
                "this asks for nothing that podtune does",
                code="not_understood",
                hint=f"{EXAMPLE}; podtune --help shows everything",
            )

    def _with_answers(self, asked: "Asked") -> "Asked":
        if not dialogue.may_ask(self._output):
            dialogue.refuse_open(asked.questions)
        self._answers = dialogue.answered(asked.questions, self._answers)
        return self._begin(asked.parsed)

    def _job(self, asked: "Asked", *, only_running: bool = False) -> str:
        """The job that is meant: the one that is named, or the newest.

        Raises:
            NotFoundError: there is none.
            SpecError: several run, and none was named.
        """
        named = self._answers.get("job") or asked.understood.job_id
        if named is not None:
            return self._service.job(named).id
        if not only_running:
            newest = self._service.jobs(1)
            if not newest:
                raise NotFoundError("there is no job yet", code="no_job", hint=EXAMPLE)
            return newest[0].id
        running = [job for job in self._service.jobs(MOST_JOBS) if not job.is_finished]
        if not running:
            raise NotFoundError("no job is running", code="no_job", hint="podtune jobs")
        if len(running) > 1:
            names = ", ".join(job.id for job in running)
            raise SpecError(
                f"several jobs are running: {names}",
                code="answers_needed",
                hint=f"podtune cancel {running[0].id}",
            )
        return running[0].id

    def _stop(self, job: str) -> None:
        """End a job once somebody agreed.

        Raises:
            SpecError: nobody is there to be asked, and `--yes` was not given.
        """
        from podtune.cli import app

        found = self._service.job(job)
        if not self._yes:
            question = f"end {found.id} ({found.title}, {found.phase})?"
            if not dialogue.may_ask(self._output):
                raise SpecError(
                    f"nobody is here to agree: {question}",
                    code="confirm_needed",
                    hint=f"podtune cancel {found.id}",
                )
            typer.confirm(plain(question), abort=True, err=True)
        app.cancel(found.id, self._output)
