"""`/v1/models`: base models that can be adapted, and what the caller's jobs trained."""

from typing import Any, Final

from fastapi import APIRouter

from podtune.app import hosted_models
from podtune.app.asked import Submitted
from podtune.app.desk import Desk
from podtune.core.errors import NotFoundError, UnsupportedError
from podtune.core.states import Outcome
from podtune.gateway.callers import Reader, Submitter
from podtune.gateway.openai import job_view, pages

router = APIRouter(prefix="/models")

LISTED_JOBS: Final = 200
CREATED: Final = 1_763_856_000
"""When the table of base models was made: 2025-11-23 00:00 UTC; the API wants a number."""


@router.get("")
def models(desk: Reader) -> dict[str, Any]:
    """What the caller's jobs trained, the newest first, and base models worth naming."""
    found = [_trained(one) for one in desk.list(limit=LISTED_JOBS) if is_trained(one)]
    found += [_base(name) for name in hosted_models.known_bases(desk.service.settings)]
    return pages.told(found, has_more=False)


@router.get("/{model:path}", responses=pages.responses(404))
def retrieve(model: str, desk: Reader) -> dict[str, Any]:
    """One model. Any `org/name` may be trained on, whether it is in the list or not."""
    if model.startswith(hosted_models.PREFIX):
        return _trained(job_of(desk, model))
    if not hosted_models.is_hub_name(model):
        raise not_found(model)
    return _base(model)


@router.delete("/{model:path}", responses=pages.responses(404))
def delete(model: str, desk: Submitter) -> dict[str, Any]:
    """Not built: an adapter goes with its job's folder."""
    job = job_of(desk, model)
    raise UnsupportedError(
        f"the adapter of job {job.id!r} is kept: its receipt vouches for it",
        code="unsupported",
        hint="remove the job's folder below PODTUNE_HOME/jobs on the gateway's machine",
        context={"param": "model"},
    )


def job_of(desk: Desk, model: str) -> Submitted:
    """The caller's job that trained a model.

    Raises:
        NotFoundError: there is none of exactly that name.
    """
    said = hosted_models.parse(model)
    if said is None:
        raise not_found(model)
    try:
        found = desk.get(said.job)
    except NotFoundError:
        raise not_found(model) from None
    if not is_trained(found) or model != job_view.model_name(found, said.step):
        raise not_found(model)
    return found


def is_trained(found: Submitted) -> bool:
    """Whether it has a result."""
    return found.job is not None and found.job.outcome is Outcome.COMPLETED


def not_found(model: str) -> NotFoundError:
    """In the words of one that is another's."""
    return NotFoundError(
        f"no model {model[:120]!r}",
        code="model_not_found",
        hint="client.models.list() lists what was trained",
        context={"param": "model"},
    )


def _trained(found: Submitted) -> dict[str, Any]:
    ended = found.job.finished_at if found.job else None
    return {
        "id": job_view.model_name(found),
        "object": "model",
        "created": int((ended or found.created_at).timestamp()),
        "owned_by": f"org-{found.tenant or hosted_models.DEFAULT_OWNER}",
        "parent": found.job.plan.base_model.name if found.job else None,
    }


def _base(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": name.partition("/")[0]}
