"""The loop: observe the jobs this driver holds, advance them, commit, then act.

Level-triggered: nothing depends on having seen an event, so a driver that starts in the middle of
everything goes on as if it had always been there. Effects run in an injected executor. A job is looked
at when its row changed, an effect of it ended, the lists say otherwise of its machine, or its rest is over.
"""

import logging
from collections.abc import Callable, Mapping, Set
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from podtune.core.clock import Clock
from podtune.core.errors import StateError
from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.limits import DEFAULTS, Limits
from podtune.core.spec import Place
from podtune.core.states import JobPhase
from podtune.providers.base import InstanceState
from podtune.workflow import hindrances, results
from podtune.workflow.advance import advance
from podtune.workflow.chores import Chores, Done, spread
from podtune.workflow.folder import AttemptWatch, JobFolder
from podtune.workflow.lease import Driver
from podtune.workflow.lookout import LOOK_S, Lookout
from podtune.workflow.outbox import Message
from podtune.workflow.roster import Roster
from podtune.workflow.sites import Site
from podtune.workflow.steps import Patch, Seen
from podtune.workflow.store import JobStore, LeaseLostError

OCCUPYING: Final = frozenset(
    {
        JobPhase.VALIDATING,
        JobPhase.STAGING,
        JobPhase.PROVISIONING,
        JobPhase.TRAINING,
        JobPhase.TERMINATING,
    }
)
"""Phases in which a job takes up one of its place's places; a rented machine also while its work is
brought home."""


PAUSE_S: Final = 60.0
"""Between two rounds: a driver that did not run for longer (a lid was closed) has heard nothing, which
says nothing of the machines."""

REST_S: Final = 5.0
"""A rented job is looked at this often at least: its limits of time need no more."""

Announce = Callable[[Job], Message | None]
"""The message that tells of a job's outcome; None where nobody asked for one."""

log = logging.getLogger(__name__)


class _Known(NamedTuple):
    """What the driver has learnt of an attempt since it began to watch."""

    attempt: int
    seen: Seen


