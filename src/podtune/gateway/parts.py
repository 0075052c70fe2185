"""What one gateway is made of: opened once, found by every route at `request.app.state.parts`."""

from dataclasses import dataclass, field

import anyio
from fastapi import Request

from podtune.app.keys import Keys
from podtune.app.service import Service
from podtune.app.settings import Settings
from podtune.app.submissions import Submissions
from podtune.app.tending import Tending
from podtune.gateway.doors import Doors
from podtune.gateway.figures import Figures
from podtune.gateway.rates import Rates
from podtune.gateway.remembered import Remembered
from podtune.gateway.sessions import Sessions


@dataclass(frozen=True)
class Parts:
    """Everything that requests share. Safe to use from several threads at once."""

    settings: Settings
    service: Service
    keys: Keys
    doors: Doors
    submissions: Submissions
    sessions: Sessions
    tending: Tending
    rates: Rates
    figures: Figures
    remembered: Remembered
    closing: anyio.Event = field(default_factory=anyio.Event)
    """Set when the server stops: streams end then."""


def parts_of(request: Request) -> Parts:
    """The gateway that a request came to."""
    parts: Parts = request.app.state.parts
    return parts
