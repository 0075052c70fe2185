"""The callback of a directly invoked job: the outcome told once, by the worker itself.

A gateway that hands jobs on tells its applications by itself and sends no `callback_url`. The form and the
signature are those of every callback (`core/wire.py`, Standard Webhooks 1.0.0); the address is reached by
the rules of `egress`. A callback that does not arrive is a warning and nothing more.
"""

import time
from collections.abc import Callable
from typing import Final

from podtune.core.errors import PodtuneError
from podtune.core.wire import AddressedStatus, Callback, CallbackData

WITHIN_S: Final = 30.0
"""For all tries together: the platform waits for the result meanwhile."""

PAUSES_S: Final = (2.0, 6.0)
"""Before each further try; chosen."""

UNSIGNED: Final = "callback_url: sent without a signature, since PODTUNE_WEBHOOK_SECRET is not set on the endpoint"


def body_of(status: AddressedStatus) -> str:
    """The body about an outcome, JSON."""
    from podtune.core.clock import utc_now

    name = "completed" if status.status == "completed" else "failed"
    data = CallbackData.model_validate(dict(status))
    return Callback.model_validate(
        {"type": f"training.{name}", "timestamp": utc_now(), "data": data}
    ).model_dump_json()


def send(
    url: str,
    status: AddressedStatus,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str | None:
    """Tell an application; blocks, so to be called in a thread.

    Args:
        url: The request's callback_url.
        status: With its outcome.
        clock: Seconds.
        sleep: Waits between tries.

    Returns:
        Why it was not taken, in words without the address's query; None where it was.
    """
    # They bring the job store along, which a worker without a callback never needs.
    from podtune.app import callbacks, settings
    from podtune.core.clock import utc_now
    from podtune.egress.client import Egress
    from podtune.workflow.outbox import Message

    until = clock() + WITHIN_S
    message = Message(f"{status.job_id}:terminal", url, body_of(status))
    why = "no try was made"
    for pause_s in (*PAUSES_S, None):
        try:
            loaded = settings.load(read_file=False).settings
            headers = callbacks.signed(message, settings.webhook_secrets(), utc_now())
            signed = [(name, value) for name, value in headers if value]  # no secret: no signature
            client = Egress(loaded.egress_policy, limits=callbacks.LIMITS)
            answer = client.post(url, message.body.encode(), signed)
        except PodtuneError as error:
            why = f"{error.code}: {error.message}"
            if not error.retryable:
                break
        else:
            if 200 <= answer.status < 300:
                return None
            why = f"it answers {answer.status}"
            if answer.status < 500 and answer.status not in (408, 425, 429):
                break
        if pause_s is None or clock() + pause_s + callbacks.LIMITS.total_s > until:
            break
        sleep(pause_s)
    return f"callback_url was not told: {why}"
