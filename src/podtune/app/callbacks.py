"""Callbacks: what an application is told of an outcome, signed as Standard Webhooks 1.0.0 says.

Composes the wire form, the egress client and the installation's key; when something is sent is the
courier's business (`workflow/courier.py`). An address may hold a secret in its query: it is stored where
it is needed to send, shown without its query, and no worker, artifact or receipt gets it.
"""

import base64
import binascii
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from standardwebhooks import Webhook

from podtune.app import hosted_events, targets
from podtune.app.hosted_events import HoldOf
from podtune.app.installation import signing_key
from podtune.app.settings import Settings, webhook_secrets
from podtune.app.sources import unsigned
from podtune.app.standing import Standing
from podtune.core.clock import Clock, utc_now
from podtune.core.errors import SpecError
from podtune.core.job import Job
from podtune.core.progress import fold
from podtune.core.redact import scrub
from podtune.core.spec import TrainingSpec
from podtune.core.wire import Progress, TrainingStatus, callback_of, status_of
from podtune.egress.addresses import parse
from podtune.egress.client import Egress
from podtune.egress.connection import Limits
from podtune.workflow import intents
from podtune.workflow.courier import Answer, Send
from podtune.workflow.folder import EventTail, JobFolder
from podtune.workflow.intents import Intent
from podtune.workflow.outbox import Delivery, Message
from podtune.workflow.reconciler import Announce

log = logging.getLogger(__name__)

LIMITS: Final = Limits(wire_bytes=64 * 1024, connect_s=10.0, read_s=15.0, total_s=15.0)
"""Of one try; Standard Webhooks 1.0.0 recommends 15 to 30 s. The answer's body is not read at all."""

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how every secret begins
SECRET_BYTES: Final = range(24, 65)
"""How long a secret may be (Standard Webhooks 1.0.0)."""

TRIED_WITHIN_S: Final = 60.0
"""How long somebody who sends by hand waits to see it tried: a driver's start, and one try."""

Orders = Callable[[str], Sequence[Intent]]
"""Every machine ordered for a job."""


def check(spec: TrainingSpec, settings: Settings) -> None:
    """See that a callback can be sent as far as that is known without asking for the host.

    Raises:
        SpecError: `url_blocked`; or the secret it would be signed with is none.
    """
    if spec.deliver.callback_url is not None:
        parse(spec.deliver.callback_url, settings.egress_policy)
        _given_secrets()


def secrets(home: Path, tenant: str | None = None) -> tuple[SecretStr, ...]:
    """What callbacks are signed with, each giving a signature.

    Args:
        home: Whose own secrets count where PODTUNE_WEBHOOK_SECRET sets none.
        tenant: Whose jobs they tell of. Each has a secret of its own, so that none can sign what another
            believes; None is this machine's own user.

    Raises:
        SpecError: code `bad_setting`: PODTUNE_WEBHOOK_SECRET holds no secret.
    """
    return _given_secrets() or (_own_secret(home, tenant),)


def announcer(
    settings: Settings,
    orders: Orders,
    clock: Clock = utc_now,
    hold_of: HoldOf = lambda _: None,
) -> Announce:
    """What writes the message about a job's outcome, for the transaction that settles it.

    A job that came by the hosted fine-tuning API is told of in that API's words.
    """

    def announce(job: Job) -> Message | None:
        url = job.plan.spec.deliver.callback_url
        if url is None or job.outcome is None:
            return None
        hold = hold_of(job.id)
        if hosted_events.is_silent(job, hold):
            return None
        if hold is not None and hold.kind == hosted_events.KIND:
            event = hosted_events.event_of(job, message_id(job), clock())
            return Message(message_id(job), url, event.model_dump_json())
        folder, now = JobFolder(settings.jobs / job.id), clock()
        adapter = targets.adapter_path(job.plan.spec, job.id, folder.artifact)
        status = status_of(job, _progress(folder), adapter_path=adapter)
        if job.is_rented:
            found = orders(job.id)
            spent = intents.total(found, now)
            stands = Standing(job, spent, None, now, settings.terminate_alarm_s, found)
            status = stands.told(status)
        body = callback_of(job, _scrubbed(status), now).model_dump_json()
        return Message(message_id(job), url, body)

    return announce


def message_id(job: Job) -> str:
    """One for each outcome: `<job>:terminal`, and its number behind it where the job was resumed."""
    return f"{job.id}:terminal" if job.run == 1 else f"{job.id}:terminal:{job.run}"


