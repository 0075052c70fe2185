"""The OpenAPI document: what the routes say, with the errors that every one of them may answer.

Errors under `/v1/` have the fine-tuning API's form, all others ours. What cannot be asked as a route says is
answered 400, and not FastAPI's own 422, which the document is freed of.
"""

import re
import warnings
from http import HTTPStatus
from typing import Any, Final, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from podtune.gateway.errors import ErrorBody, OpenAIErrorBody, is_openai

ALWAYS: Final = (400, 408, 413, 421, 429, 431, 500, 503)
"""What the layers before the routes may answer, and a job store that is out of order."""
OF_KEYS: Final = (401, 403)
"""What a route that asks for a key may answer besides."""
OF_OPENAI: Final = (404, 409, 502)
"""What every route of the fine-tuning API may answer: each names files, jobs or models, in its path or its body."""
_WORD: Final = re.compile(r"[A-Za-z0-9_]+")
_FOREIGN: Final = "HTTPValidationError"
DESCRIPTION: Final = """
Train adapters over HTTP: `POST /training/submit`, then `GET /training/status/{external_job_id}` until its
`status` is `completed` or `failed`; a `callback_url` is told of the outcome once, signed by Standard Webhooks.
`/v1/` speaks the hosted fine-tuning API. Agents ask `POST /v1/plans` for a plan with its price, and start it with
the token that comes with it.

Every error is `{"error": {"code", "message", "hint", "context"}}`; `code` is stable. Under `/v1/`, plans apart, it is
`{"error": {"message", "type", "param", "code"}}`.
"""


def install(app: FastAPI) -> None:
    """Have an app make its document so, once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(app)
        return app.openapi_schema

    app.openapi = openapi  # pyright: ignore[reportAttributeAccessIssue] - the way FastAPI documents


def _completed(app: FastAPI) -> dict[str, Any]:
    with warnings.catch_warnings():
        # One function may answer two methods; FastAPI gives both one id, and says so. Ours are given below.
        warnings.filterwarnings("ignore", "Duplicate Operation ID")
        document = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=DESCRIPTION.strip(),
            routes=app.routes,
        )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in (_FOREIGN, "ValidationError"):
        schemas.pop(name, None)
    for model in (ErrorBody, OpenAIErrorBody):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    for path, item in cast("dict[str, dict[str, Any]]", document["paths"]).items():
        for method, operation in item.items():
            operation["operationId"] = f"{method}_{'_'.join(_WORD.findall(path))}"
            _complete(path, operation)
    return document


def _complete(path: str, operation: dict[str, Any]) -> None:
    """Add the errors that are not said; what a route says itself stands."""
    told: dict[str, Any] = operation.setdefault("responses", {})
    if _FOREIGN in str(told.get("422")):
        del told["422"]
    hosted = is_openai(path)
    model = OpenAIErrorBody if hosted else ErrorBody
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    of_keys = OF_KEYS if operation.get("security") else ()
    for status in (*ALWAYS, *of_keys, *(OF_OPENAI if hosted else ())):
        told.setdefault(
            str(status),
            {
                "description": HTTPStatus(status).phrase,
                "content": {"application/json": {"schema": schema}},
            },
        )
    operation["responses"] = dict(sorted(told.items()))
