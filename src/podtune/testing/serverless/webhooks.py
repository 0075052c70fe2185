"""Calls to the webhook of a job that ended: three tries, then never again.

A failing webhook changes nothing of the job. Only addresses of this machine are called unless the
cloud is told otherwise: a stand-in must not send test data to the world.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from podtune.core import addresses
from podtune.testing.http import encode

DELAYS: Final = (timedelta(0), timedelta(seconds=5), timedelta(seconds=15))
"""Before each try, counted from the end of the one before. The documentation says 10 s; a live capture
of 2026-07-13 shows 5 s and 15 s (runpod-plugins-official, path 16)."""

HEADERS: Final[Mapping[str, str]] = {
    "content-type": "application/json",
    "user-agent": "Go-http-client/2.0",
}
"""As captured there; no signature."""

TIMEOUT_S: Final = 10.0
"""Of one call. Ours: RunPod's is not published."""

Done = Callable[[bool], None]
Poster = Callable[[str, bytes, Done], None]
"""Sends a body to an address and says later whether it was answered with 2xx. Must not wait."""


@dataclass
class Delivery:
    """A webhook that is still to be called."""

    url: str
    body: bytes
    due_at: datetime | None
    """None while a try is under way."""
    tries: int = 0


class Webhooks:
    """Deliveries of one cloud.

    Args:
        post: Sends.
        now: The cloud's time.
        is_open: Addresses outside this machine are called too.
    """

    def __init__(self, post: Poster, now: Callable[[], datetime], *, is_open: bool = False) -> None:
        self._post = post
        self._now = now
        self._is_open = is_open
        self._deliveries: list[Delivery] = []

    def add(self, url: str, job: Mapping[str, object], when: datetime) -> None:
        """Tell a webhook of a job that ended; one that may not be called is passed over."""
        if self._is_open or is_loopback(url):
            self._deliveries.append(Delivery(url, encode(job), when + DELAYS[0]))

    def next_event(self) -> datetime | None:
        """When the next try is due."""
        return min((d.due_at for d in self._deliveries if d.due_at is not None), default=None)

    def tick(self, now: datetime) -> None:
        """Begin every try that is due."""
        for delivery in list(self._deliveries):
            if delivery.due_at is not None and delivery.due_at <= now:
                delivery.due_at = None
                delivery.tries += 1
                self._post(delivery.url, delivery.body, lambda ok, d=delivery: self._tried(d, ok))

    def _tried(self, delivery: Delivery, ok: bool) -> None:
        if ok or delivery.tries >= len(DELAYS):
            self._deliveries.remove(delivery)
        else:
            delivery.due_at = self._now() + DELAYS[delivery.tries]


def is_loopback(url: str) -> bool:
    """Whether an address is http(s) to this machine.

    >>> is_loopback("http://127.0.0.1:8080/done"), is_loopback("https://example.org/done")
    (True, False)
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and addresses.is_loopback(host)


def post_in_background(lock: threading.RLock) -> Poster:
    """A poster that sends from a thread of its own and reports under the cloud's lock."""

    def post(url: str, body: bytes, done: Done) -> None:
        def send() -> None:
            ok = _is_taken(url, body)
            with lock:
                done(ok)

        threading.Thread(target=send, name="webhook", daemon=True).start()

    return post


def _is_taken(url: str, body: bytes) -> bool:
    import httpx2

    try:
        answer = httpx2.post(url, content=body, headers=dict(HEADERS), timeout=TIMEOUT_S)
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return False
    return 200 <= answer.status_code < 300
