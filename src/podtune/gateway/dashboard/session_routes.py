"""Signing in and out of a gateway that has keys, and light or dark."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import SecretStr

from podtune.core.errors import CredentialsError, PodtuneError
from podtune.gateway import sessions
from podtune.gateway.callers import address_of, is_same_origin
from podtune.gateway.dashboard import pages
from podtune.gateway.errors import ForeignOriginError
from podtune.gateway.parts import parts_of

router: Final = APIRouter(include_in_schema=False)
_KEPT_S: Final = 365 * 24 * 3600
Back = Annotated[str, Form(max_length=500)]


@router.get("/login")
def ask(request: Request, next: str = "/") -> Response:
    """The form for a key."""
    if not parts_of(request).doors.are_locked():
        return RedirectResponse("/", status_code=303)
    return _form(request, next)


@router.post("/login")
def begin(
    request: Request, key: Annotated[SecretStr, Form(max_length=200)], back: Back = "/"
) -> Response:
    """Check a key, and remember it in this browser."""
    _refuse_foreign(request)
    parts = parts_of(request)
    token = key.get_secret_value().strip()
    try:
        parts.keys.check(token)
    except CredentialsError as error:
        parts.rates.refused(address_of(request))
        return _form(request, back, error=error)
    response = RedirectResponse(pages.inner_path(back), status_code=303)
    sessions.open(request, response, token)
    return response


@router.post("/logout")
def end(request: Request) -> Response:
    """Forget the key in this browser."""
    _refuse_foreign(request)
    response = RedirectResponse("/login", status_code=303)
    sessions.close(request, response)
    return response


@router.post("/theme")
def theme(
    request: Request, theme: Annotated[str, Form(max_length=10)], back: Back = "/"
) -> Response:
    """Light, dark, or as the browser is set."""
    _refuse_foreign(request)
    response = RedirectResponse(pages.inner_path(back), status_code=303)
    if theme in pages.THEMES:
        response.set_cookie(
            pages.THEME_COOKIE, theme, max_age=_KEPT_S, httponly=True, samesite="strict"
        )
    else:
        response.delete_cookie(pages.THEME_COOKIE, httponly=True, samesite="strict")
    return response


def _form(request: Request, back: str, *, error: PodtuneError | None = None) -> Response:
    return pages.page(
        request,
        "login.html.jinja",
        status_code=200 if error is None else 401,
        error=error,
        back=pages.inner_path(back),
    )


def _refuse_foreign(request: Request) -> None:
    """Raise where a page of another site sent a form.

    Raises:
        ForeignOriginError: it did.
    """
    if not is_same_origin(request):
        raise ForeignOriginError("a page of another site sent this form")
