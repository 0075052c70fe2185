"""A request to train, submitted once however often the SDK sends it.

The SDK repeats a create whose answer was lost (a broken connection, a 408, 409, 429 or 5xx) with the same body, without an
idempotency key, and with `x-stainless-retry-count: 1`, then `2`; the first try says `0`. Its `x-stainless-read-timeout`
says how long it waits for an answer. So (openai 3.54.0, `_base_client.py`, read on 2026-11-23):

- each body has a number: the first create of it is 0, the next deliberate one 1, and body and number are its name;
- a repetition (a count over 0) has the name of the newest create of this body by this caller that is young enough to be
  the one whose answer was lost, and so finds that job; where there is none, it is the first that came through;
- anything else is deliberate, and gets the next number: two of the same body are two jobs;
- `Idempotency-Key`, where a caller sends one, decides alone.

The name is unique in the job store, so that this holds among several gateways too.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from pydantic import JsonValue

from podtune.app import hosted_models, refusals
from podtune.app.asked import Asked, Submitted
from podtune.app.desk import Desk
from podtune.app.hosted_events import KIND
from podtune.core.clock import Clock, utc_now
from podtune.core.errors import ConflictError, SpecError
from podtune.core.redact import scrub
from podtune.core.request import TrainingRequest
from podtune.gateway.openai import event_view, form
from podtune.gateway.openai.form import Create

DIGEST: Final = "digest"
NUMBER: Final = "number"

READ_TIMEOUT_S: Final = 600.0
"""What the SDK waits for an answer where nobody says (`DEFAULT_TIMEOUT`)."""
BETWEEN_S: Final = 30.0
"""Between two tries: the SDK sleeps at most 8 s (`MAX_RETRY_DELAY`); the rest is for slow networks."""
OLDEST_S: Final = 3600.0
LOOKED_AT: Final = 200
"""Newest submissions that are looked through."""
WAIT_S: Final = 20.0
_KEY: Final = re.compile(r"[\x21-\x7e]{1,180}", re.ASCII)

PathOf = Callable[[str], Path]
"""Where an uploaded file of the caller is."""


class Sent(NamedTuple):
    """What the SDK says of a try."""

    retries: int
    """How often it was sent before."""
    timeout_s: float
    key: str | None

    @property
    def window(self) -> timedelta:
        """How old the create may be whose answer was lost."""
        return timedelta(seconds=min(OLDEST_S, self.retries * (self.timeout_s + BETWEEN_S)))


def sent_of(headers: Mapping[str, str]) -> Sent:
    """What a try's headers say; what cannot be is read as if it were not there.

    Raises:
        SpecError: code `bad_key`: an Idempotency-Key that cannot be kept.
    """
    count = headers.get("x-stainless-retry-count", "")
    timeout = headers.get("x-stainless-read-timeout", "")
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = READ_TIMEOUT_S
    key = headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise SpecError("Idempotency-Key has 1 to 180 printable ASCII characters", code="bad_key")
    return Sent(
        retries=int(count) if re.fullmatch(r"[0-9]{1,4}", count, re.ASCII) else 0,
        timeout_s=seconds if 0 < seconds <= OLDEST_S else READ_TIMEOUT_S,
        key=key,
    )


def create(
    desk: Desk, body: object, sent: Sent, path_of: PathOf, *, clock: Clock = utc_now
) -> Submitted:
    """Submit what a body asks, once.

    Raises:
        PodtuneError: it was refused: a bad body, an unknown model, a missing file, no ceiling, bad data.
    """
    asked = form.parse(body)
    digest = _digest(body)
    before = _before(desk, digest) if sent.key is None else []
    if sent.retries:
        oldest = clock() - sent.window
        for one in before:
            if one.created_at >= oldest:
                return _answered(one)
    request, note = _understood(desk, asked, path_of)
    number = max((_number(one) for one in before), default=-1) + 1
    while True:
        name = f"{digest}:{number}" if sent.key is None else f"key:{sent.key}"
        found = desk.submit(
            Asked(
                request=request,
                kind=KIND,
                name=name,
                digest=digest,
                note={**note, DIGEST: digest, NUMBER: number},
            ),
            wait_s=min(WAIT_S, sent.timeout_s / 2),
        )
        if not found.duplicate or sent.retries or sent.key is not None:
            return found
        number += 1  # somebody else's deliberate create of the same body took this number


def _before(desk: Desk, digest: str) -> list[Submitted]:
    """The caller's submissions of the same body, the newest first."""
    tenant = desk.principal.tenant
    newest = desk.list(limit=LOOKED_AT, kind=KIND)
    return [one for one in newest if one.note.get(DIGEST) == digest and one.tenant == tenant]


def _answered(found: Submitted) -> Submitted:
    """What a create led to, told again; a refusal in the same words.

    Raises:
        PodtuneError: it was refused.
    """
    if found.error is not None and found.error.code != refusals.CANCELLED:
        raise found.error
    return found


def _number(found: Submitted) -> int:
    number = found.note.get(NUMBER)
    return number if isinstance(number, int) else 0


def _digest(body: object) -> str:
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _understood(
    desk: Desk, asked: Create, path_of: PathOf
) -> tuple[TrainingRequest, dict[str, JsonValue]]:
    """What it means in the spec, and what is remembered of it."""
    settings = desk.service.settings.for_tenant(desk.principal.tenant)
    base = asked.extra.base_model or hosted_models.base_of(asked.model, settings)
    source = str(path_of(asked.training_file))
    held = None if asked.validation_file is None else str(path_of(asked.validation_file))
    if held == source:
        raise ConflictError(
            "training_file and validation_file are the same file",
            code="same_file",
            hint="leave validation_file away; some rows are held out by themselves",
            context={"param": "validation_file"},
        )
    stated = asked.stated(base=base, source=source, held=held, backend=settings.backend)
    said = _said(asked, base)
    multiplier = asked.chosen.learning_rate_multiplier
    if multiplier is not None:
        usual = hosted_models.default_learning_rate(
            base, asked.learns, settings, revision=asked.extra.revision
        )
        rate = float(f"{usual * multiplier:.3g}")
        if not 0 < rate < 1:
            raise SpecError(
                f"learning_rate_multiplier {multiplier:g} times our {usual:g} is no learning rate",
                code="bad_request_body",
                hint="it must stay under 1",
                context={"param": "hyperparameters.learning_rate_multiplier"},
            )
        stated["training.learning_rate"] = rate
        said.append(
            f"learning_rate_multiplier {multiplier:g} times our learning rate {usual:g} for {base} is {rate:g}"
        )
    return TrainingRequest(stated=stated), _note(asked, base, said)


def _said(asked: Create, base: str) -> list[str]:
    if base == asked.model:
        return []
    return [f"{asked.model} stands for the open base model {base}"]


def _note(asked: Create, base: str, said: list[str]) -> dict[str, JsonValue]:
    note: dict[str, Any] = {
        "model": asked.model,
        "base_model": base,
        "training_file": asked.training_file,
        "validation_file": asked.validation_file,
        "suffix": asked.suffix,
        "seed": asked.seed,
        "metadata": asked.metadata,
        "method": str(asked.learns),
        "hyperparameters": asked.chosen.model_dump(exclude_none=True),
        event_view.SAID: [scrub(text) for text in said],
    }
    return cast("dict[str, JsonValue]", {k: v for k, v in note.items() if v is not None})
