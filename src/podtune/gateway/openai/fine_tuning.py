"""`/v1/fine_tuning/jobs`: create, retrieve, list, cancel, pause, resume, events, checkpoints."""

import functools
from collections.abc import Mapping
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request

from podtune.app.asked import SubmissionState, Submitted
from podtune.app.desk import Desk
from podtune.app.hosted_events import KIND
from podtune.core.clock import monotonic, sleep, utc_now
from podtune.core.errors import ConflictError, NotFoundError, UnsupportedError
from podtune.core.states import Outcome
from podtune.gateway.bodies import JsonBody
from podtune.gateway.callers import Canceller, Reader, Submitter, submit_counted
from podtune.gateway.limits import STOPPING, WAITING
from podtune.gateway.openai import creating, event_view, job_view, pages
from podtune.gateway.openai.parts import hosted_of
from podtune.workflow import holds

router = APIRouter(prefix="/fine_tuning")

STOPS_WITHIN_S: Final = 60.0
"""How long a resume waits for a job that is still being paused. Chosen: a worker has 30 s to write its checkpoint."""
LOOK_S: Final = 0.25
MAX_PAGE: Final = 100
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]
After = Annotated[str | None, Query(max_length=100, description="The last id of the page before.")]
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["model", "training_file"]},
                "example": {
                    "model": "Qwen/Qwen3-8B",
                    "training_file": "file-abc123",
                    "method": {"type": "supervised"},
                    "podtune": {"on": "runpod", "max_usd": 5},
                },
            }
        },
    }
}


@router.post(
    "/jobs",
    dependencies=[Depends(submit_counted)],
    openapi_extra=_BODY,
    responses=pages.responses(404, 409, 502),
)
async def create(request: Request, desk: Submitter, body: JsonBody) -> dict[str, Any]:
    """Create a job. A lost answer's repetition by the SDK finds the job that was made."""
    hosted = hosted_of(request)
    path_of = functools.partial(hosted.files.path, desk.principal.tenant)
    sent = creating.sent_of(request.headers)
    work = functools.partial(creating.create, desk, body, sent, path_of)
    found = await to_thread.run_sync(work, limiter=WAITING.limiter)
    request.state.job_id = found.id
    return await to_thread.run_sync(_shown, desk, found)


@router.get("/jobs", responses=pages.responses(404))
def jobs(request: Request, desk: Reader, limit: Limit = 20, after: After = None) -> dict[str, Any]:
    """The caller's jobs, the newest first; `metadata[key]=value` keeps those that have it."""
    wanted = _metadata(request.query_params)
    found = pages.matching(
        lambda last: desk.list(limit=200, after=last, kind=KIND),
        lambda one: _has(one, wanted),
        limit + 1,
        None if after is None else _own(desk, after).id,
    )
    told = [_listed(desk, one) for one in found[:limit]]
    return pages.told(told, has_more=len(found) > limit)


@router.get("/jobs/{job_id}", responses=pages.responses(404))
def retrieve(job_id: str, desk: Reader) -> dict[str, Any]:
    """One job."""
    return _shown(desk, _own(desk, job_id))


@router.post("/jobs/{job_id}/cancel", responses=pages.responses(404, 409))
def cancel(job_id: str, desk: Canceller) -> dict[str, Any]:
    """Cancel a job; a paused one will not go on."""
    found = _own(desk, job_id)
    if job_view.is_paused(found):
        _hold(desk, found, paused=False)
        if found.job is not None and found.job.outcome is Outcome.CANCELLED:
            return _shown(desk, _own(desk, job_id))
    _refuse_ended(found)
    return _shown(desk, desk.cancel(found.id))


@router.post("/jobs/{job_id}/pause", responses=pages.responses(404, 409))
def pause(job_id: str, desk: Canceller) -> dict[str, Any]:
    """Stop a job and keep its newest checkpoint, to go on from it."""
    found = _own(desk, job_id)
    if job_view.status_of(found) == "paused":
        return _shown(desk, found)
    if found.state is SubmissionState.PREPARING:
        raise ConflictError(
            f"job {found.id!r} is being prepared and cannot be paused yet",
            code="not_running",
            hint="try again once its status is queued or running, or cancel it",
        )
    _refuse_ended(found)
    _hold(desk, found, paused=True)
    try:
        stopped = desk.cancel(found.id)
    except ConflictError:
        _hold(desk, found, paused=False)
        raise
    return _shown(desk, stopped)


@router.post(
    "/jobs/{job_id}/resume",
    dependencies=[Depends(submit_counted)],
    responses=pages.responses(404, 409, 502),
)
async def resume(job_id: str, desk: Submitter) -> dict[str, Any]:
    """Go on with a paused, failed or cancelled job from its newest checkpoint."""
    return await to_thread.run_sync(_resumed, desk, job_id, limiter=STOPPING.limiter)


