"""The pages that change something: a new training with its plan, cancel, resume."""

import functools
import re
from typing import Any, Final

from anyio import to_thread
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData, UploadFile

from podtune.app import plan_words
from podtune.app.asked import Asked
from podtune.app.desk import Desk
from podtune.core.clock import random_word
from podtune.core.errors import PodtuneError
from podtune.core.plan import Plan
from podtune.core.request import TrainingRequest
from podtune.core.spec import Place
from podtune.gateway import limits
from podtune.gateway.callers import Canceller, Submitter, submit_counted
from podtune.gateway.dashboard import asking, pages
from podtune.gateway.dashboard.asking import Typed
from podtune.gateway.dashboard.uploads import Uploads
from podtune.gateway.errors import HttpError, status_for

router: Final = APIRouter(include_in_schema=False)
RUNGS_SHOWN: Final = 6
_WAIT_S: Final = 10.0
"""A person waits for so long; then the job's page shows that it is prepared."""
_COUNTED: Final = [Depends(submit_counted)]
_PLANNING: Final = limits.Pool("podtune.gateway.dashboard.planning", 16)
"""Plans and starts that are waited for at the same moment, in threads of their own: pages need the others. Chosen."""
FIELDS: Final = 12
"""Of a form; ours has ten."""
FIELD_BYTES: Final = 32 << 10
"""Of one field: an address has 8000 characters."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_ONCE: Final = re.compile(r"[a-z0-9]{24}", re.ASCII)


@router.get("/new")
def new(request: Request, desk: Submitter) -> Response:
    """The empty form."""
    return _form(request, Typed(on=desk.service.settings.backend))


@router.post("/new", dependencies=_COUNTED)
async def show_plan(request: Request, desk: Submitter) -> Response:
    """The plan of what was typed, with its price; nothing starts."""
    # Read here and not as parameters: those would be taken in before the caller is known.
    async with request.form(max_files=1, max_fields=FIELDS, max_part_size=FIELD_BYTES) as form:
        file = form.get("file")
        brought = file if isinstance(file, UploadFile) and file.filename else None
        work = functools.partial(_planned, request, desk, form, brought)
        return await to_thread.run_sync(work, limiter=_PLANNING.limiter)


@router.post("/new/start", dependencies=_COUNTED)
async def start(request: Request, desk: Submitter) -> Response:
    """Start what was approved; another plan than the one that was shown is shown anew."""
    async with request.form(max_files=1, max_fields=FIELDS, max_part_size=FIELD_BYTES) as form:
        work = functools.partial(_started, request, desk, form)
        return await to_thread.run_sync(work, limiter=_PLANNING.limiter)


@router.post("/jobs/{job_id}/cancel")
def cancel(job_id: str, desk: Canceller) -> Response:
    """Wish a job cancelled."""
    found = desk.cancel(job_id)
    return RedirectResponse(f"/jobs/{found.id}", status_code=303)


@router.post("/jobs/{job_id}/resume", dependencies=_COUNTED)
def resume(job_id: str, desk: Submitter) -> Response:
    """Go on with a job that did not complete."""
    found = desk.resume(job_id)
    return RedirectResponse(f"/jobs/{found.id}", status_code=303)


def _planned(request: Request, desk: Desk, form: FormData, file: UploadFile | None) -> Response:
    typed, uploads = _typed(form), _uploads(desk)
    try:
        if file is not None:
            kept = uploads.keep(file.filename or "", file.file)
            typed = typed.model_copy(update={"upload": kept.word, "address": ""})
        name = uploads.find(typed.upload).name if typed.upload else ""
        if _text(form, "change"):
            return _form(request, typed, name=name)
        plan = desk.plan(_request(desk, typed))
    except PodtuneError as error:
        return _form(request, _with_advice(typed, error), error=error, name=_name(uploads, typed))
    return show(request, typed, plan, name)


def _started(request: Request, desk: Desk, form: FormData) -> Response:
    typed, plan, once = _typed(form), _text(form, "plan"), _text(form, "once")
    if not (_DIGEST.fullmatch(plan) and _ONCE.fullmatch(once)):
        raise HttpError(
            "the form names no plan that was shown", code="bad_request_body", hint="begin at /new"
        )
    try:
        asked = _request(desk, typed)
        found = desk.submit(
            Asked(
                request=asked,
                kind="dashboard",
                name=once,
                digest=asking.digest_of(asked, plan),
                note={"plan": plan},
                plan_digest=plan,
            ),
            wait_s=_WAIT_S,
        )
    except PodtuneError as error:
        return _form(request, typed, error=error, name=_name(_uploads(desk), typed))
    return RedirectResponse(f"/jobs/{found.id}", status_code=303)


def _typed(form: FormData) -> Typed:
    return Typed(
        upload=_text(form, "upload")[:40],
        address=_text(form, "address")[:8000],
        base_model=_text(form, "base_model")[:300],
        epochs=_text(form, "epochs")[:20],
        on=_text(form, "on")[:30] or Place.LOCAL.value,
        ceiling=_text(form, "ceiling")[:20],
    )


def _text(form: FormData, name: str) -> str:
    """A field's text; empty where it is not there, or is a file."""
    value = form.get(name)
    return value if isinstance(value, str) else ""


