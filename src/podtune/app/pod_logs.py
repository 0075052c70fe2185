"""The provider's log of a pod, read now and then.

It tells how the boot goes on, and brings events of a worker whose port does not answer.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from podtune.core.clock import Clock, Monotonic, monotonic
from podtune.core.errors import PodtuneError
from podtune.core.redact import scrub
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.log_stream import LogLine, Source, follow

EVERY_S: Final = 10.0
"""Between two looks at one log: the calls count towards the account's 60 a minute."""

READ_S: Final = 2.0
"""How long one look waits for lines."""

SHOWN: Final = 120
"""Characters of a line that is shown."""


class PodLogs:
    """Goes on with each log where it was left; a log that cannot be read has no lines."""

    def __init__(
        self,
        client: RunPodClient,
        clock: Clock,
        *,
        monotonic: Monotonic = monotonic,
        every_s: float = EVERY_S,
    ) -> None:
        """`clock` gives aware UTC; `monotonic` bounds how long one look reads."""
        self._client, self._clock, self._monotonic = client, clock, monotonic
        self._every = timedelta(seconds=every_s)
        self._last: dict[tuple[str, Source], str] = {}
        self._next_at: dict[tuple[str, Source], datetime] = {}

    def is_due(self, pod_id: str, source: Source) -> bool:
        """Whether the next look at a log reads it."""
        now = self._clock()
        return now >= self._next_at.get((pod_id, source), now)

    def new(self, pod_id: str, source: Source) -> Sequence[LogLine]:
        """Lines since the last look; none before the next look is due."""
        key: tuple[str, Source] = (pod_id, source)
        if not self.is_due(pod_id, source):
            return ()
        self._next_at[key] = self._clock() + self._every
        found: list[LogLine] = []
        try:
            for line in follow(
                self._client,
                pod_id,
                after=self._last.get(key),
                seconds=READ_S,
                source=source,
                clock=self._monotonic,
            ):
                found.append(line)
        except PodtuneError:
            pass  # the log is a second way; the first one is asked again in a moment
        if found:
            self._last[key] = found[-1].id
        return found


def shown(line: str) -> str:
    """A line of a machine's log as it may stand on a screen."""
    plain = "".join(sign if sign.isprintable() else " " for sign in scrub(line))
    flat = " ".join(plain.split())
    return flat if len(flat) <= SHOWN else flat[: SHOWN - 1] + "…"
