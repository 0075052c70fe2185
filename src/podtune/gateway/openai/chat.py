"""`/v1/chat/completions` for what the caller's jobs trained: one adapter of this machine answers.

Source: the SDK's `CompletionCreateParams` and `ChatCompletionChunk` (openai 3.54.0), read on 2026-11-23. What cannot be
done is refused by name, so that nobody takes an answer for more than it is.
"""

import json
from collections.abc import Generator, Iterator, Mapping
from itertools import chain
from typing import Any, Final, Literal, cast

from anyio import to_thread
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response, StreamingResponse

from podtune.app import warm_chats
from podtune.app.asked import Submitted
from podtune.app.chat_program import Ended
from podtune.app.desk import Desk
from podtune.core.clock import monotonic, random_word, sleep, utc_now
from podtune.core.errors import PodtuneError, SpecError, UnsupportedError
from podtune.core.form_faults import faults_of, kind_of
from podtune.gateway import errors
from podtune.gateway.bodies import JsonBody
from podtune.gateway.callers import Reader, submit_counted
from podtune.gateway.errors import HttpError
from podtune.gateway.limits import TALKING
from podtune.gateway.openai import models, pages
from podtune.gateway.openai.parts import hosted_of

router = APIRouter(prefix="/chat")

MAX_TOKENS: Final = 4096
"""Of one answer. Chosen: a slow machine would compute for an hour on more."""
USUAL_TOKENS: Final = 400
"""Where nobody says; the same as `podtune chat`."""
MAX_MESSAGES: Final = 500
MAX_TEXT: Final = 400_000
"""Characters of one message."""

SETTLES_WITHIN_S: Final = 30.0
"""How long a job that has succeeded is waited for until its receipt is signed. Chosen: seconds on this machine."""
LOOK_S: Final = 0.1

REFUSED: Final = (
    "tools", "functions", "logprobs", "top_logprobs", "logit_bias", "audio", "prediction",
    "frequency_penalty", "presence_penalty", "web_search_options",
)  # fmt: skip
"""What is not built; false, zero and empty are the same as nothing."""


class NotHereError(HttpError):
    """Known, and cannot be done by this machine; the hint says where."""

    code = "not_served_here"
    status = 501