def _uploads(desk: Desk) -> Uploads:
    return Uploads(desk.service.settings, desk.principal.tenant)


def _request(desk: Desk, typed: Typed) -> TrainingRequest:
    if typed.upload:
        return asking.request_of(typed, str(_uploads(desk).find(typed.upload).path))
    return asking.request_of(typed, asking.address_of(typed))


def _name(uploads: Uploads, typed: Typed) -> str:
    """The name of the file that was brought; empty where it is not here any more."""
    return next((one.name for one in uploads.known(typed.upload)), "")


def _with_advice(typed: Typed, error: PodtuneError) -> Typed:
    """The form with what the error proposes, in fields that were left empty."""
    proposed: dict[str, object] = {}
    if not typed.ceiling and "suggested_usd" in error.context:
        proposed["ceiling"] = str(error.context["suggested_usd"])[:20]
    if not typed.base_model and "suggested_model" in error.context:
        proposed["base_model"] = str(error.context["suggested_model"])[:300]
    return typed.model_copy(update=proposed)


def _form(
    request: Request, typed: Typed, *, error: PodtuneError | None = None, name: str = ""
) -> Response:
    return pages.page(
        request,
        "new.html.jinja",
        status_code=200 if error is None else status_for(request, error),
        typed=typed,
        name=name,
        error=error,
        places=asking.PLACES,
        findings=error.context.get("findings", []) if error else [],
    )


def show(request: Request, typed: Typed, plan: Plan, name: str) -> Response:
    """A plan's page: all of it, and what starts it. `name` is of the file that was brought."""
    source = name or plan_words.shown_value(plan.spec.data.source)
    values = values_of(plan, source)
    return pages.page(request, "plan.html.jinja", typed=typed, once=random_word(24), **values)


def values_of(plan: Plan, source: str) -> dict[str, Any]:
    """What a page shows of a plan; `source` is how its data is called there."""
    return {
        "source": source,
        "plan": plan,
        "lines": list(plan_words.lines(plan)),
        "fields": [
            (note, source if note.path == "data.source" else plan_words.shown_value(note.value))
            for note in plan_words.told_fields(plan.fields)
        ],
        "rungs": plan.price.ladder[:RUNGS_SHOWN] if plan.price else (),
        "memory": _memory(plan),
    }


def _memory(plan: Plan) -> float:
    """Percent of the device's memory that the training needs."""
    return round(min(100.0, 100 * plan.memory.total / max(1, plan.device.memory_bytes)), 1)
