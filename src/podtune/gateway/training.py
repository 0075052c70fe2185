"""The application's contract: submit, status, jobs, cancel, events, logs, artifact, receipt."""

import functools
import re
from collections.abc import Iterator
from typing import Annotated, Final

from anyio import Event, move_on_after, to_thread
from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import FileResponse, Response, StreamingResponse

from podtune.app import feed
from podtune.app.asked import Asked, SubmissionState, Submitted
from podtune.app.desk import Desk
from podtune.app.idempotency import is_used_otherwise
from podtune.core.artifact import SignedReceipt
from podtune.core.errors import NotFoundError
from podtune.core.spec import Place
from podtune.core.wire import TrainingStatus
from podtune.gateway import packing, sse, training_form
from podtune.gateway.bodies import JsonBody
from podtune.gateway.callers import (
    Canceller,
    Reader,
    ReaderLater,
    Submitter,
    submit_counted,
)
from podtune.gateway.errors import UnprocessableError, responses
from podtune.gateway.limits import WAITING
from podtune.gateway.parts import parts_of
from podtune.gateway.training_form import Accepted, JobList, JobSummary

router = APIRouter(prefix="/training", tags=["training"])

WAIT_S: Final = 20.0
"""How long a submit waits for its preparation, so that a bad request is told at once."""
LOOK_S: Final = 0.25
"""Between two looks at how far it is."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,63}", re.ASCII)
_KEY: Final = r"^[\x21-\x7e]{1,255}$"


def possible(job_id: str) -> str:
    """An id that can be one.

    Raises:
        NotFoundError: it cannot; in the words of one that is not there.
    """
    if not _ID.fullmatch(job_id):
        raise NotFoundError("no job of that id", hint="list the jobs to see their ids")
    return job_id


async def existing(job_id: str) -> str:
    """The same of a route's path: it asks nobody, so it takes no thread."""
    return possible(job_id)


JobId = Annotated[str, Depends(existing)]


@router.post(
    "/submit",
    response_model=Accepted,
    dependencies=[Depends(submit_counted)],
    responses=responses(400, 404, 409, 422, 502),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": training_form.request_schema(),
                    "example": training_form.EXAMPLE,
                }
            },
        }
    },
)
async def submit(
    request: Request,
    desk: Submitter,
    body: JsonBody,
    backend: Annotated[
        Place | None, Query(description="Where it trains; PODTUNE_BACKEND where it is not said.")
    ] = None,
    idempotency_key: Annotated[
        str | None,
        Header(
            pattern=_KEY,
            description="The same key with the same body is the same job; with another body, 422.",
        ),
    ] = None,
) -> Accepted:
    """Submit a training. The same `job_id` with the same body is the same job, however often it is sent.

    The query of `dataset_url` does not count as a part of the body: it may be signed anew for each try. What
    is wrong with the data or the request is answered at once where it shows within 20 seconds; later it
    stands in the status.
    """
    where = backend or Place(parts_of(request).settings.backend)
    asked = training_form.asked(body, backend=where, idempotency_key=idempotency_key)
    found = await _settled(desk, asked, idempotency_key, parts_of(request).closing)
    request.state.job_id = found.id
    return Accepted(external_job_id=found.id)


@router.get("/status/{job_id}", response_model=TrainingStatus, responses=responses(404))
def status(request: Request, job_id: JobId, reader: ReaderLater) -> Response:
    """How a training stands. `job_id` is the `external_job_id` of the submit."""
    desk = reader()

    def made() -> bytes:
        found = desk.get(job_id)
        told = training_form.with_warnings(desk.status_of(found), found)
        return told.model_dump_json().encode()

    body = parts_of(request).remembered.body(desk.glance(job_id), made)
    return Response(body, media_type="application/json")


@router.get("/jobs", responses=responses(400, 404))
def jobs(
    desk: Reader,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    after: Annotated[str | None, Query(description="The last id of the page before.")] = None,
) -> JobList:
    """The caller's jobs, the newest first."""
    found = desk.list(limit=limit + 1, after=None if after is None else possible(after))
    page = found[:limit]
    return JobList(
        jobs=tuple(training_form.summary(one) for one in page), has_more=len(found) > limit
    )


