"""Delivers the outbox: takes what is due, has it sent off the loop, and decides when to try again.

Sends nothing itself and knows nothing of HTTP but its statuses. A receiver that hangs holds up some of
the courier's own places and nothing else; a crash between sending and noting it costs a repetition under
the same id.
"""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from random import Random
from typing import Final, NamedTuple

from podtune.core.clock import Clock, jitter
from podtune.core.errors import PodtuneError
from podtune.core.redact import scrub
from podtune.workflow.lease import Driver
from podtune.workflow.outbox import Letter, Message, Outbox

log = logging.getLogger(__name__)

AT_ONCE: Final = 4
"""Messages under way together."""

HOLD_S: Final = 120.0
"""How long a message that was taken is nobody else's: much longer than a try takes (15 s, and what the
name's resolution takes), so that it is sent twice only after a crash."""

LOOK_S: Final = 1.0
"""Between two looks into the outbox."""

FIRST_S: Final = 5.0
LONGEST_S: Final = 7200.0
TRIES: Final = 23
"""Pauses double from the first to the longest: 22 of them are 24.8 hours and more. Standard Webhooks 1.0.0
proposes such a schedule; at its end the message is given up."""

JITTER: Final = 0.2
"""A pause is longer by up to this share, so that many messages to one receiver do not come together."""

_GONE: Final = 410
_FOREVER: Final = ("url_blocked", "bad_url")
"""Errors that the same address meets again: trying blindly would only knock at a closed network."""


class Answer(NamedTuple):
    """What a receiver said."""

    status: int
    retry_after_s: float | None = None
    """How long it asked to be left alone."""


Send = Callable[[Message], Answer]
"""Sends a message once, in bounded time.

Raises PodtuneError where there was no answer.
"""


class Verdict(NamedTuple):
    """What a try came to."""

    why: str
    wait_s: float | None
    """Seconds until the next; None for never again."""


def pause(tries: int, chance: Random) -> float:
    """Seconds to wait after so many failed tries (1 or more)."""
    base = min(LONGEST_S, FIRST_S * 2.0 ** min(tries - 1, 20))
    return base * (1 + JITTER * chance.random())


def judge(result: Answer | BaseException, tries: int, chance: Random) -> Verdict | None:
    """What follows from a try, the `tries`-th; None when the message was taken.

    Every status but 2xx is a failure, a redirect too; 410 says that nobody wants it any more.
    """
    if isinstance(result, Answer) and 200 <= result.status < 300:
        return None
    wait = pause(tries, chance)
    if isinstance(result, Answer):
        why = f"last answer {result.status}"
        if result.retry_after_s is not None:
            wait = max(wait, min(result.retry_after_s, LONGEST_S))
        forever = result.status == _GONE
    elif isinstance(result, PodtuneError):
        why, forever = scrub(result.message)[:300], result.code in _FOREVER
    else:
        why, forever = f"it could not be sent ({type(result).__name__})", False
    return Verdict(why, None if forever or tries >= TRIES else wait)


class Courier:
    """Rounds of one driver over the outbox. Not for several threads."""

    def __init__(
        self,
        outbox: Outbox,
        driver: Driver,
        send: Send,
        *,
        executor: Executor,
        clock: Clock,
        chance: Random | None = None,
    ) -> None:
        """Nothing is under way yet. `send` runs in the executor, in `AT_ONCE` threads at most."""
        self._outbox = outbox
        self._driver = driver
        self._send = send
        self._executor = executor
        self._clock = clock
        self._chance = chance or jitter()
        self._under_way: list[tuple[Letter, Future[Answer]]] = []
        self._look_at: datetime | None = None

    def due(self) -> None:
        """Note what was answered, and send what is due; returns at once.

        Raises:
            StateError: the job store cannot be used now; what was answered is noted the next time.
        """
        while ended := next((one for one in self._under_way if one[1].done()), None):
            self._note(*ended)
            self._under_way.remove(ended)
        now = self._clock()
        free = AT_ONCE - len(self._under_way)
        if not free or (self._look_at is not None and now < self._look_at):
            return
        letters = self._outbox.take(self._driver, HOLD_S, free)
        for letter in letters:
            future = self._executor.submit(self._send, letter.message)
            self._under_way.append((letter, future))
        self._look_at = now + timedelta(seconds=0 if len(letters) == free else LOOK_S)

    def is_busy(self) -> bool:
        """Whether an answer is awaited."""
        return bool(self._under_way)

    def next_at(self) -> datetime | None:
        """When a round has something to do next; None while nothing waits."""
        if any(future.done() for _, future in self._under_way):
            return self._clock()
        due = self._outbox.next_at(self._driver.owner)
        return None if due is None else max(due, self._look_at or due)

    def _note(self, letter: Letter, future: Future[Answer]) -> None:
        error = future.exception()
        if error is not None and not isinstance(error, PodtuneError):
            log.error("callback %s could not be sent", letter.message.id, exc_info=error)
        tries = letter.tries + 1
        verdict = judge(error or future.result(), tries, self._chance)
        if verdict is None:
            self._outbox.delivered(letter, "callback delivered")
        elif verdict.wait_s is None:
            note = f"callback given up: {verdict.why}; `podtune callbacks send {letter.job}` sends it again"
            self._outbox.failed(letter, verdict.why, None, note)
        else:
            note = f"callback waits: {verdict.why}; it is tried again for a day"
            self._outbox.failed(letter, verdict.why, verdict.wait_s, note)
