"""Pages and parts of pages: templates filled, text kept text, headers that let nothing foreign in.

Whatever is put into a page is escaped, and characters that would hide or turn text are shown by name. It knows
nothing of what a page is about.
"""

import hashlib
import html
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.responses import Response

from podtune.app.html_page import Html, file_name, lines, visible
from podtune.core.errors import PodtuneError
from podtune.core.redact import scrub
from podtune.core.units import count, duration, gib, plural
from podtune.gateway.dashboard import assets
from podtune.planning.price import hours, money

HEADERS: Final[Mapping[str, str]] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    # With "no-referrer" a browser sends `Origin: null` with our own forms (Fetch, section 3.2, 2026-11-23).
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
THEME_COOKIE: Final = "podtune_theme"
THEMES: Final = ("light", "dark")
"""What a person may choose; without a choice the browser's own preference counts."""

_LOGIN: Final = "/login"


def page(request: Request, template: str, *, status_code: int = 200, **values: Any) -> HTMLResponse:
    """A whole page."""
    theme = request.cookies.get(THEME_COOKIE, "")
    text = render(
        template,
        path=request.url.path,
        theme=theme if theme in THEMES else "",
        is_locked=_is_locked(request),
        may_approve=getattr(request.state, "may_approve", False),
        **values,
    )
    return HTMLResponse(text, status_code=status_code, headers=dict(HEADERS))


def render(template: str, **values: Any) -> str:
    """A template, filled; the same values give the same text."""
    return _environment().get_template(template).render(values)


def part(template: str, **values: Any) -> Html:
    """A part of a page, to be put into one or to replace the one that is shown."""
    return Html(render(f"parts/{template}.html.jinja", **values))


def digest(text: str) -> str:
    """By which a browser knows that a part is what it shows already."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def error_page(request: Request, error: PodtuneError, status: int) -> Response:
    """An error as a person reads it; who needs a key is asked for it."""
    if status == 401 and request.method == "GET" and request.url.path != _LOGIN:
        return RedirectResponse(f"{_LOGIN}?next={quote(request.url.path)}", status_code=303)
    return page(request, "error.html.jinja", status_code=status, error=error, status=status)


def inner_path(path: str) -> str:
    """A path of this site that a page may lead back to; `/` for everything else.

    >>> inner_path("/jobs/a-1"), inner_path("//elsewhere.example"), inner_path("https://elsewhere.example")
    ('/jobs/a-1', '/', '/')
    """
    is_inner = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if is_inner and path.isprintable() and len(path) <= 500 else "/"


def age(then: datetime, now: datetime) -> str:
    """How long ago something was, without figures that change every second.

    >>> from datetime import timedelta
    >>> now = datetime(2026, 1, 2)
    >>> [age(now - timedelta(seconds=s), now) for s in (20, 200, 9000, 400_000)]
    ['just now', '3 min ago', '2 h ago', '4 days ago']
    """
    seconds = max(0.0, (now - then).total_seconds())
    if seconds < 60:
        return "just now"
    if seconds < 3600:
        return f"{seconds // 60:.0f} min ago"
    if seconds < 2 * 86400:
        return f"{seconds // 3600:.0f} h ago"
    return f"{seconds // 86400:.0f} days ago"


def _is_locked(request: Request) -> bool:
    parts = getattr(request.app.state, "parts", None)
    return parts is not None and parts.doors.are_locked()


def _finalize(value: object) -> object:
    """What may stand at any place of a page: one line, nothing hidden, no key; HTML is done already."""
    if hasattr(value, "__html__") or not isinstance(value, str):
        return value
    return visible(scrub(value)).replace("\n", "⏎").replace("\t", "⇥")


def _text(value: object) -> Html:
    """Text with its line breaks, without what looks like a key."""
    return Html(html.escape(visible(scrub(str(value)))))


def _lines(value: object) -> Html:
    """The same, cut where it is very long."""
    return lines(scrub(str(value)))


def _moment(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC"


def _template(name: str) -> str:
    folder = resources.files("podtune.gateway.dashboard")
    return folder.joinpath("templates", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    made = Environment(
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        loader=FunctionLoader(_template),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = made.filters
    filters |= {
        "duration": duration, "file_name": file_name, "hours": hours, "lines": _lines, "money": money, "moment": _moment,
        "number": count, "plural": plural, "size": gib, "text": _text,
    }  # fmt: skip
    shared: dict[str, Any] = made.globals
    shared |= {"asset": assets.url}
    return made