def _resumed(desk: Desk, job_id: str) -> dict[str, Any]:
    found = _stopped(desk, _own(desk, job_id))
    resumed = desk.resume(found.id)
    if job_view.is_paused(found):
        _hold(desk, found, paused=False)
        resumed = _own(desk, job_id)
    return _shown(desk, resumed)


@router.get("/jobs/{job_id}/events", responses=pages.responses(404, 409))
def events(job_id: str, desk: Reader, limit: Limit = 20, after: After = None) -> dict[str, Any]:
    """What happened, the newest first."""
    found = _own(desk, job_id)
    told = event_view.events(found, desk.log(found.id), desk.newest_events(found.id))
    return pages.first_of(told, limit=limit, after=after)


@router.get("/jobs/{job_id}/checkpoints", responses=pages.responses(404, 502))
def checkpoints(
    job_id: str, desk: Reader, limit: Limit = 10, after: After = None
) -> dict[str, Any]:
    """The checkpoints that are kept, the newest first."""
    found = _own(desk, job_id)
    steps = [one.step for one in desk.service.checkpoints(found.id)] if found.job else []
    told = event_view.checkpoints(found, steps, list(desk.events(found.id)))
    return pages.page(told, limit=limit, after=after, ends=True)


@router.api_route("/checkpoints/{name:path}/permissions", methods=["GET", "POST"])
def permissions(name: str, desk: Reader) -> dict[str, Any]:
    """Not built: who may use an adapter is decided by keys."""
    raise UnsupportedError(
        "sharing of checkpoints between projects is not built",
        code="unsupported",
        hint="give the other party a key of this tenant: podtune keys create NAME --tenant ...",
    )


@router.delete(
    "/checkpoints/{name:path}/permissions/{permission_id}", responses=pages.responses(404)
)
def unshare(name: str, permission_id: str, desk: Reader) -> dict[str, Any]:
    """Not built, as `permissions`."""
    raise NotFoundError(f"no permission {permission_id[:60]!r}", code="not_found")


@router.post("/alpha/graders/{verb}")
def graders(verb: str, desk: Reader) -> dict[str, Any]:
    """Not built: graders belong to reinforcement fine-tuning."""
    raise UnsupportedError(
        "graders and reinforcement fine-tuning are not built",
        code="unsupported_method",
        hint="supervised and dpo are",
    )


def _own(desk: Desk, job_id: str) -> Submitted:
    """A job of the caller's, whichever face it came by."""
    return desk.get(job_id)


def _shown(desk: Desk, found: Submitted) -> dict[str, Any]:
    folded = desk.service.brief(found.job) if found.job else None
    status = desk.status_of(found) if found.job else None
    return job_view.job_object(found, folded=folded, status=status, now=utc_now())


def _listed(desk: Desk, found: Submitted) -> dict[str, Any]:
    """As `_shown`, without what would be asked of each job by itself."""
    folded = desk.service.brief(found.job) if found.job else None
    return job_view.job_object(found, folded=folded, status=None, now=utc_now())


def _hold(desk: Desk, found: Submitted, *, paused: bool) -> None:
    with desk.service.store().transaction(on_disk=True) as connection:
        holds.put(connection, found.id, paused=paused)


def _refuse_ended(found: Submitted) -> None:
    """Raise where the outcome is settled, also while the machine is still being ended.

    Raises:
        ConflictError: it is.
    """
    refused = found.state is SubmissionState.REFUSED
    if refused or (found.job is not None and found.job.outcome is not None):
        raise ConflictError(f"job {found.id!r} has ended already", code="already_ended")


def _stopped(desk: Desk, found: Submitted) -> Submitted:
    """A paused job once its worker has stopped; any other as it is."""
    until = monotonic() + STOPS_WITHIN_S
    while (
        job_view.is_paused(found)
        and found.job is not None
        and not found.job.is_finished
        and monotonic() < until
    ):
        sleep(LOOK_S)
        found = desk.get(found.id)
    return found


def _metadata(query: Mapping[str, str]) -> dict[str, str] | None:
    """What `metadata[key]=value` asks for; an empty dict where nothing is; None for `metadata=null`."""
    if query.get("metadata") == "null":
        return None
    return {
        name[len("metadata[") : -1]: value
        for name, value in query.items()
        if name.startswith("metadata[") and name.endswith("]")
    }


def _has(found: Submitted, wanted: Mapping[str, str] | None) -> bool:
    own = found.note.get("metadata")
    if wanted is None:
        return not own
    return all(isinstance(own, dict) and own.get(key) == value for key, value in wanted.items())
