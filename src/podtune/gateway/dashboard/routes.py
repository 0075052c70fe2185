"""The dashboard's pages that look: the list, a job, its streams and files. The others are included here."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.responses import StreamingResponse

from podtune.app import plan_words
from podtune.core.clock import utc_now
from podtune.core.errors import NotFoundError
from podtune.gateway import packing
from podtune.gateway.callers import Reader
from podtune.gateway.dashboard import (
    approval_routes,
    asking_routes,
    assets,
    curves,
    job_view,
    live,
    logtail,
    pages,
    session_routes,
)
from podtune.gateway.sse import stream

router: Final = APIRouter(include_in_schema=False)
router.include_router(asking_routes.router)
router.include_router(session_routes.router)
router.include_router(approval_routes.router)
error_page: Final = pages.error_page
"""What `create_app` shows a browser for an error."""

Place = Annotated[int, Query(ge=0, le=1 << 50)]
"""An offset of a log."""
_MAX_ID: Final = 64
_OFFSET: Final = re.compile(r"[0-9]{1,15}", re.ASCII)
"""As large as `Place` at most."""
After = Annotated[str | None, Query(max_length=_MAX_ID)]
"""The id behind which a page of the list begins."""


@router.get("/")
def jobs(request: Request, desk: Reader, after: After = None) -> Response:
    """The list of jobs."""
    parts = live.list_parts(desk, after=after)
    return pages.page(
        request,
        "jobs.html.jinja",
        parts=parts,
        digests={name: pages.digest(html) for name, html in parts.items()},
        stream="/live" + (f"?after={after}" if after else ""),
    )


@router.get("/live")
def jobs_live(desk: Reader, after: After = None) -> StreamingResponse:
    """The list's changes."""
    if after is not None:
        desk.get(after)  # so that one that is not there is an error with a status
    return stream(live.list_messages(desk, after=after))


@router.get("/jobs/{job_id}")
def job(request: Request, job_id: str, desk: Reader) -> Response:
    """One job."""
    watch = live.JobWatch(desk, job_id)
    parts = watch.look()
    found = desk.get(job_id)
    log = logtail.Piece("", 0)
    if found.job is not None:
        log = logtail.end(desk.service.folder(found.job).log)
    return pages.page(
        request,
        "job.html.jinja",
        id=found.id,
        title=found.job.title if found.job else (found.name or found.id),
        parts=parts,
        digests={name: pages.digest(html) for name, html in parts.items()},
        log=log,
        stream=None if watch.is_over else f"/jobs/{found.id}/live?log={log.offset}",
        plan=found.job.plan if found.job else None,
        lines=list(plan_words.lines(found.job.plan)) if found.job else [],
        findings=job_view.findings(found.job) if found.job else [],
    )


@router.get("/jobs/{job_id}/live")
def job_live(
    job_id: str,
    desk: Reader,
    log: Place = 0,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> StreamingResponse:
    """A job's changes, and the lines of its log behind an offset."""
    desk.get(job_id)
    known = last_event_id or ""
    offset = int(known) if _OFFSET.fullmatch(known) else log
    return stream(live.job_messages(live.JobWatch(desk, job_id), desk, job_id, offset))


@router.get("/jobs/{job_id}/curves.json")
def job_curves(job_id: str, desk: Reader) -> JSONResponse:
    """The figures of its steps, for programs."""
    history = curves.History()
    history.add(desk.events(job_id))
    return JSONResponse(curves.as_json(history))


@router.get("/jobs/{job_id}/log.txt")
def job_log(job_id: str, desk: Reader) -> StreamingResponse:
    """The whole log."""
    found = desk.get(job_id)
    blocks = (logtail.plain(block) for block in desk.logs(found.id))
    return StreamingResponse(blocks, media_type="text/plain; charset=utf-8")


@router.get("/jobs/{job_id}/receipt")
def job_receipt(request: Request, job_id: str, desk: Reader) -> Response:
    """The receipt, with every file compared now."""
    found = desk.get(job_id)
    checked = job_view.receipt(desk, found.job, whatever_size=True) if found.job else None
    if found.job is None or checked is None:
        raise NotFoundError(f"job {job_id[:_MAX_ID]!r} has no receipt", code="no_artifact")
    return pages.page(
        request,
        "receipt.html.jinja",
        id=found.id,
        title=found.job.title,
        checked=checked,
        json=checked.signed.model_dump_json(indent=2) if checked.signed else "",
        now=utc_now(),
    )


@router.get("/jobs/{job_id}/adapter.tar.gz")
async def job_adapter(job_id: str, desk: Reader) -> FileResponse:
    """The artifact, compared with its receipt and packed."""
    return await packing.answer(desk, job_id, f"{job_id}.tar.gz")


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Style, script and icon; they are the same for everybody."""
    asset = assets.find(name)
    return Response(
        asset.content, media_type=asset.media_type, headers={"cache-control": assets.KEPT}
    )
