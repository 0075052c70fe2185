"""How an error looks to an agent: a tool's error with `code`, `message` and `hint` to read and to act upon.

What nobody expected tells nothing of its inside. Nothing that looks like a secret leaves.
"""

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, TextContent
from pydantic import BaseModel, ConfigDict

from podtune.core.errors import NotFoundError, PodtuneError, RequestError, StateError
from podtune.core.redact import scrub

log = logging.getLogger("podtune.mcp")

MOST_CHARACTERS: Final = 4000
"""Of a message; an agent's window is dear. Chosen."""

THREADS: Final = 16
"""Tools that work at the same moment: a plan or a submit may take some seconds of one. Chosen."""
_PLACE: Final[RunVar[CapacityLimiter]] = RunVar("podtune.mcp.threads")

Tool = Callable[..., Any]


def told(tool: Tool) -> Callable[..., Awaitable[Any]]:
    """A tool whose errors are answers. What blocks runs in a thread.

    Args:
        tool: A function, or a coroutine function; gives the tool's answer.
    """
    waits = functools.partial(_called, tool)

    @functools.wraps(tool)
    async def answered(*args: Any, **given: Any) -> Any:
        try:
            return await waits(*args, **given)
        except MCPError:
            raise
        except Exception as error:  # noqa: BLE001 - the last one to answer
            return result_of(known(error))

    return answered


def read(resource: Tool) -> Callable[..., Awaitable[str]]:
    """A resource whose errors are the protocol's, with ours as their data."""
    waits = functools.partial(_called, resource)

    @functools.wraps(resource)
    async def answered(*args: Any, **given: Any) -> str:
        try:
            return await waits(*args, **given)
        except MCPError:
            raise
        except Exception as error:
            ours = known(error)
            code = INVALID_PARAMS if isinstance(ours, RequestError) else INTERNAL_ERROR
            raise MCPError(code=code, message=_short(ours.message), data=body(ours)) from error

    return answered


def known(error: Exception) -> PodtuneError:
    """Any error as one of ours."""
    if isinstance(error, PodtuneError):
        return error
    log.error("unexpected %s", type(error).__name__, exc_info=error)
    return StateError(
        "podtune met an error that it does not know",
        code="internal_error",
        hint="its log has the details; `podtune doctor` looks for the usual causes",
    )


def result_of(error: PodtuneError) -> CallToolResult:
    """An error as a tool's answer: text for the model, the same in fields for programs."""
    detail = body(error)
    text = f"{detail['code']}: {detail['message']}"
    if detail["hint"]:
        text += f"\nnext: {detail['hint']}"
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content={"error": detail},
        is_error=True,
    )


class Fault(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    """Stable, snake_case."""
    message: str
    """What happened, with the value in question."""
    hint: str | None
    """The next step."""
    retryable: bool
    """Whether the same call may succeed later."""
    is_missing: bool
    """Whether something that was named is not there."""
    context: dict[str, str | bool | int | float | None]
    """Facts for programs."""


def with_fault(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a tool's answer, which may be an error instead: clients hold both against it.

    Args:
        answer: JSON Schema of an object.
    """
    fault = Fault.model_json_schema()
    return {
        **answer,
        "properties": {**answer["properties"], "error": fault},
        "required": [],
        "anyOf": [{"required": answer["required"]}, {"required": ["error"]}],
    }


def body(error: PodtuneError) -> dict[str, Any]:
    """The error as a `Fault` in JSON; of its context the plain values."""
    return Fault(
        code=error.code,
        message=_short(error.message),
        hint=_short(error.hint) if error.hint else None,
        retryable=error.retryable,
        is_missing=isinstance(error, NotFoundError),
        context={
            name: scrub(value) if isinstance(value, str) else value
            for name, value in error.context.items()
            if value is None or isinstance(value, str | bool | int | float)
        },
    ).model_dump(mode="json")


async def _called(tool: Tool, *args: Any, **given: Any) -> Any:
    if inspect.iscoroutinefunction(tool):
        return await tool(*args, **given)
    return await to_thread.run_sync(functools.partial(tool, *args, **given), limiter=_limiter())


def _limiter() -> CapacityLimiter:
    """Of this event loop."""
    try:
        return _PLACE.get()
    except LookupError:
        made = CapacityLimiter(THREADS)
        _PLACE.set(made)
        return made


def _short(text: str) -> str:
    told_ = scrub(text)
    return told_ if len(told_) <= MOST_CHARACTERS else told_[:MOST_CHARACTERS] + " ..."