class Reconciler:
    """Drives the jobs of one store that a driver holds."""

    def __init__(  # noqa: PLR0913 - wiring, called once
        self,
        store: JobStore,
        sites: Mapping[Place, Site],
        folder_of: Callable[[str], JobFolder],
        *,
        driver: Driver,
        executor: Executor,
        clock: Clock,
        limits: Limits = DEFAULTS,
        look_s: float = LOOK_S,
        rest_s: float = REST_S,
        announce: Announce = lambda job: None,
    ) -> None:
        """Jobs of a place without a site wait, and say so."""
        self._store = store
        self._sites = sites
        self._folder_of = folder_of
        self._driver = driver
        self._clock = clock
        self._limits = limits
        self._rest = timedelta(seconds=rest_s)
        self._announce = announce
        self._roster = Roster(store, driver, clock)
        self._chores = Chores(executor, clock, limits)
        self._lookouts = {
            place: Lookout(site.observe, executor, clock, every_s=look_s)
            for place, site in sites.items()
            if site.observe
        }
        self._known: dict[str, _Known] = {}
        self._watches: dict[str, AttemptWatch] = {}
        self._wakes: dict[str, datetime] = {}
        self._unseen: set[str] = set()
        self._orphans_at: datetime | None = None

    def tick(self) -> int:
        """One round; returns how many unfinished jobs this driver holds.

        Raises:
            StateError: the job store cannot be used now.
        """
        self._unseen |= self._roster.refresh()
        for name in [name for name in self._unseen if self._roster.get(name) is None]:
            self._let_go(name)
            self._unseen.discard(name)
        self._hinder_orphans()
        news = self._look_out()
        due = self._roster.among(self._due(news))
        if due:
            taken = self._occupied() if any(j.phase is JobPhase.QUEUED for j in due) else {}
            for job in due:
                self._drive_safely(job, taken)
                self._unseen.discard(job.id)
        return len(self._roster)

    def next_at(self) -> datetime | None:
        """When a round has something to do next, as far as this driver can know; None without jobs."""
        now = self._clock()
        if self._chores.done():
            return now
        moments = list(self._wakes.values())
        moments += [
            lookout.next_at()
            for place, lookout in self._lookouts.items()
            if any(_is_watched(job, place) for job in self._roster)
        ]
        return min(moments, default=None)

    def _due(self, news: Set[str]) -> set[str]:
        now = self._clock()
        due = {name for name, at in self._wakes.items() if at <= now}
        due |= self._chores.done() | self._unseen
        if news:
            due |= {job.id for job in self._roster if job.instance_id in news}
        return due

    def _look_out(self) -> set[str]:
        """Have the lists read; ids of machines of which they now say otherwise."""
        news: set[str] = set()
        for place, lookout in self._lookouts.items():
            news |= lookout.look(
                [
                    job.instance_id
                    for job in self._roster
                    if job.instance_id and _is_watched(job, place)
                ]
                if lookout.is_due()
                else []
            )
        return news

    def _hinder_orphans(self) -> None:
        """Tell the owners of jobs that no driver can take; now and then."""
        now = self._clock()
        if self._orphans_at is not None and now < self._orphans_at:
            return
        self._orphans_at = now + timedelta(seconds=REST_S)
        for orphan in self._store.orphaned(self._driver):
            words = hindrances.of(orphan, self._driver)
            if words != orphan.hindrance:
                self._store.hinder(self._driver, orphan, words)

    def _occupied(self) -> dict[bool, int]:
        """Places taken by everybody's jobs, rented or not: the two are counted apart."""
        running = [(job.phase, job.is_rented) for job in self._roster]
        for phase, host in self._store.others(self._driver.holder):
            if host in (None, self._driver.host):
                running.append((JobPhase(phase), host is None))
        counts: dict[bool, int] = {}
        for phase, is_rented in running:
            if phase in OCCUPYING or (is_rented and phase is JobPhase.RETRIEVING):
                counts[is_rented] = counts.get(is_rented, 0) + 1
        return counts

    def _drive_safely(self, job: Job, taken: dict[bool, int]) -> None:
        """Drive a job; a fault of ours in one holds up no other, and lets its own machine be ended.

        Raises:
            StateError: the job store cannot be used now; the job stays due.
        """
        try:
            self._drive(job, taken)
        except LeaseLostError as error:
            log.warning("%s", error.message)
            self._let_go(job.id)
        except StateError:
            raise
        except Exception as error:
            log.exception("job %s cannot be driven", job.id)
            known = self._known.get(job.id)
            if known is not None:
                failed = known.seen._replace(error=results.internal("the workflow", error))
                self._known[job.id] = known._replace(seen=failed)
            self._wakes[job.id] = self._clock() + self._rest

    def _drive(self, job: Job, taken: dict[bool, int]) -> None:
        site = self._sites.get(_place(job))
        free = site is not None and taken.get(job.is_rented, 0) < site.places
        seen = self._observe(job, site)
        patch = advance(job, seen._replace(slot_free=free), self._limits)
        if job.phase is JobPhase.QUEUED and patch.changes.get("phase") is JobPhase.VALIDATING:
            taken[job.is_rented] = taken.get(job.is_rented, 0) + 1
        changed = self._write(job, patch) if patch.changes else job
        begun = (
            patch.effect is not None
            and site is not None
            and self._chores.begin(site.effects, patch.effect, job)
        )
        self._wakes[job.id] = self._wake(changed, is_changed=bool(patch.changes) or begun)

    def _wake(self, job: Job, *, is_changed: bool) -> datetime:
        now = self._clock()
        if is_changed or not job.is_rented:
            return now
        rested = self._chores.rests_until(job.id)
        rest = now + self._rest * spread(job, len(self._roster))
        if self._chores.is_busy(job.id) or rested is None or rested <= now:
            return rest
        return min(rested, rest)

    def _write(self, job: Job, patch: Patch) -> Job:
        settled = patch.changes.get("outcome") is not None and job.outcome is None
        message = self._announce(job.model_copy(update=dict(patch.changes))) if settled else None
        changed = self._store.apply(
            job,
            patch.changes,
            patch.note,
            void=patch.void,
            message=message,
            reserve=patch.reserve,
        )
        self._chores.begin_anew(job.id)
        known = self._known[job.id]
        self._known[job.id] = known._replace(seen=known.seen._replace(error=None))
        return changed

    def _observe(self, job: Job, site: Site | None) -> Seen:
        now = self._clock()
        known = self._known.get(job.id)
        if known is None or known.attempt != job.attempt:
            known = _Known(job.attempt, Seen(now=now, since=now))
        seen = _at(known.seen, now)
        if job.is_rented:
            hindrance = hindrances.NO_KEY if site is None else None
            seen = seen._replace(spent=self._roster.spent(job.id, now), hindrance=hindrance)
        seen = self._collect(job, seen)
        if site is not None:
            seen = self._look(job, site, seen)
        self._known[job.id] = _Known(job.attempt, seen)
        return seen

    def _look(self, job: Job, site: Site, seen: Seen) -> Seen:
        """Instance first, result second: a result written just before the end is never missed."""
        lookout = self._lookouts.get(_place(job))
        if lookout is not None:
            seen = seen._replace(state=lookout.state(job.instance_id))
            if not lookout.is_answered:
                seen = seen._replace(
                    since=seen.now
                )  # silence of all that is outside is no machine's
        if job.phase is not JobPhase.TRAINING:
            return seen
        if lookout is None:
            state = site.provider.inspect(job.instance_id) if job.instance_id else None
            seen = seen._replace(running=state is InstanceState.RUNNING)
        watch = self._watches.get(job.id)
        if watch is None or watch.attempt != job.attempt:
            watch = AttemptWatch(self._folder_of(job.id).events, job.attempt)
            self._watches[job.id] = watch
        try:
            return seen._replace(result=watch.result())
        except OSError as error:
            return seen._replace(error=results.of_the_disk("its events", error))

    def _collect(self, job: Job, seen: Seen) -> Seen:
        """Take in the result of the effect that was running, if it is there."""
        done = self._chores.collect(job.id)
        if done is None:
            return seen
        self._record(done)
        if done.job.attempt != job.attempt:
            return seen
        if done.error is not None:
            self._chores.rest(job, done.effect, is_failure=True, jobs=len(self._roster))
            return results.after_failure(job, seen, done.effect, done.error)
        self._chores.succeeded(job.id)
        if not results.is_settled(done.effect, done.value):
            self._chores.rest(job, done.effect, is_failure=False, jobs=len(self._roster))
        return results.after_success(seen, done.effect, done.value)

    def _record(self, done: Done) -> None:
        """Machines made and proved gone are facts, whoever drives the job by now."""
        if isinstance(done.value, Instance):
            self._store.record_instance(done.job, done.value)
        elif isinstance(done.value, TerminationProof):
            self._store.record_absence(done.job, done.value)

    def _let_go(self, job_id: str) -> None:
        done = self._chores.collect(job_id)
        if done is not None:
            self._record(done)
        self._chores.forget(job_id)
        tables: tuple[dict[str, Any], ...] = (self._known, self._watches, self._wakes)
        for table in tables:
            table.pop(job_id, None)


def _place(job: Job) -> Place:
    return job.plan.spec.where.on


def _is_watched(job: Job, place: Place) -> bool:
    """Whether the lists of a place are read for a job: it has a machine there, and wants it."""
    return job.instance_id is not None and not job.is_leaving and _place(job) is place


def _at(seen: Seen, now: datetime) -> Seen:
    """The same at a later moment; a pause in the watch begins it anew: nobody was there to hear."""
    paused = now - seen.now > timedelta(seconds=PAUSE_S)
    return seen._replace(now=now, since=now if paused else seen.since)
