"""What RunPod's refusals mean: status and body -> one of our errors.

v2 answers `application/problem+json` (`title`, `status`, `detail`, `errors`); retired v1 answered
`{"error"}` or `{"message"}`, so the shape tells which of them spoke. Source: OpenAPI document of v2
and RunPod's table of what to do with each status of a create, read 2026-11-22.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, cast

from podtune.core.errors import (
    BalanceError,
    ConflictError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    NotFoundError,
    PodtuneError,
    ProviderError,
    SpecError,
    UnavailableError,
)
from podtune.core.redact import scrub

KEY_PAGE: Final = "console.runpod.io/user/settings"
BILLING_PAGE: Final = "console.runpod.io/user/billing"

_TEXT_LIMIT: Final = 300
"""Characters of the vendor's own words that an error repeats."""

_CAPACITY: Final = re.compile(
    r"no longer any instances|not enough free|no instances|no machine|insufficient (?:capacity|resources)"
    r"|out of stock|currently unavailable",
    re.IGNORECASE,
)
"""Texts of a 400 that mean "none free"; RunPod gives no code for it (seen 2024-2026)."""

_RULE: Final = re.compile(
    r"mutually exclusive|must (?:be|not|have)|required|invalid|not (?:allowed|supported|valid)|exactly one of",
    re.IGNORECASE,
)
"""Texts of a 400 that mean "this request breaks a rule", which every other card would break too."""

_CONTROLS: Final = dict.fromkeys((*range(32), *range(127, 160)), " ")


class Refusal(NamedTuple):
    """An answer that is no success."""

    call: str
    """Method and path, such as `GET /pods`; nothing secret."""
    status: int
    headers: Mapping[str, str]
    body: bytes
    creates: bool = False
    """Whether the request orders something that costs money."""


class Problem(NamedTuple):
    """What an error's body says."""

    is_json: bool
    is_v1: bool
    text: str
    """For people, without keys or control characters; bounded."""


def problem(body: bytes) -> Problem:
    """Read an error's body, whichever API wrote it."""
    raw = body.decode(errors="replace")
    try:
        value: object = json.loads(raw)
    except (ValueError, RecursionError):
        return Problem(is_json=False, is_v1=False, text=_words(raw))
    if not isinstance(value, dict):
        return Problem(is_json=True, is_v1=False, text=_words(raw))
    fields = cast("dict[str, object]", value)
    is_v1 = "detail" not in fields and "title" not in fields
    said = [
        fields.get("detail") or fields.get("error") or fields.get("message") or fields.get("title")
    ]
    errors = fields.get("errors")
    if isinstance(errors, list):
        said += cast("list[object]", errors)
    text = "; ".join(str(part) for part in said if part)
    return Problem(is_json=True, is_v1=is_v1, text=_words(text))


