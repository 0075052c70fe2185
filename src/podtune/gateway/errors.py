"""How an error looks over HTTP: our shape, the fine-tuning API's under `/v1/`, a page for a browser.

Takes any error, gives a response. Statuses are of the table in `core/errors.py`, or of the errors that only
HTTP has, here. Nothing that looks like a secret leaves, whatever an error says.
"""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from podtune.core.errors import (
    CredentialsError,
    PodtuneError,
    RequestError,
    StateError,
    http_status,
)
from podtune.core.redact import scrub

log = logging.getLogger("podtune.gateway")

MACHINE_PATHS: Final = ("/v1/", "/training/", "/healthz", "/readyz", "/metrics", "/openapi.json")
"""Where programs ask: an error there is JSON, whatever the Accept header says."""
OPENAI_PATHS: Final = "/v1/"
OUR_PATHS: Final = "/v1/plans"
"""Below it and ours all the same: errors there have our form."""

Page = Callable[[Request, PodtuneError, int], Response]
"""Makes an error's page for a browser."""


class HttpError(RequestError):
    """What is wrong with a request as such; only HTTP has it."""

    status: int = 400

    def headers(self) -> Mapping[str, str]:
        """What the response says besides."""
        return {}


class TooLargeError(HttpError):
    """The body is larger than this route takes."""

    code = "body_too_large"
    status = 413


class TooSlowError(HttpError):
    """The body did not come in time."""

    code = "body_too_slow"
    status = 408


class HeadersTooLargeError(HttpError):
    """Headers or address are larger than any client needs."""

    code = "headers_too_large"
    status = 431


class WrongHostError(HttpError):
    """The request was meant for another host: a page may have pointed its own name at this machine."""

    code = "wrong_host"
    status = 421


class ForeignOriginError(HttpError):
    """A page of another site asked."""

    code = "foreign_origin"
    status = 403


class UnprocessableError(HttpError):
    """Well formed, and cannot be done: an Idempotency-Key that was used for another request."""

    code = "idempotency_key_reused"
    status = 422


class MethodError(HttpError):
    """The address is there, the method is not."""

    code = "method_not_allowed"
    status = 405

    def __init__(self, allowed: str) -> None:
        super().__init__(f"this address takes {allowed or 'another method'}")
        self.allowed = allowed

    def headers(self) -> Mapping[str, str]:
        """What is taken."""
        return {"allow": self.allowed}


class TooManyError(HttpError):
    """More requests than this caller may make; `retry_after_s` says when the next one is taken."""

    code = "too_many_requests"
    status = 429
    retryable = True

    def __init__(self, message: str, *, retry_after_s: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint, context={"retry_after_s": retry_after_s})
        self.retry_after_s = max(1, retry_after_s)

    def headers(self) -> Mapping[str, str]:
        """When to come back."""
        return {"retry-after": str(self.retry_after_s)}


class ErrorDetail(BaseModel):
    """What went wrong."""

    code: str
    """Stable, snake_case."""
    message: str
    """What happened, with the value in question."""
    hint: str | None = None
    """The next step."""
    context: dict[str, Any] = Field(default_factory=dict)
    """Facts for machines."""


class ErrorBody(BaseModel):
    """Every error's body outside `/v1/`, and of `/v1/plans`."""

    error: ErrorDetail