class Message(BaseModel):
    """One turn."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Any]


class Completion(BaseModel):
    """What is understood of a request; what changes nothing (`user`, `metadata`, `store` ...) is passed over."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    model: str = Field(min_length=1, max_length=800)
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=MAX_TOKENS)
    max_tokens: int | None = Field(default=None, ge=1, le=MAX_TOKENS)
    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    n: int = Field(default=1, ge=1, le=1)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    stop: str | list[str] | None = Field(default=None, max_length=500)
    stream: bool = False
    stream_options: dict[str, Any] = Field(default_factory=dict)

    def asked(self) -> dict[str, object]:
        """What the program is asked."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return {
            "messages": [{"role": _role(one.role), "content": _text(one)} for one in self.messages],
            "max_tokens": self.max_completion_tokens or self.max_tokens or USUAL_TOKENS,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
            "stop": [word for word in stop[:4] if word],
        }


@router.post(
    "/completions",
    dependencies=[Depends(submit_counted)],
    response_model=None,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {"type": "object", "required": ["model", "messages"]}
                }
            },
        }
    },
    responses={
        200: {
            "description": "The answer; with `stream`, as server-sent events.",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/event-stream": {"schema": {"type": "string"}},
            },
        },
        **pages.responses(404),
        501: {
            "description": "This machine cannot answer with that model; the message says what can.",
            "model": errors.OpenAIErrorBody,
        },
    },
)
async def completions(request: Request, desk: Reader, body: JsonBody) -> Response | dict[str, Any]:
    """Answer a conversation with what a job trained, `ft:...`. One conversation at a time for each adapter."""
    asked = parse(body)
    limiter = TALKING.limiter
    found = await to_thread.run_sync(_ready, desk, asked.model, limiter=limiter)
    folder = await to_thread.run_sync(desk.service.chat_folder, found.id, limiter=limiter)
    pieces = hosted_of(request).chats.complete(folder, asked.asked())
    name = f"chatcmpl-{random_word(24)}"
    if not asked.stream:
        return await to_thread.run_sync(_whole, name, asked.model, pieces, limiter=limiter)
    # The first piece is waited for, so that what is refused is an error with a status.
    first = await to_thread.run_sync(next, pieces, limiter=limiter)
    usage = asked.stream_options.get("include_usage") is True
    lines = _lines(name, asked.model, chain([first], pieces), pieces, usage=usage)
    return StreamingResponse(lines, media_type="text/event-stream")


def parse(body: object) -> Completion:
    """Read a request.

    Raises:
        SpecError: every fault at once.
        UnsupportedError: what is not built, by name.
    """
    if not isinstance(body, Mapping):
        raise SpecError(
            f"the request must be a JSON object, not {kind_of(body)}", code="bad_request_body"
        )
    given = {str(k): v for k, v in cast("Mapping[object, object]", body).items() if v is not None}
    beyond = [name for name in REFUSED if given.get(name)]
    form = given.get("response_format")
    if isinstance(form, Mapping) and cast("Mapping[str, object]", form).get("type") != "text":
        beyond.append("response_format")
    if beyond:
        raise UnsupportedError(
            f"{', '.join(beyond)}: not built",
            code="unsupported_parameter",
            hint="serve the adapter with a server that can: podtune export JOB --to merged",
            context={"param": beyond[0]},
        )
    try:
        return Completion.model_validate(given)
    except ValidationError as error:
        faults = faults_of(error, {(): tuple(Completion.model_fields)}, ("messages",))
    raise SpecError(
        "; ".join(faults[:20]),
        code="bad_request_body",
        context={"problems": faults[:20], "param": faults[0].partition(":")[0]},
    )


def _ready(desk: Desk, model: str) -> Submitted:
    """The job behind a name whose adapter can answer here.

    Raises:
        NotFoundError: there is no such model.
        NotHereError: it cannot answer on this machine.
    """
    if not model.startswith("ft:"):
        raise NotHereError(
            f"only what was trained here answers, not {model[:120]!r}",
            hint="model='ft:...' of a job; a base model is served by vLLM, llama.cpp or Ollama",
            context={"param": "model"},
        )
    found = models.job_of(desk, model)
    if model != models.job_view.model_name(found):
        raise NotHereError(
            "a checkpoint does not answer by itself",
            hint=f"use the job's result, {models.job_view.model_name(found)}",
            context={"param": "model"},
        )
    until = monotonic() + SETTLES_WITHIN_S
    while found.job is not None and not found.job.is_finished and monotonic() < until:
        sleep(LOOK_S)
        found = desk.get(found.id)
    why = warm_chats.hindrance(found.job) if found.job is not None else None
    if why is not None:
        raise NotHereError(
            why,
            hint=f"podtune export {found.id} --to merged, and serve it on a machine that has the memory",
            context={"param": "model"},
        )
    return found


def _whole(name: str, model: str, pieces: Iterator[str | Ended]) -> dict[str, Any]:
    text, ended = "", Ended("stop", 0, 0)
    for piece in pieces:
        if isinstance(piece, Ended):
            ended = piece
        else:
            text += piece
    message = {"role": "assistant", "content": text.strip(), "refusal": None}
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": ended.finish_reason,
        "logprobs": None,
    }
    return {**_head(name, model, "chat.completion"), "choices": [choice], "usage": _usage(ended)}


def _lines(
    name: str,
    model: str,
    found: Iterator[str | Ended],
    pieces: Generator[str | Ended],
    *,
    usage: bool,
) -> Iterator[str]:
    """The answer as server-sent events; a failure on the way is told as one."""
    head = _head(name, model, "chat.completion.chunk")

    def chunk(delta: Mapping[str, str], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return _data({**head, "choices": [choice]})

    try:
        yield chunk({"role": "assistant", "content": ""})
        for piece in found:
            if not isinstance(piece, Ended):
                yield chunk({"content": piece})
                continue
            yield chunk({}, piece.finish_reason)
            if usage:
                yield _data({**head, "choices": [], "usage": _usage(piece)})
        yield "data: [DONE]\n\n"
    except PodtuneError as error:
        yield _data(errors.openai_body(error, errors.status_of(error)))
    finally:
        pieces.close()


def _data(value: object) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n\n"


def _head(name: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": name, "object": kind, "created": int(utc_now().timestamp()), "model": model}


def _usage(ended: Ended) -> dict[str, int]:
    return {
        "prompt_tokens": ended.prompt_tokens,
        "completion_tokens": ended.completion_tokens,
        "total_tokens": ended.prompt_tokens + ended.completion_tokens,
    }


def _role(role: str) -> str:
    return "system" if role == "developer" else role


def _text(message: Message) -> str:
    """A message's text; parts of text are put together.

    Raises:
        SpecError: it has a part that is no text, or is too long.
    """
    parts = [message.content] if isinstance(message.content, str) else message.content
    words: list[str] = []
    for part in parts:
        value = cast("Mapping[str, object]", part).get("text") if isinstance(part, dict) else part
        if not isinstance(value, str):
            raise SpecError(
                "messages: only text is taken, no image, sound or file",
                code="bad_request_body",
                context={"param": "messages"},
            )
        words.append(value)
    text = "".join(words)
    if len(text) > MAX_TEXT:
        raise SpecError(
            f"messages: one has more than {MAX_TEXT} characters",
            code="bad_request_body",
            context={"param": "messages"},
        )
    return text