def error_of(refusal: Refusal) -> PodtuneError:
    """The error a refusal is."""
    said = problem(refusal.body)
    make = _BY_STATUS.get(refusal.status)
    if make is not None:
        return make(refusal, said)
    if refusal.status >= 500 and refusal.creates:
        return DoubtfulError(
            f"RunPod answered {refusal.status} to {refusal.call}: the machine may exist all the same",
            hint="nothing to do: podtune looks for it by its name",
            context=_context(refusal),
        )
    if 300 <= refusal.status < 400:
        return ProviderError(
            f"RunPod sent {refusal.call} elsewhere ({refusal.status}); redirects are not followed",
            code="redirected",
            hint="check RUNPOD_REST_BASE_URL; RunPod's own is https://api.runpod.io/v2",
            context=_context(refusal),
        )
    if 400 <= refusal.status < 500:
        return ProviderError(
            f"RunPod refused {refusal.call} ({refusal.status}): {said.text}",
            code="request_refused",
            context=_context(refusal),
        )
    return UnavailableError(
        f"RunPod failed at {refusal.call} ({refusal.status}): {said.text}",
        hint="try again in a minute; uptime.runpod.io shows known faults",
        context=_context(refusal),
    )


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds a 429 or 503 asks to wait; None when it does not say."""
    value = headers.get("retry-after", "").strip()
    return float(value) if value.isdigit() and len(value) <= 6 else None


def _bad_request(refusal: Refusal, said: Problem) -> PodtuneError:
    if not refusal.creates:
        return _rule(refusal, said)
    if _CAPACITY.search(said.text):
        return NoCapacityError(f"RunPod has none free: {said.text}", context=_context(refusal))
    if _RULE.search(said.text):
        return _rule(refusal, said)
    return NoCapacityError(
        f"RunPod refused the order: {said.text}",
        hint="RunPod tells a full card and a wrong order apart in words only; "
        "when every card is refused so, the order is wrong",
        context=_context(refusal),
    )


def _rule(refusal: Refusal, said: Problem) -> PodtuneError:
    return SpecError(
        f"RunPod refused {refusal.call}: {said.text}",
        code="runpod_rule",
        hint="change the `where` fields it names, e.g. --set where.region=...",
        context=_context(refusal),
    )


def _rejected_key(refusal: Refusal, _said: Problem) -> PodtuneError:
    return CredentialsError(
        "RunPod rejected RUNPOD_API_KEY (missing, mistyped, or revoked)",
        code="rejected_key",
        hint=f"make a key at {KEY_PAGE} under API Keys, then: export RUNPOD_API_KEY=...",
        context=_context(refusal),
    )


def _no_money(refusal: Refusal, said: Problem) -> PodtuneError:
    return BalanceError(
        f"RunPod: the balance does not pay for this machine: {said.text}",
        hint=f"add credit at {BILLING_PAGE}; an hour of the machine has to be there at its start",
        context=_context(refusal),
    )


def _forbidden(refusal: Refusal, said: Problem) -> PodtuneError:
    if not said.is_json:
        what = (
            "error 1010, the client's name"
            if b"1010" in refusal.body
            else "no answer of RunPod's API"
        )
        return ProviderError(
            f"a firewall before RunPod refused {refusal.call} ({what})",
            code="blocked",
            hint="not a matter of the key: look for a proxy that changes the User-Agent header",
            context=_context(refusal),
        )
    if refusal.creates:
        return NoCapacityError(
            f"RunPod does not give this account such a machine: {said.text}",
            code="not_permitted",
            hint=f"another card may do; a key that may only read is changed at {KEY_PAGE}",
            context=_context(refusal),
        )
    return CredentialsError(
        f"RUNPOD_API_KEY does not allow {refusal.call}: {said.text}",
        code="key_scope",
        hint=f"give the key read and write access to pods at {KEY_PAGE}",
        context=_context(refusal),
    )


def _not_found(refusal: Refusal, said: Problem) -> PodtuneError:
    return NotFoundError(
        f"RunPod does not know it ({refusal.call}): {said.text}", context=_context(refusal)
    )


def _conflict(refusal: Refusal, said: Problem) -> PodtuneError:
    return ConflictError(f"RunPod refused {refusal.call}: {said.text}", context=_context(refusal))


def _retired(refusal: Refusal, _said: Problem) -> PodtuneError:
    return SpecError(
        "this address is of RunPod's REST v1, which was retired on 2026-11-15",
        code="bad_setting",
        hint="RUNPOD_REST_BASE_URL has to end in /v2; RunPod's own is https://api.runpod.io/v2",
        context=_context(refusal),
    )


def _unprocessable(refusal: Refusal, said: Problem) -> PodtuneError:
    return SpecError(
        f"RunPod does not accept the request {refusal.call}: {said.text}",
        code="request_refused",
        hint="change the `where` fields it names; where podtune sent them by itself, report it",
        context=_context(refusal),
    )


def _too_many(refusal: Refusal, _said: Problem) -> PodtuneError:
    wait = retry_after_s(refusal.headers)
    after = f"; it asks for a pause of {wait:.0f} s" if wait is not None else ""
    return UnavailableError(
        f"RunPod takes no more requests of this account for now ({refusal.call}){after}",
        code="rate_limited",
        hint="podtune goes on by itself; other programs that use the same account count too",
        context=_context(refusal) | {"retry_after_s": wait},
    )


_BY_STATUS: Final[Mapping[int, Callable[[Refusal, Problem], PodtuneError]]] = {
    400: _bad_request,
    401: _rejected_key,
    402: _no_money,
    403: _forbidden,
    404: _not_found,
    409: _conflict,
    410: _retired,
    422: _unprocessable,
    429: _too_many,
}


def _context(refusal: Refusal) -> dict[str, object]:
    """Facts for machines: the status, and RunPod's own number of the request to ask them about."""
    facts: dict[str, object] = {"status": refusal.status}
    if number := refusal.headers.get("x-request-id"):
        facts["request_id"] = _words(number)[:100]
    return facts


def _words(text: str) -> str:
    plain = scrub(" ".join(text[: 8 * _TEXT_LIMIT].translate(_CONTROLS).split()))
    return (
        plain if len(plain) <= _TEXT_LIMIT else f"{plain[:_TEXT_LIMIT]}..."
    ) or "no reason given"