class OpenAIErrorDetail(BaseModel):
    """What went wrong, as the hosted fine-tuning API says it."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIErrorBody(BaseModel):
    """Every error's body under `/v1/`."""

    error: OpenAIErrorDetail


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for the OpenAPI document."""
    return {
        status: {"model": ErrorBody, "description": HTTPStatus(status).phrase}
        for status in statuses
    }


def install(app: FastAPI, page: Page | None = None) -> None:
    """Have an app answer every error so that is known; `Guard` answers the others.

    Args:
        app: The gateway.
        page: Makes the page that a browser is shown; JSON without it.
    """

    def answer(request: Request, error: Exception) -> Response:
        return response_of(request, known(error), page)

    for kind in (PodtuneError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, answer)


def known(error: Exception) -> PodtuneError:
    """Any error as one of ours; what nobody expected tells nothing of its inside."""
    match error:
        case PodtuneError():
            return error
        case RequestValidationError():
            return _invalid(error)
        case HTTPException():
            return _plain(error)
        case _:
            log.error("unexpected %s", type(error).__name__, exc_info=error)
            return StateError(
                "the gateway met an error that it does not know",
                code="internal_error",
                hint="its log has the details; the request's id finds them",
            )


def status_of(error: PodtuneError) -> int:
    """The HTTP status of an error."""
    if error.code == "internal_error":
        return 500
    return error.status if isinstance(error, HttpError) else http_status(error)


def status_for(request: Request, error: PodtuneError) -> int:
    """The HTTP status of an error for a caller: 401 says that the caller's own key does not open.

    Where it was let in, it is the gateway's own credentials that fail, of the cloud or a store: 503, its operator's
    to mend.
    """
    status = status_of(error)
    return 503 if status == 401 and getattr(request.state, "is_let_in", False) else status


def is_openai(path: str) -> bool:
    """Whether errors at a path have the fine-tuning API's form.

    >>> is_openai("/v1/files"), is_openai("/v1/plans"), is_openai("/v1/plans/submit"), is_openai("/jobs")
    (True, False, False, False)
    """
    return path.startswith(OPENAI_PATHS) and not f"{path}/".startswith(f"{OUR_PATHS}/")


def response_of(request: Request, error: PodtuneError, page: Page | None = None) -> Response:
    """An error as the caller reads it."""
    status = status_for(request, error)
    if page is not None and _wants_page(request):
        response = page(request, error, status)
    else:
        body = openai_body if is_openai(request.url.path) else our_body
        response = JSONResponse(body(error, status), status_code=status)
    response.headers.update(_headers(request, error, status))
    return response


def our_body(error: PodtuneError, status: int) -> dict[str, object]:
    """`{"error": {"code", "message", "hint", "context"}}`."""
    return {"error": cast("dict[str, object]", scrubbed(error.to_json()))}


def openai_body(error: PodtuneError, status: int) -> dict[str, object]:
    """`{"error": {"message", "type", "param", "code"}}`; the hint stands behind the message."""
    message = f"{error.message}. {error.hint}" if error.hint else error.message
    detail = {
        "message": scrub(message),
        "type": _OPENAI_TYPES.get(
            status, "invalid_request_error" if status < 500 else "server_error"
        ),
        "param": error.context.get("param"),
        "code": error.code,
    }
    return {"error": detail}


_OPENAI_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}


def scrubbed(value: object) -> object:
    """JSON values without what looks like a secret."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {str(k): scrubbed(v) for k, v in cast("Mapping[object, object]", value).items()}
    if isinstance(value, list | tuple):
        return [scrubbed(one) for one in cast("list[object]", value)]
    return value if value is None or isinstance(value, bool | int | float) else scrub(str(value))


def _headers(request: Request, error: PodtuneError, status: int) -> dict[str, str]:
    headers = dict(error.headers()) if isinstance(error, HttpError) else {}
    if isinstance(error, CredentialsError) and status == 401:
        headers["www-authenticate"] = "Bearer"
    if status == 409 and is_openai(request.url.path):
        # The SDK repeats a 409 on its own; the answer would be the same.
        headers["x-should-retry"] = "false"
    return headers


def _wants_page(request: Request) -> bool:
    path = request.url.path
    return "text/html" in request.headers.get("accept", "") and not path.startswith(MACHINE_PATHS)


def _invalid(error: RequestValidationError) -> PodtuneError:
    """Every fault of path, query and header at once; no value stands in it."""
    faults = [
        f"{'.'.join(str(part) for part in item['loc'][1:]) or item['loc'][0]}: {item['msg']}"
        for item in error.errors()
    ]
    return HttpError(
        "; ".join(faults[:20]),
        code="bad_request_body",
        hint="the OpenAPI document at /openapi.json says what is taken",
        context={"problems": faults[:20]},
    )


def _plain(error: HTTPException) -> PodtuneError:
    """What the router itself says."""
    if error.status_code == 405:
        return MethodError((error.headers or {}).get("Allow", ""))
    if error.status_code == 404:
        made = HttpError("there is nothing at this address", code="not_found")
    else:
        made = HttpError(str(error.detail), code="bad_request")
    made.status = error.status_code
    return made
