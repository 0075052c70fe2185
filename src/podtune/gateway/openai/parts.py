"""What the fine-tuning API's routes share besides the gateway's parts: uploaded files, and warm adapters."""

import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from anyio import to_thread
from fastapi import FastAPI, Request

from podtune.app.hosted_files import HostedFiles
from podtune.app.warm_chats import WarmChats
from podtune.gateway.parts import parts_of

_MAKING = threading.Lock()


@dataclass(frozen=True)
class Hosted:
    """Made with the first request that needs it, closed with the app."""

    files: HostedFiles
    chats: WarmChats


def hosted_of(request: Request) -> Hosted:
    """The one of the gateway that a request came to."""
    app = request.app
    with _MAKING:
        found: Hosted | None = getattr(app.state, "hosted", None)
        if found is None:
            parts = parts_of(request)
            found = Hosted(HostedFiles(parts.service), WarmChats(parts.settings))
            app.state.hosted = found
        return found


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """End what was started, before the job store is closed."""
    yield
    found: Hosted | None = getattr(app.state, "hosted", None)
    if found is not None:
        await to_thread.run_sync(found.chats.close)
        await to_thread.run_sync(found.files.close)
