"""Podtune with one rule taken away: each mutant has to be caught by the schedules. For tests only.

A mutant that survives says nothing good of podtune: the schedules are not sharp enough. The rules are
R1-R11 of `reliability-security.md` 2.1.
"""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from unittest import mock

from faults import campaign, host, reaper
from podtune.core.errors import DoubtfulError, PodtuneError
from podtune.core.job import Instance, Job
from podtune.core.limits import Limits
from podtune.providers.base import InstanceState, Machine
from podtune.providers.runpod import ending, pods
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.storage import artifact_folder, pod_files
from podtune.testing import scripted_pods
from podtune.workflow import columns, fates, intents, ordering, outbox, recovery, rental, store
from podtune.workflow.reconciler import Reconciler
from podtune.workflow.steps import Patch, Seen
from podtune.workflow.store import JobStore
from podtune.workflow.tables import jobs

Mutant = Callable[[], AbstractContextManager[None]]


@contextmanager
def r1_intent_after_effect() -> Iterator[None]:
    """The machine is ordered, and only then the intent is written."""
    write = Reconciler._write

    def late(self: Any, job: Job, patch: Patch) -> Job:
        if patch.changes.get("intent_at") is not None:
            for site in self._sites.values():
                with suppress(PodtuneError):
                    site.effects.launch(job.model_copy(update=dict(patch.changes)))
        return write(self, job, patch)

    with mock.patch.object(Reconciler, "_write", late):
        yield


@contextmanager
def r2_name_without_deadline() -> Iterator[None]:
    """Nobody but the driver can tell that a machine is overdue."""

    def name_of(job: Job, deadline: datetime) -> str:
        return f"pt-{job.owner}-{job.id}-{job.attempt}"

    with mock.patch.object(ordering, "name_of", name_of):
        yield


@contextmanager
def r3_ambiguous_create_again() -> Iterator[None]:
    """An order whose answer was lost is sent once more."""
    create = RunPodClient.create

    def twice(self: RunPodClient, *given: Any) -> Any:
        try:
            return create(self, *given)
        except DoubtfulError:
            return create(self, *given)

    with mock.patch.object(RunPodClient, "create", twice):
        yield


@contextmanager
def r4_one_absence_is_proof() -> Iterator[None]:
    """A machine that one list does not show is gone."""

    def is_long_enough(self: ending.Ending, window: timedelta) -> bool:
        return len(self.absent) >= 1

    def absent(self: RunPodProvider, instance_id: str, asked_at: datetime) -> InstanceState:
        return InstanceState.GONE

    with (
        mock.patch.object(ending.Ending, "is_long_enough", is_long_enough),
        mock.patch.object(RunPodProvider, "_absent", absent),
        mock.patch.object(RunPodProvider, "_is_in_doubt", return_value=False),
    ):
        yield


@contextmanager
def r5_no_watchdog() -> Iterator[None]:
    """Nothing in a machine ever ends it."""
    with mock.patch.object(scripted_pods._Pod, "_must_end", return_value=False):
        yield


@contextmanager
def r5_no_reaper() -> Iterator[None]:
    """Nobody runs `podtune reap` elsewhere."""
    with mock.patch.object(reaper.SecondHost, "due", return_value=reaper.NEVER):
        yield


@contextmanager
def r6_deadline_of_its_own() -> Iterator[None]:
    """Each attempt has all the hours, whatever was spent before."""

    def deadline_of(job: Job, seen: Seen, limits: Limits) -> datetime:
        hours = timedelta(hours=rental.price_of(job).max_hours)
        return (seen.now + hours).replace(microsecond=0)

    with (
        mock.patch.object(ordering, "deadline_of", deadline_of),
        mock.patch.object(recovery, "deadline_of", deadline_of),
    ):
        yield


@contextmanager
def r6_no_reserve() -> Iterator[None]:
    """The ceiling pays for the deadline, and not for outliving it."""
    money_ends = rental.money_ends

    def to_the_last_cent(job: Job, seen: Seen, usd_per_hour: Any, limits: Limits) -> datetime:
        return money_ends(
            job, seen, usd_per_hour, limits.model_copy(update={"overrun_reserve_s": 0})
        )

    with mock.patch.object(rental, "money_ends", to_the_last_cent):
        yield