def sender(
    settings: Settings, *, clock: Clock = utc_now, connect: Callable[..., Egress] = Egress
) -> Send:
    """What sends a message once, signed at that moment."""

    def send(message: Message) -> Answer:
        now = clock()
        headers = signed(message, secrets(settings.home, message.tenant), now)
        client = connect(settings.egress_policy, limits=LIMITS)
        answered = client.post(message.url, message.body.encode(), headers)
        return Answer(answered.status, retry_after_s(answered.retry_after, now))

    return send


def signed(message: Message, by: Sequence[SecretStr], now: datetime) -> list[tuple[str, str]]:
    """The headers of a message: its id, the moment, and a signature by each secret."""
    signatures = [
        Webhook(one.get_secret_value()).sign(message.id, now.astimezone(UTC), message.body)
        for one in by
    ]
    return [
        ("Content-Type", "application/json"),
        ("webhook-id", message.id),
        ("webhook-timestamp", str(int(now.timestamp()))),
        ("webhook-signature", " ".join(signatures)),
    ]


def retry_after_s(value: str, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for; None where it says nothing that can be understood.

    >>> retry_after_s("120", datetime(2026, 11, 23, tzinfo=UTC))
    120.0
    """
    text = value.strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())


def latest(found: Sequence[Delivery]) -> dict[str, Delivery]:
    """The last message of each job, of messages the newest first."""
    return {one.job: one for one in reversed(found)}


def told(job: Job, delivery: Delivery | None) -> str | None:
    """How a job's callback stands, in one line; None where nobody asked for one."""
    url = job.plan.spec.deliver.callback_url
    if delivery is None:
        return f"to {unsigned(url)}, once the job has ended" if url and not job.outcome else None
    return words(delivery)


def words(delivery: Delivery) -> str:
    """How a message stands."""
    last = f" ({delivery.last_error})" if delivery.last_error else ""
    if delivery.delivered_at is not None:
        return f"delivered {_at(delivery.delivered_at)}"
    if delivery.given_up_at is not None:
        again = f"podtune callbacks send {delivery.job}"
        return f"given up {_at(delivery.given_up_at)}{last}: {again}"
    tries = f"; next try {_at(delivery.next_at)}" if delivery.tries and delivery.next_at else ""
    return f"waiting since {_at(delivery.created_at)}{last}{tries}"


def is_amiss(delivery: Delivery) -> bool:
    """Whether a message was sent and not taken."""
    return delivery.delivered_at is None and delivery.last_error is not None


def to_json(delivery: Delivery) -> dict[str, object]:
    """A message for machines; its address without the query."""
    return {**delivery._asdict(), "url": unsigned(delivery.url)}


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _progress(folder: JobFolder) -> Progress:
    """What the worker's events add up to; nothing holds up an outcome that is settled."""
    try:
        return fold(EventTail(folder.events).read()).progress()
    except OSError as error:
        log.warning("events of %s cannot be read: %s", folder.path.name, error.strerror)
        return Progress()


def _scrubbed(status: TrainingStatus) -> TrainingStatus:
    """The words in a status without anything that looks like a secret."""
    told = {name: getattr(status, name) for name in ("error_message", "advice")}
    return status.model_copy(
        update={name: scrub(text) for name, text in told.items() if text}
        | {"warnings": tuple(scrub(text) for text in status.warnings)}
    )


def _given_secrets() -> tuple[SecretStr, ...]:
    given = webhook_secrets()
    for one in given:
        _check_secret(one.get_secret_value())
    return given


def _own_secret(home: Path, tenant: str | None) -> SecretStr:
    purpose = "callbacks" if tenant is None else f"callbacks of tenant {tenant}"
    raw = bytes.fromhex(signing_key(home).derive(purpose))
    return SecretStr(SECRET_PREFIX + base64.b64encode(raw).decode())


def _check_secret(secret: str) -> None:
    try:
        raw = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not secret.startswith(SECRET_PREFIX) or len(raw) not in SECRET_BYTES:
        raise SpecError(
            "PODTUNE_WEBHOOK_SECRET is no secret for signatures",
            code="bad_setting",
            hint="it is whsec_ and base64 of 24 to 64 bytes: "
            'echo "whsec_$(openssl rand -base64 32)"; two are separated by a space',
        )
