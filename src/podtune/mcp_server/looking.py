"""The tools that look: at data, at jobs, at what came of them. They change nothing."""

from collections import deque
from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Resolve
from mcp.types import ListRootsResult
from pydantic import Field

from podtune.app import ceilings, data_doctor, feed
from podtune.app.asked import Submitted
from podtune.app.desk import Desk
from podtune.core.access import Scope
from podtune.core.dataset import DatasetReport
from podtune.core.redact import scrub
from podtune.core.request import TrainingRequest
from podtune.core.spec import Method
from podtune.core.states import Outcome
from podtune.data.record import ReadOptions
from podtune.mcp_server import waiting
from podtune.mcp_server.answers import (
    ArtifactAnswer,
    DataAnswer,
    Held,
    JobLine,
    JobsAnswer,
    Kind,
    Line,
    LogAnswer,
    Pick,
    StatusAnswer,
)
from podtune.mcp_server.house import House, ask_roots
from podtune.mcp_server.paths import inside

LONGEST_WAIT_S: Final = 60.0
"""Clients give up on a call that takes much longer."""
MOST_LINES: Final = 1000
LINE_CHARACTERS: Final = 400
"""Of a log line that is told."""
ENTRIES_TOLD: Final = 30

JobId = Annotated[
    str, Field(description="The job's exact id, as `submit` or `jobs` gave it.", max_length=64)
]
Roots = Annotated[ListRootsResult, Resolve(ask_roots)]


class Looking:
    """On one server."""

    def __init__(self, house: House) -> None:
        """Nothing is looked at yet."""
        self._house = house

    def check_data(
        self,
        roots: Roots,
        source: Annotated[
            str,
            Field(
                description="A file, a folder or a pattern in the workspace, or an address (https://, hf://, s3://).",
                min_length=1,
                max_length=4096,
            ),
        ],
        method: Annotated[Method, Field(description="What the data is for.")] = Method.SFT,
        columns: Annotated[
            dict[str, str],
            Field(
                description="Role -> column, where the user chose: `prompt`, `completion`, `system` ..."
            ),
        ] = {},  # noqa: B006 - the schema's default; it is never changed
    ) -> DataAnswer:
        """Find out what a file of training data is, whether it can be trained on, and what is wrong with it.

        Reads the whole file and reports format, counts and each kind of finding with its first lines and the
        advice. Never shows a row. Changes nothing. Call it before `plan` where the user named data.
        """
        house = self._house
        house.desk().require(Scope.PLAN)
        if house.caller.tenant is None:
            named = inside(house.workspace(roots), source)
        else:
            named = source
            request = TrainingRequest(stated={"data.source": source})
            ceilings.refuse_reach(request, house.service.settings, house.caller)
        report = house.service.check(named, ReadOptions(method=method, columns=columns))
        return data_answer(report)

    async def status(
        self,
        ctx: Context[Any, Any],
        job_id: JobId,
        wait_s: Annotated[
            float,
            Field(
                description="Wait so long for the job to change its phase or to end, instead of asking again and "
                "again.",
                ge=0,
                le=LONGEST_WAIT_S,
            ),
        ] = 0,
    ) -> StatusAnswer:
        """How a job stands: phase, progress, loss, money spent, and what is wrong with it.

        With `wait_s` (at most 60) it answers as soon as the phase changes or the job ends, and reports progress
        meanwhile. Call it again until `is_finished`; do not call it in a tight loop without `wait_s`.
        """

        async def tell(stand: waiting.Stand) -> None:
            status = stand.status
            await ctx.report_progress(
                status.progress, 100, f"{status.phase}, step {status.current_step}"
            )

        look = waiting.Look(self._house.desk(), job_id)
        stand, has_changed = await waiting.changed(look, wait_s, tell, closing=self._house.closing)
        return StatusAnswer(
            job_id=job_id,
            is_finished=stand.is_finished,
            has_changed=has_changed,
            status=stand.status,
            next=_next_of(stand, job_id),
        )

    def logs(
        self,
        job_id: JobId,
        lines: Annotated[int, Field(description="Of the end of it.", ge=1, le=MOST_LINES)] = 60,
    ) -> LogAnswer:
        """The end of a job's log, and what podtune did with the job. Use it to say why a job failed.

        Secrets are blotted out. The log holds no training data.
        """
        desk = self._house.desk()
        entries = [Line(about=e.phase, says=scrub(e.message)) for e in desk.log(job_id)]
        kept: deque[str] = deque(maxlen=lines)
        seen = 0
        for piece in feed.log(desk, job_id, follow=False):
            for line in (piece or "").splitlines():
                seen += 1
                kept.append(line[:LINE_CHARACTERS])
        return LogAnswer(
            job_id=job_id,
            lines=list(kept),
            left_out=max(0, seen - len(kept)),
            workflow=entries[-ENTRIES_TOLD:],
            next="`status` says how the job stands",
        )

    def artifact(self, job_id: JobId) -> ArtifactAnswer:
        """What a completed job made: where its adapter lies, its files, and the proof that it works.

        Every file is compared with the signed receipt first. Fails where the job has not completed.
        """
        desk = self._house.desk()
        folder = desk.artifact(job_id)
        receipt = desk.receipt(job_id).receipt
        is_here = self._house.caller.tenant is None
        held = [p for p in sorted(folder.rglob("*")) if p.is_file()]
        verify = f"podtune receipt {job_id} --verify"
        return ArtifactAnswer(
            job_id=job_id,
            folder=str(folder) if is_here else None,
            download_path=None if is_here else f"/training/artifact/{job_id}",
            files=[
                Held(name=p.relative_to(folder).as_posix(), size_bytes=p.stat().st_size)
                for p in held
            ],
            is_proved=receipt.effect.passed,
            base_model=receipt.base_model,
            artifact=receipt.artifact,
            cost=receipt.cost,
            next=f"tell the user where it is; `{verify}` checks it, `podtune chat {job_id}` talks to it"
            if is_here
            else f"GET /training/artifact/{job_id} with the same key downloads it",
        )

    def jobs(
        self,
        limit: Annotated[int, Field(description="At most so many.", ge=1, le=100)] = 20,
        after: Annotated[
            str | None, Field(description="The last id of the page before.", max_length=64)
        ] = None,
    ) -> JobsAnswer:
        """The caller's jobs, the newest first, each with its phase and outcome."""
        return jobs_answer(self._house.desk(), limit, after)


