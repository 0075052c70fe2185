"""What who runs a gateway looks at: health, readiness, figures, the OpenAPI document."""

import shutil
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import JSONResponse, Response

from podtune.app import census
from podtune.core.access import Principal, Scope
from podtune.core.errors import ForbiddenError, PodtuneError
from podtune.gateway.callers import principal
from podtune.gateway.errors import responses
from podtune.gateway.figures import MEDIA_TYPE
from podtune.gateway.parts import Parts, parts_of

router = APIRouter(tags=["operations"])

LEAST_DISK_BYTES: Final = 1 << 30
"""Free bytes below which nothing new should come here: an adapter and its checkpoints take some hundred MB."""


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(frozen=True)

    status: str = "ok"


class Check(BaseModel):
    """One thing that has to be right."""

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool
    detail: str


class Ready(BaseModel):
    """Whether requests should be sent here, and what stands against it."""

    model_config = ConfigDict(frozen=True)

    ready: bool
    checks: tuple[Check, ...]


@router.get("/healthz")
def healthz() -> Alive:
    """Whether the process answers at all. Asks nobody."""
    return Alive()


@router.get(
    "/readyz",
    response_model=Ready,
    responses={503: {"model": Ready, "description": "Something is not right."}},
)
def readyz(request: Request) -> Response:
    """Whether requests should be sent here: the job store answers, there is disk, jobs are driven."""
    parts = parts_of(request)
    checks = (_database(parts), _disk(parts), _driver(parts), _open(parts))
    found = Ready(ready=all(one.ok for one in checks), checks=checks)
    return JSONResponse(found.model_dump(), status_code=200 if found.ready else 503)


def watcher(found: Annotated[Principal, Depends(principal)]) -> None:
    """Who may read figures: an administrator's key; where no key is needed, whoever is let in.

    With keys "from this machine" would say nothing: a proxy here asks for the whole world, and many name loopback as
    the host and tell of nobody else.

    Raises:
        ForbiddenError: the key is no administrator's.
    """
    if not found.may(Scope.ADMIN):
        raise ForbiddenError(
            "figures are for administrators",
            code="scope_missing",
            hint="podtune keys create NAME --scope admin",
        )


@router.get(
    "/metrics",
    dependencies=[Depends(watcher)],
    responses={
        200: {
            "description": "Figures as Prometheus reads them.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **responses(401, 403),
    },
    response_class=Response,
)
def metrics(request: Request) -> Response:
    """Jobs by state, money, queue, leak risk, requests. For an administrator's key; without keys from this machine."""
    parts = parts_of(request)
    found = census.take(parts.settings, parts.service.store())
    text = parts.figures.text(found, is_driven=parts.tending.trouble is None)
    return Response(text, media_type=MEDIA_TYPE)


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> JSONResponse:
    """The OpenAPI document."""
    document: dict[str, Any] = request.app.openapi()
    return JSONResponse(document)


def _database(parts: Parts) -> Check:
    try:
        parts.service.store().drivers()
    except PodtuneError as error:
        return Check(name="job store", ok=False, detail=error.code)
    return Check(name="job store", ok=True, detail="answers")


def _disk(parts: Parts) -> Check:
    try:
        free = shutil.disk_usage(parts.settings.home).free
    except OSError as error:
        return Check(name="disk", ok=False, detail=error.strerror or "cannot be read")
    return Check(name="disk", ok=free >= LEAST_DISK_BYTES, detail=f"{free >> 20} MiB free")


def _driver(parts: Parts) -> Check:
    trouble = parts.tending.trouble
    if trouble is None:
        return Check(name="driver", ok=True, detail="jobs are driven")
    return Check(name="driver", ok=False, detail=trouble.code)


def _open(parts: Parts) -> Check:
    is_closing = parts.closing.is_set()
    return Check(name="gateway", ok=not is_closing, detail="closing" if is_closing else "open")