@router.post("/cancel/{job_id}", responses=responses(404, 409))
def cancel(job_id: JobId, desk: Canceller) -> JobSummary:
    """Have a training cancelled. It has ended once its status is `failed`, with the code `cancelled`."""
    return training_form.summary(desk.cancel(job_id))


@router.get(
    "/events/{job_id}",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Events as they come, each with the id `attempt:seq`; the last is `end`, with the "
            "status object.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
        204: {
            "description": "The training has ended and everything of it was told: do not come back."
        },
        **responses(404, 409),
    },
)
def events(
    job_id: JobId,
    desk: Reader,
    last_event_id: Annotated[
        str | None, Header(description="Goes on exactly behind this event.")
    ] = None,
) -> Response:
    """What the worker tells, as server-sent events, until the training has ended."""
    after = feed.parse_mark(last_event_id)
    found = desk.with_files(job_id)
    if after is not None and feed.has_ended(found) and after == feed.end_of(found):
        return Response(status_code=204)
    return sse.stream(_told(desk, job_id, after))


@router.get(
    "/logs/{job_id}",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "The worker's own output.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **responses(400, 404, 409),
    },
)
def logs(
    job_id: JobId,
    desk: Reader,
    follow: Annotated[bool, Query(description="Until the training has ended.")] = False,
) -> StreamingResponse:
    """The worker's own output as text."""
    desk.with_files(job_id)
    return sse.text(feed.log(desk, job_id, follow=follow))


@router.get(
    "/artifact/{job_id}",
    response_class=FileResponse,
    responses={
        200: {
            "description": "The adapter with everything that belongs to it, as one archive.",
            "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
        },
        **responses(404, 409),
    },
)
async def artifact(job_id: JobId, desk: Reader) -> FileResponse:
    """The verified artifact of a completed training as `.tar.gz`."""
    return await packing.answer(desk, job_id, f"adapter-{job_id}.tar.gz")


@router.get("/receipt/{job_id}", responses=responses(404, 409))
def receipt(job_id: JobId, desk: Reader) -> SignedReceipt:
    """The signed receipt of a completed training."""
    return desk.receipt(job_id)


async def _settled(desk: Desk, asked: Asked, key: str | None, closing: Event) -> Submitted:
    """What became of a request within `WAIT_S`, or until the gateway stops: it is prepared all the same.

    What is asked again is found, so between two looks no thread is held.
    """
    limiter = WAITING.limiter
    work = functools.partial(_submit, desk, asked, key)
    found = await to_thread.run_sync(work, limiter=limiter)
    again = functools.partial(desk.submit, asked, wait_s=0, is_answer=False)
    left_s = WAIT_S
    while found.state is SubmissionState.PREPARING and left_s > 0 and not closing.is_set():
        with move_on_after(LOOK_S):
            await closing.wait()
        left_s -= LOOK_S
        found = await to_thread.run_sync(again, limiter=limiter)
    if found.state is SubmissionState.PREPARING:
        last = functools.partial(desk.submit, asked, wait_s=0)
        return await to_thread.run_sync(last, limiter=limiter)
    return found


def _submit(desk: Desk, asked: Asked, key: str | None) -> Submitted:
    store = desk.service.store()
    if key is not None and is_used_otherwise(store, desk.principal, asked.kind, key, asked.digest):
        raise UnprocessableError(
            "this Idempotency-Key was used for another request",
            hint="send the same body again, or another key",
        )
    return desk.submit(asked, wait_s=LOOK_S, is_answer=False)


def _told(desk: Desk, job_id: str, after: feed.Mark | None) -> Iterator[sse.Message | None]:
    for event in feed.events(desk, job_id, after):
        if event is None:
            yield None
            continue
        data = event.model_dump(mode="json", exclude_none=True)
        yield str(feed.mark_of(event)), str(event.kind), data
    found = desk.get(job_id)
    last = training_form.with_warnings(desk.status_of(found), found)
    yield str(feed.end_of(found)), "end", last.model_dump(mode="json")
