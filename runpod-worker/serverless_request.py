"""What a job's input asks for, read once: the application's request, and what an orchestrator says beside it.

Used by the worker, which refuses what is wrong, and by the job's own program, which carries it out.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

import serverless_terms
import serverless_upload
from podtune.app.settings import Settings
from podtune.core.errors import PodtuneError, SpecError
from podtune.core.submission import Submission, parse
from podtune.egress.addresses import Policy
from serverless_order import EXTRA
from serverless_terms import Terms
from serverless_upload import Upload

LARGEST_BUNDLE: Final = 8 * 10**9
"""Bytes: twice the largest base model that is sent along (`bundle.MAX_MODEL_BYTES`)."""


class Bundle(BaseModel):
    """`bundle` of an input: what lies at `dataset_url` is podtune's own bundle (`serverless_bundle`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(gt=0, le=LARGEST_BUNDLE)
    plan: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of the plan that was approved: every attempt of a job trains the same."""


class Request(NamedTuple):
    """One job, as it was asked for."""

    asked: Submission
    terms: Terms
    upload: Upload | None
    policy: Policy
    """Which addresses may be reached for it."""
    reserve_s: float
    """What is kept before its deadline for saving and sending."""
    bundle: Bundle | None = None
    """None where `dataset_url` is a data set."""


def read(given: object, settings: Settings) -> Request:
    """Understand an input.

    Args:
        given: As it came.
        settings: The worker's.

    Raises:
        SpecError: code `bad_request_body` or `url_blocked`; no address stands in it.
    """
    asked = parse(given, extra=EXTRA)
    body = cast("Mapping[str, object]", given)  # else it would not have been understood
    policy = settings.egress_policy
    upload = serverless_upload.read(body.get("upload"), policy)
    terms = serverless_terms.read(body)
    bundle = _bundle(body)
    return Request(asked, terms, upload, policy, settings.upload_reserve_s, bundle)


def _bundle(given: Mapping[str, object]) -> Bundle | None:
    """The bundle of an input; None where `dataset_url` is a data set.

    Raises:
        SpecError: code `bad_request_body`.
    """
    if given.get("bundle") is None:
        return None
    try:
        return Bundle.model_validate(given["bundle"])
    except ValidationError as error:
        places = sorted({".".join(str(p) for p in e["loc"]) or "." for e in error.errors()})
        raise SpecError(
            f"bundle: not as it should be at {', '.join(places)[:300]}",
            code="bad_request_body",
            hint="leave bundle away where dataset_url is a data set",
        ) from None


def answerable(given: object, settings: Settings) -> tuple[Terms, Upload] | None:
    """Of an input that was refused: whose result it is and where that goes; None where it does not say."""
    if not isinstance(given, Mapping):
        return None
    body = cast("Mapping[str, object]", given)
    try:
        upload = serverless_upload.read(body.get("upload"), settings.egress_policy)
        return None if upload is None else (serverless_terms.read(body), upload)
    except PodtuneError:  # the refusal itself says what is wrong with it
        return None
