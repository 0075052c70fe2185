"""Every error a person, a shell or an HTTP client can meet, with one table of how it looks to each.

    PodtuneError            code, message, hint, retryable, context
      RequestError            what was asked cannot be done as asked                -> 400, exit 2
        SpecError               a field of the request or spec is wrong
        DatasetError            the data is not fit to train on (lists every finding)
        UnsupportedError        known, but not built or not possible here
        NotFoundError           no such job, file or model                          -> 404
        ConflictError           the job is not in a state that allows this          -> 409
      CredentialsError        a key is missing or was rejected                      -> 401, exit 3
        ForbiddenError          the key is good, and does not open this             -> 403
      ProviderError           the machine or its vendor failed                      -> 502, exit 4
        NoCapacityError         nothing of that kind is free now: try the next offer
        BalanceError            the account cannot pay
        DoubtfulError           a create was sent and nobody knows whether it worked: look by name
        UnavailableError        the vendor does not answer as it should; later it may
      TrainingError           the training itself failed                            -> 500, exit 5
      ArtifactError           the adapter is missing, damaged or unproved           -> 500, exit 6
      StateError              our own stored state cannot be used                   -> 503, exit 7

Faces never catch these, they render them. `code` is stable snake_case.
"""

from collections.abc import Mapping
from typing import Final, cast


class PodtuneError(Exception):
    """Base of all our errors.

    Args:
        message: What happened, with the value in question.
        code: Stable snake_case name; the class's own when not given.
        hint: The next step, as a command where there is one.
        context: Facts for machines (JSON values only; never row text, never secrets).
    """

    code: str = "error"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        context: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.hint = hint
        self.context = dict(context or {})

    def __reduce__(self) -> tuple[object, ...]:
        """Keep code, hint and context through pickling (errors cross process pools)."""
        return (_rebuild, (type(self), self.message, self.code, self.hint, self.context))

    def to_json(self) -> dict[str, object]:
        """The machine form, the same in the CLI's JSON output and over HTTP."""
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "context": self.context,
        }


def _rebuild(
    kind: type[PodtuneError],
    message: str,
    code: str,
    hint: str | None,
    context: Mapping[str, object],
) -> PodtuneError:
    return kind(message, code=code, hint=hint, context=context)


class RequestError(PodtuneError):
    """What was asked cannot be done as asked."""

    code = "bad_request"


class SpecError(RequestError):
    """A field of the request or of the spec is wrong."""

    code = "bad_spec"


class DatasetError(RequestError):
    """The data is not fit to train on; `context["findings"]` lists every finding."""

    code = "bad_data"


class UnsupportedError(RequestError):
    """Known and meant, but not built yet or not possible on this machine."""

    code = "unsupported"


class NotFoundError(RequestError):
    """No such job, file or model."""

    code = "not_found"


class ConflictError(RequestError):
    """The thing exists, but its state does not allow this."""

    code = "conflict"


class CredentialsError(PodtuneError):
    """A key is missing or was rejected."""

    code = "credentials"


class ForbiddenError(CredentialsError):
    """The key is good, but it does not open this, or its budget does not reach so far."""

    code = "forbidden"


class ProviderError(PodtuneError):
    """The machine that should train, or its vendor, failed."""

    code = "provider_failed"


class NoCapacityError(ProviderError):
    """Nothing of that kind can be had now; another offer may."""

    code = "no_capacity"


class BalanceError(ProviderError):
    """The account cannot pay for it."""

    code = "insufficient_balance"


class DoubtfulError(ProviderError):
    """A machine was ordered and the answer does not tell whether it exists: never order again."""

    code = "create_doubtful"


class UnavailableError(ProviderError):
    """The vendor failed or cannot be reached; the same call may succeed later."""

    code = "vendor_unavailable"
    retryable = True


class TrainingError(PodtuneError):
    """The training itself failed; the code says how."""

    code = "training_failed"


