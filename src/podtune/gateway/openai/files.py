"""`/v1/files`: upload, list, retrieve, content, delete; result files of jobs among them."""

import functools
from typing import Annotated, Any, Final, Literal

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import FileResponse, Response

from podtune.app.asked import Submitted
from podtune.app.desk import Desk
from podtune.app.hosted_events import KIND
from podtune.core.errors import ConflictError, NotFoundError, RequestError
from podtune.gateway.callers import Planner, Reader, Submitter, submit_counted
from podtune.gateway.openai import event_view, job_view, pages
from podtune.gateway.openai.parts import hosted_of
from podtune.workflow.files import StoredFile

router = APIRouter(prefix="/files")

RESULTS: Final = "fine-tune-results"
MAX_FIELDS: Final = 8
LISTED_JOBS: Final = 200
"""Newest jobs whose result files are listed."""
_RESULT: Final = "file-results-"
_FORM: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file", "purpose"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "purpose": {"type": "string", "enum": ["fine-tune"]},
                        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
                        "expires_after[seconds]": {"type": "string"},
                    },
                }
            }
        },
    }
}


@router.post("", dependencies=[Depends(submit_counted)], openapi_extra=_FORM)
async def create(request: Request, desk: Planner) -> dict[str, Any]:
    """Upload training data. It is looked into at once: `status` becomes `processed` or `error`."""
    # Read here and not as a parameter: nothing is taken in before the caller is known.
    async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise RequestError(
                "the form has no file",
                code="bad_request_body",
                hint='client.files.create(file=open("data.jsonl", "rb"), purpose="fine-tune")',
                context={"param": "file"},
            )
        work = functools.partial(
            hosted_of(request).files.receive,
            desk.principal.tenant,
            file.filename or "data.jsonl",
            _text(form, "purpose"),
            file.file,
            expires_s=_expiry(form),
        )
        return told(await to_thread.run_sync(work))


@router.get("", responses=pages.responses(404))
def files(
    request: Request,
    desk: Reader,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    after: Annotated[str | None, Query(max_length=100)] = None,
    order: Annotated[Literal["asc", "desc"], Query()] = "desc",
    purpose: Annotated[str | None, Query(max_length=60)] = None,
) -> dict[str, Any]:
    """The caller's files, the newest first."""
    stored = hosted_of(request).files.of(desk.principal.tenant)
    found = [told(one) for one in stored if purpose in (None, one.purpose)]
    if purpose in (None, RESULTS):
        jobs = desk.list(limit=LISTED_JOBS, kind=KIND)
        found += [_told_results(desk, one) for one in jobs if job_view.result_file(one)]
    found.sort(key=lambda one: (one["created_at"], one["id"]), reverse=order == "desc")
    return pages.page(found, limit=limit, after=after, ends=True)


@router.get("/{file_id}", responses=pages.responses(404))
def retrieve(file_id: str, request: Request, desk: Reader) -> dict[str, Any]:
    """One file."""
    if file_id.startswith(_RESULT):
        return _told_results(desk, _job_of(desk, file_id))
    return told(hosted_of(request).files.get(desk.principal.tenant, file_id))


@router.get(
    "/{file_id}/content",
    response_class=Response,
    responses={
        200: {
            "description": "The bytes.",
            "content": {
                "application/octet-stream": {"schema": {"type": "string"}},
                "text/csv": {"schema": {"type": "string"}},
            },
        },
        **pages.responses(404),
    },
)
def content(file_id: str, request: Request, desk: Reader) -> Response:
    """A file's bytes as they were uploaded; of a result file, its CSV."""
    if file_id.startswith(_RESULT):
        return Response(_results(desk, _job_of(desk, file_id)), media_type="text/csv")
    path = hosted_of(request).files.path(desk.principal.tenant, file_id)
    return FileResponse(path, media_type="application/octet-stream", filename=path.name)


@router.delete("/{file_id}", responses=pages.responses(404, 409))
def delete(file_id: str, request: Request, desk: Submitter) -> dict[str, Any]:
    """Remove a file. Jobs that were submitted keep their rows."""
    if file_id.startswith(_RESULT):
        raise ConflictError(
            "a result file belongs to its job and cannot be removed alone", code="result_file"
        )
    hosted_of(request).files.delete(desk.principal.tenant, file_id)
    return {"id": file_id, "object": "file", "deleted": True}


def told(file: StoredFile) -> dict[str, Any]:
    """The file object."""
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": int(file.created_at.timestamp()),
        "expires_at": None if file.expires_at is None else int(file.expires_at.timestamp()),
        "filename": file.filename,
        "purpose": file.purpose,
        "status": file.status,
        "status_details": file.error,
        "podtune": {"sha256": file.sha256},
    }


def _job_of(desk: Desk, file_id: str) -> Submitted:
    """The completed job of a result file.

    Raises:
        NotFoundError: there is none.
    """
    try:
        found = desk.get(file_id.removeprefix(_RESULT))
    except NotFoundError:
        found = None
    if found is None or job_view.result_file(found) != file_id:
        raise NotFoundError(
            f"no file {file_id[:60]!r}", code="no_such_file", context={"param": "file_id"}
        )
    return found


def _results(desk: Desk, found: Submitted) -> bytes:
    return event_view.results(list(desk.events(found.id)))


def _told_results(desk: Desk, found: Submitted) -> dict[str, Any]:
    ended = found.job.finished_at if found.job else None
    return {
        "id": job_view.result_file(found),
        "object": "file",
        "bytes": len(_results(desk, found)),
        "created_at": int((ended or found.created_at).timestamp()),
        "expires_at": None,
        "filename": "step_metrics.csv",
        "purpose": RESULTS,
        "status": "processed",
        "status_details": None,
    }


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    if not isinstance(value, str):
        raise RequestError(f"{name} is missing", code="bad_request_body", context={"param": name})
    return value


def _expiry(form: FormData) -> int | None:
    """Seconds until it goes, as the SDK writes nested keys: in brackets."""
    seconds, anchor = form.get("expires_after[seconds]"), form.get("expires_after[anchor]")
    if seconds is None and anchor is None:
        return None
    is_number = isinstance(seconds, str) and seconds.isascii() and seconds.isdecimal()
    if anchor != "created_at" or not is_number or len(str(seconds)) > 9:
        raise RequestError(
            "expires_after needs anchor 'created_at' and seconds",
            code="bad_expiry",
            context={"param": "expires_after"},
        )
    return int(str(seconds))
