"""What a caller's paid job may cost, and what a caller may ask for at all.

A paid job needs a ceiling: `PODTUNE_MAX_USD_PER_JOB`, or the budget of its caller's key; a request may only
lower it. Whose jobs are tenants' may name nothing of this machine and nothing that opens by the operator's keys.
"""

import re
from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from pathlib import Path
from typing import Final, NamedTuple

from podtune.app.settings import Settings
from podtune.core.access import Principal
from podtune.core.errors import ForbiddenError, SpecError
from podtune.core.form_fields import model_name
from podtune.core.request import TrainingRequest
from podtune.intake.resolve import resolve
from podtune.workflow.columns import MICRO

MAX_USD: Final = "where.max_usd"

FILES: Final = "files"
"""The folder of the home that holds what callers uploaded."""

_OPEN: Final = frozenset(
    {
        "base_model", "base_model.name", "base_model.revision", "base_model.source", "method",
        "where.on", "where.gpu", "where.gpu_any_of", "where.gpu_avoid", "where.min_vram_gib", "where.count",
        "where.nodes", "where.cloud", "where.region", "where.disk_gb", "where.volume_gb", "where.max_usd",
        "where.max_hours", "where.deadline",
        "deliver.name", "deliver.callback_url",
    }
)  # fmt: skip
"""What a tenant may state, besides the sections `data`, `adapter`, `training` and `evaluate`. Not: images and
volumes (they see what a machine is handed), places that the operator's keys open, paths."""
_OPEN_SECTIONS: Final = ("data.", "adapter.", "training.", "evaluate.")

_CLOSED: Final = frozenset({"training.report_to"})
_WEB: Final = re.compile(r"https?://", re.IGNORECASE)


class Ceiling(NamedTuple):
    """What a paid job may cost."""

    usd: Decimal
    is_stated: bool
    """Whether the request said so; otherwise it may be lowered to what is left of a budget."""


def ceiling_of(
    request: TrainingRequest, settings: Settings, principal: Principal
) -> Ceiling | None:
    """The ceiling of a request; None where nothing is rented.

    Raises:
        PodtuneError: it is no request that could be planned.
        ForbiddenError: code `ceiling_needed`: it is paid, and nobody set a ceiling.
    """
    where = resolve(request).spec.where
    if not where.on.is_rented:
        return None
    limits = [
        usd for usd in (settings.max_usd_per_job or None, principal.budget_usd) if usd is not None
    ]
    if not limits:
        raise ForbiddenError(
            "a job on rented machines needs a ceiling that the operator set, and there is none",
            code="ceiling_needed",
            hint="set PODTUNE_MAX_USD_PER_JOB=10 for the gateway, or give the key a budget: "
            "podtune keys create NAME --budget 50 and its scopes",
        )
    most = min(limits)
    stated = where.max_usd
    if stated is None:
        return Ceiling(most, is_stated=False)
    return Ceiling(min(most, Decimal(str(stated))), is_stated=True)


def within_budget(ceiling: Ceiling, budget: Decimal, taken: Decimal) -> Decimal:
    """The ceiling that a key's budget allows now, in whole micro-dollars.

    Args:
        ceiling: As `ceiling_of` says.
        budget: Of the key.
        taken: Of it, what is spent or set aside.

    Raises:
        ForbiddenError: code `key_budget`: less is left.
    """
    left = max(Decimal(0), budget - taken)
    if left > 0 and (ceiling.usd <= left or not ceiling.is_stated):
        return min(ceiling.usd, left).quantize(1 / MICRO, rounding=ROUND_DOWN)
    raise ForbiddenError(
        f"the key's budget of ${budget:.2f} has ${left:.2f} left, and the job may cost ${ceiling.usd:.2f}",
        code="key_budget",
        hint="state a lower max_usd, wait until a job ends, or ask for a key with a larger budget",
        context={"budget_usd": float(budget), "left_usd": float(left)},
    )


def capped(request: TrainingRequest, usd: Decimal | None) -> TrainingRequest:
    """The request with its ceiling in it; as it is where nothing is rented."""
    if usd is None:
        return request
    return request.model_copy(update={"stated": {**request.stated, MAX_USD: float(usd)}})


def refuse_reach(request: TrainingRequest, settings: Settings, principal: Principal) -> None:
    """Raise where a tenant asks for what is the operator's.

    Raises:
        ForbiddenError: code `operator_only`, naming the fields.
    """
    if principal.tenant is None:
        return
    stated = request.stated
    beyond = sorted(str(path)[:60] for path in stated if not _is_open(str(path)))
    if beyond:
        raise _operator_only(f"{', '.join(beyond[:8])} can be set by the operator alone")
    _refuse_paths(stated, settings)


def _is_open(path: str) -> bool:
    return path in _OPEN or (path.startswith(_OPEN_SECTIONS) and path not in _CLOSED)


def _refuse_paths(stated: Mapping[str, object], settings: Settings) -> None:
    for path in ("data.source", "data.validation_source"):
        source = stated.get(path)
        if source is not None and not _is_reachable(str(source), settings):
            raise _operator_only(
                f"{path} must be an https:// address or an uploaded file",
                "for data in S3 or on the Hub give a signed or public https address",
            )
    name = stated.get("base_model.name", stated.get("base_model"))
    if str(stated.get("base_model.source", "")).lower() == "path":
        raise _operator_only("base_model.source 'path' is for the operator alone")
    if name is None:
        return
    try:
        is_folder = Path(model_name(str(name))).is_dir()
    except (ValueError, OSError) as error:
        raise SpecError(
            "base_model.name must be a model's name on the Hub", hint="e.g. Qwen/Qwen3-8B"
        ) from error
    if is_folder:
        raise _operator_only("base_model.name is a folder here", "give a model of the Hub")


def _is_reachable(source: str, settings: Settings) -> bool:
    if _WEB.match(source):
        return True
    if "://" in source or "\0" in source or any(sign in source for sign in "*?["):
        return False
    path, folder = Path(source), (settings.home / FILES).resolve()
    return path.is_absolute() and path.resolve().is_relative_to(folder) and path.is_file()


def _operator_only(message: str, hint: str | None = None) -> ForbiddenError:
    return ForbiddenError(message, code="operator_only", hint=hint)