class ArtifactError(PodtuneError):
    """The adapter is missing, damaged, or does not change the model."""

    code = "artifact_bad"


class StateError(PodtuneError):
    """Our own stored state cannot be used (a newer database, a full disk)."""

    code = "state_unusable"
    retryable = False


EXIT_CODES: Final[Mapping[type[PodtuneError], int]] = {
    RequestError: 2,
    CredentialsError: 3,
    ProviderError: 4,
    TrainingError: 5,
    ArtifactError: 6,
    StateError: 7,
    PodtuneError: 1,
}
"""Exit code of the command line by error class; the nearest ancestor counts."""

HTTP_STATUSES: Final[Mapping[type[PodtuneError], int]] = {
    NotFoundError: 404,
    ConflictError: 409,
    RequestError: 400,
    ForbiddenError: 403,
    CredentialsError: 401,
    ProviderError: 502,
    StateError: 503,
    PodtuneError: 500,
}
"""HTTP status by error class; the nearest ancestor counts."""


_FAILURE_CLASSES: Final[Mapping[str, type[PodtuneError]]] = {
    **dict.fromkeys(
        (
            "artifact_bad",
            "artifact_incomplete",
            "artifact_lost",
            "bad_proof",
            "copy_failed",
            "integrity_mismatch",
            "upload_refused",
        ),
        ArtifactError,
    ),
    **dict.fromkeys(
        (
            "credentials",
            "missing_key",
            "rejected_key",
            "key_scope",
            "token_rejected",
            "token_scope",
            "s3_refused",
            "supabase_refused",
            "supabase_expired",
        ),
        CredentialsError,
    ),
    **dict.fromkeys(("state_unusable", "internal_error"), StateError),
    **dict.fromkeys(
        (
            "launch_failed",
            "provider_failed",
            "no_capacity",
            "insufficient_balance",
            "create_doubtful",
            "vendor_unavailable",
            "store_unavailable",
            "store_failed",
            "boot_timeout",
            "crash_loop",
            "price_rose",
            "worker_silent",
            "over_budget",
            "not_permitted",
            "rate_limited",
            "vendor_answer",
            "blocked",
            "redirected",
            "foreign_machine",
            "request_refused",
            "runpod_rule",
            "bad_machine",
        ),
        ProviderError,
    ),
}
"""Codes of failed jobs that are no fault of the training."""


def failure_of(code: str, message: str, hint: str | None) -> PodtuneError:
    """The error a failed job is, from what its row says."""
    return _FAILURE_CLASSES.get(code, TrainingError)(message, code=code, hint=hint)


def to_stored(error: PodtuneError) -> dict[str, object]:
    """An error as JSON that `of_stored` makes an equal one of: its class is the nearest of this module."""
    kinds = (kind for kind in type(error).__mro__ if kind.__module__ == __name__)
    return {"class": next(kinds, PodtuneError).__name__, **error.to_json()}


def of_stored(data: Mapping[str, object]) -> PodtuneError:
    """An error that `to_stored` wrote down; one of a class that is not known here is a plain one."""
    found: object = globals().get(str(data.get("class")))
    kind = found if isinstance(found, type) and issubclass(found, PodtuneError) else PodtuneError
    context, hint = data.get("context"), data.get("hint")
    return kind(
        str(data.get("message") or "it failed"),
        code=str(data["code"]) if data.get("code") else None,
        hint=str(hint) if hint else None,
        context=cast("Mapping[str, object]", context) if isinstance(context, Mapping) else None,
    )


def exit_code(error: PodtuneError) -> int:
    """The shell's exit code for an error (1..7)."""
    return _nearest(EXIT_CODES, error)


def http_status(error: PodtuneError) -> int:
    """The HTTP status for an error."""
    return _nearest(HTTP_STATUSES, error)


def _nearest(table: Mapping[type[PodtuneError], int], error: PodtuneError) -> int:
    for kind in type(error).__mro__:
        if kind in table:
            return table[kind]
    return table[PodtuneError]
