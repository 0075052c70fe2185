"""The gateway as one ASGI app: its parts, its routes, its layers.

Guard      id, log, figures, headers, the last word on errors
Doorway  foreign hosts and pages, while no key is needed
Bounds body, headers, address
FastAPI: who asks (`callers`), routes, errors (`errors`)
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from anyio import to_thread
from fastapi import FastAPI
from starlette.middleware import Middleware

import podtune
from podtune.app import census
from podtune.app.installation import signing_key
from podtune.app.keys import Keys
from podtune.app.service import Service
from podtune.app.settings import Settings
from podtune.app.submissions import Submissions
from podtune.app.tending import Tending
from podtune.gateway import document, errors, operations, plans, training
from podtune.gateway.agents import Agents, Mounted
from podtune.gateway.bounds import Bounds
from podtune.gateway.dashboard import routes as dashboard
from podtune.gateway.doors import Doors, Doorway
from podtune.gateway.figures import Figures
from podtune.gateway.guard import Guard
from podtune.gateway.openai import routes as openai
from podtune.gateway.parts import Parts
from podtune.gateway.rates import Rates
from podtune.gateway.remembered import Remembered
from podtune.gateway.sessions import Sessions

log = logging.getLogger("podtune.gateway")


def create_app(
    settings: Settings,
    *,
    service: Service | None = None,
    is_exposed: bool = False,
    agents: Agents | None = None,
) -> FastAPI:
    """The gateway of one home.

    Args:
        settings: Of the installation. The home and its job store are made here where they are not there.
        service: To use and not to close; by default one of its own.
        is_exposed: Whether it listens beyond loopback: then nobody comes in without a key, whatever happens
            to the keys.
        agents: What answers at `/mcp`; nothing does without it.

    Raises:
        StateError: the home or its job store cannot be used.
    """
    parts = _parts(settings, service, is_exposed=is_exposed)
    mounted = Mounted(agents) if agents is not None else None
    page = getattr(dashboard, "error_page", None)
    app = FastAPI(
        title="podtune",
        version=podtune.__version__,
        summary="From your data to a LoRA adapter: planned, trained, proved, with a signed receipt.",
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,  # `operations` serves it
        lifespan=_alive(parts, mounted, closes=service is None),
        middleware=[
            Middleware(Guard, figures=parts.figures, page=page),
            Middleware(Doorway, doors=parts.doors),
            Middleware(Bounds),
        ],
    )
    app.state.parts = parts
    for routes in (
        operations.router,
        training.router,
        plans.router,
        openai.router,
        dashboard.router,
    ):
        app.include_router(routes)
    if mounted is not None:
        app.router.routes.append(mounted.route)
    errors.install(app, page)
    document.install(app)
    return app


def _parts(settings: Settings, service: Service | None, *, is_exposed: bool) -> Parts:
    serving = service or Service(settings, Tending(settings))
    kept = serving.drivers
    tending = kept if isinstance(kept, Tending) else Tending(settings)
    store = serving.store()
    keys = Keys(store)
    return Parts(
        settings=settings,
        service=serving,
        keys=keys,
        doors=Doors(keys, is_exposed=is_exposed),
        submissions=Submissions(serving),
        sessions=Sessions(
            signing_key(settings.home), is_https=settings.gateway_url.startswith("https://")
        ),
        tending=tending,
        rates=Rates(settings),
        figures=Figures(),
        remembered=Remembered(settings.jobs, serving.amiss),
    )


def _alive(parts: Parts, mounted: Mounted | None, *, closes: bool):  # noqa: ANN202 - FastAPI's own type is a callable of it
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        if words := await to_thread.run_sync(
            census.strangers, parts.settings, parts.service.store()
        ):
            log.warning("%s", words)
        parts.tending.begin(parts.service.store(), parts.submissions.recover)
        try:
            async with _served(mounted, parts):
                yield
        finally:
            parts.closing.set()
            await to_thread.run_sync(parts.tending.end)
            await to_thread.run_sync(parts.submissions.close)
            if closes:
                await to_thread.run_sync(parts.service.close)

    return lifespan


@asynccontextmanager
async def _served(mounted: Mounted | None, parts: Parts) -> AsyncGenerator[None]:
    """While the face for agents is served, where there is one."""
    if mounted is None:
        yield
        return
    async with mounted.agents.serving(parts.submissions, mounted.door, parts.closing) as inner:
        mounted.inner = inner
        try:
            yield
        finally:
            mounted.inner = None