@contextmanager
def r7_cost_of_nothing_believed() -> Iterator[None]:
    """A machine costs what RunPod says, be it 0."""

    def with_price(instance: Instance, machine: Machine) -> Instance:
        return instance

    def note(connection: Any, instance: Instance) -> None:
        real(connection, instance)
        rows = intents.intents.c
        connection.execute(
            intents.update(intents.intents)
            .where(rows.name == instance.name, rows.absent_at.is_(None))
            .values(micro_usd_per_hour=int(instance.usd_per_hour * columns.MICRO))
        )

    real = intents.note_instance
    with (
        mock.patch.object(pods, "_with_price", with_price),
        mock.patch.object(intents, "note_instance", note),
    ):
        yield


@contextmanager
def r8_message_apart() -> Iterator[None]:
    """The message is queued in a transaction of its own, behind that of the outcome."""
    apply = JobStore.apply

    def apart(
        self: Any, job: Job, changes: Any, note: Any, *, message: Any = None, **more: Any
    ) -> Job:
        changed = apply(self, job, changes, note, **more)
        if message is not None:
            self._host.point("between outcome and message", is_effect=True)
            with self._engine.begin() as connection:
                outbox.queue(connection, job.id, message, self._now())
        return changed

    with mock.patch.object(JobStore, "apply", apart):
        yield


@contextmanager
def r9_no_fence() -> Iterator[None]:
    """Whoever once drove a job may write to it."""
    with (
        mock.patch.object(store, "is_held", lambda job: jobs.c.id == job.id),
        mock.patch.object(JobStore, "confirm", return_value=None),
    ):
        yield


@contextmanager
def r10_sums_not_compared() -> Iterator[None]:
    """What arrived counts as what was sent."""
    fetch = pod_files.fetch
    expected: dict[tuple[bool, str], str] = {}

    def noted(wire: Any, pace: Any, file: Any, target: Path, checkpoint: Any) -> Iterator[int]:
        for name in (target.name, f".{target.name}.part"):
            expected["checkpoints" in target.parts, name] = file.sha256
        yield from fetch(wire, pace, file, target, checkpoint)

    def believed(path: Path) -> str:
        return expected.get(("checkpoints" in path.parts, path.name)) or real(path)

    real = artifact_folder.sha256_file
    with (
        mock.patch.object(pod_files, "fetch", noted),
        mock.patch.object(pod_files, "sha256_file", believed),
        mock.patch.object(artifact_folder, "sha256_file", believed),
    ):
        yield


@contextmanager
def r11_no_allowance() -> Iterator[None]:
    """A reaper believes its own clock to the second."""
    with (
        mock.patch.object(fates, "SKEW_S", 0.0),
        mock.patch.object(RunPodProvider, "told_at", return_value=None),
    ):
        yield


@contextmanager
def r11_clock_that_is_set() -> Iterator[None]:
    """A driver follows its machine's clock wherever that is set to."""

    def follows(not_before: datetime | None = None, *, wall: Any, elapsed: Any) -> Any:
        return wall

    with mock.patch.object(host, "Steady", follows):
        yield


ALL: Final[Mapping[str, Mutant]] = {
    make.__name__: make
    for make in (
        r1_intent_after_effect, r2_name_without_deadline, r3_ambiguous_create_again,
        r4_one_absence_is_proof, r5_no_watchdog, r5_no_reaper, r6_deadline_of_its_own, r6_no_reserve,
        r7_cost_of_nothing_believed, r8_message_apart, r9_no_fence, r10_sums_not_compared,
        r11_no_allowance, r11_clock_that_is_set,
    )
}  # fmt: skip


def run_in_processes(seeds: Sequence[int], processes: int) -> Iterator[tuple[str, int | None]]:
    """The first seed that catches each; None for one that survives."""
    asked = [(name, seeds) for name in ALL]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap_unordered(_caught, asked)


def _caught(asked: tuple[str, Sequence[int]]) -> tuple[str, int | None]:
    name, seeds = asked
    found = campaign.first_caught(seeds, ALL[name])
    return name, None if found is None else found[0]
