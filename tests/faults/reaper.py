"""The second host: `podtune reap` with nothing but the key, each minute. For tests only."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import httpx2

from podtune.app.reap import Wish, reap
from podtune.core.errors import PodtuneError
from podtune.providers.runpod import names
from podtune.providers.runpod.client import RunPodClient
from podtune.testing.account import Pod

if TYPE_CHECKING:
    from faults.world import World

EVERY_S: Final = 60
NEVER: Final = datetime.max.replace(tzinfo=UTC)


class SecondHost:
    """A cron job's runs, each a new process without a home of ours."""

    def __init__(self, world: "World", by: timedelta) -> None:
        self._world, self._by = world, by
        self._last: datetime | None = None

    def now(self) -> datetime:
        return self._world.clock.now() + self._by

    def due(self) -> datetime:
        """The next minute at which a machine may be overdue; rounds before that would find none."""
        deadlines = [
            name.deadline
            for pod in self._world.cloud.account.live_pods()
            if (name := names.parse(pod.name)) is not None and name.deadline is not None
        ]
        if not deadlines:
            return NEVER
        first = min(deadlines) - abs(self._by)
        minute = datetime.fromtimestamp(-(-first.timestamp() // EVERY_S) * EVERY_S, UTC)
        if self._last is not None:
            minute = max(minute, self._last + timedelta(seconds=EVERY_S))
        return minute

    def act(self) -> None:
        """One round."""
        world = self._world
        self._last = world.clock.now()
        asked: set[str] = set()

        def answer(request: httpx2.Request) -> httpx2.Response:
            pod_id = request.url.path.rpartition("/")[2]
            if request.method == "DELETE" and pod_id in world.cloud.account.live:
                asked.add(pod_id)  # one that ends meanwhile by itself is not this reaper's
            return world.wire.handle_request(request)

        client = RunPodClient(
            world.stage.access,
            transport=httpx2.MockTransport(answer),
            sleep=world.elapse,
            clock=world.monotonic,
            chance=world.chance,
        )
        living = {pod.id: pod for pod in world.cloud.account.live_pods()}
        try:
            wish = Wish(any_owner=True, is_once=True)
            reap(world.stage.second, wish, client=client, clock=self.now, pause=world.elapse)
        except PodtuneError:
            world.ledger.counts["failed reaper rounds"] += 1
        for pod_id in asked & living.keys():
            self._note(living[pod_id])

    def _note(self, pod: Pod) -> None:
        ledger, name = self._world.ledger, names.parse(pod.name)
        if pod.terminated_at is None:
            return
        ledger.counts["reaped"] += 1
        if name is None or name.deadline is None or pod.terminated_at < name.deadline:
            ledger.reaped_early.append(pod.name)