def data_answer(report: DatasetReport) -> DataAnswer:
    """A report as an agent reads it."""
    files = report.files or (report,)
    choices = {
        name: Pick(value=c.value, others=list(c.others), is_open=c.close)
        for f in files
        for name, c in f.choices.items()
    }
    kinds = [
        Kind(
            code=kind["code"],
            severity=kind["severity"],
            rows=kind["rows"],
            message=kind["message"],
            advice=kind["advice"],
            first_lines=[str(one) for one in kind["first_lines"]],
            repairs=kind["repairs"],
        )
        for kind in data_doctor.kinds(report)
    ]
    return DataAnswer(
        source=report.source,
        format=report.format,
        container=report.container,
        is_trainable=report.good_rows > 0,
        rows=report.rows,
        good_rows=report.good_rows,
        good_rows_after_repair=report.good_rows_after_repair,
        duplicates=report.duplicates,
        columns=report.columns,
        choices=choices,
        kinds=kinds,
        sha256=report.sha256,
        next=_next_of_data(report, is_open=any(c.is_open for c in choices.values())),
    )


def jobs_answer(desk: Desk, limit: int, after: str | None = None) -> JobsAnswer:
    """A page of a caller's jobs."""
    found = desk.list(limit=limit + 1, after=after)
    return JobsAnswer(
        jobs=[_line(one) for one in found[:limit]],
        has_more=len(found) > limit,
        next="`status` with a job's id" if found else "`plan` begins a training",
    )


def _line(found: Submitted) -> JobLine:
    job, error = found.job, found.error
    code = job.error_code if job else error.code if error else None
    return JobLine(
        job_id=found.id,
        title=job.title if job else None,
        state=str(found.state),
        phase=str(job.phase) if job else None,
        outcome=str(job.outcome) if job and job.outcome else None,
        base_model=job.plan.base_model.name if job else None,
        where=str(job.plan.spec.where.on) if job else None,
        created_at=found.created_at,
        finished_at=job.finished_at if job else None,
        error_code=code,
    )


def _next_of_data(report: DatasetReport, *, is_open: bool) -> str:
    if is_open:
        return "ask the user which choice is meant, then `plan` with `data.columns`"
    if not report.good_rows:
        return "tell the user what is wrong with the file; nothing can be trained on it as it is"
    bad = report.rows - report.good_rows
    if bad > 0:
        return (
            f"tell the user that {bad} rows cannot be used as they are, and ask whether to leave them out "
            "(`data.on_bad_rows: skip`) or to mend them (`data.fix`); then `plan`"
        )
    return "`plan` with this source"


def _next_of(stand: waiting.Stand, job_id: str) -> str:
    found, status = stand.found, stand.status
    if not stand.is_finished:
        return f"`status` with job_id {job_id!r} and wait_s 45"
    if found.job is not None and found.job.outcome is Outcome.COMPLETED:
        return f"`artifact` with job_id {job_id!r}"
    advice = (status.advice or "").replace("JOB", job_id)
    return f"tell the user why it ended: {status.error_message or status.phase}. {advice}".strip()
