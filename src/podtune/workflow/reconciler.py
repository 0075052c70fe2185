"""The loop: observe every unfinished job, advance it, commit, then act.

Level-triggered: nothing depends on having seen an event, so a driver that starts in the middle of
everything goes on as if it had always been there. Effects run in an injected executor.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.core.artifact import Artifact
from podtune.core.errors import PodtuneError, StateError
from podtune.core.job import Instance, Job, TerminationProof
from podtune.core.limits import DEFAULTS, Limits
from podtune.core.spec import Place
from podtune.core.states import JobPhase
from podtune.providers.base import InstanceState
from podtune.workflow.advance import advance
from podtune.workflow.folder import AttemptWatch, JobFolder
from podtune.workflow.leaving import ENDED
from podtune.workflow.lookout import LOOK_S, Lookout
from podtune.workflow.pauses import RETRY_S, pause_after
from podtune.workflow.sites import Effects, Site
from podtune.workflow.steps import Effect, Heard, Patch, Seen
from podtune.workflow.store import JobStore

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

STUCK_S: Final = 300.0
"""An effect that takes so long holds the end of its job's machine up no longer: what hangs may be the
machine itself. An order is waited for: its machine could turn up after the proof of absence."""

log = logging.getLogger(__name__)


class _Pending(NamedTuple):
    """An effect that is under way."""

    attempt: int
    effect: Effect
    future: Future[object]
    since: datetime


class _Known(NamedTuple):
    """What the driver has learnt of an attempt since it began to watch."""

    attempt: int
    seen: Seen


class Reconciler:
    """Drives all jobs of one store."""

    def __init__(  # noqa: PLR0913 - wiring, called once
        self,
        store: JobStore,
        sites: Mapping[Place, Site],
        folder_of: Callable[[str], JobFolder],
        *,
        executor: Executor,
        clock: Callable[[], datetime],
        limits: Limits = DEFAULTS,
        look_s: float = LOOK_S,
    ) -> None:
        """Jobs of a place without a site wait, and say so."""
        self._store = store
        self._sites = sites
        self._folder_of = folder_of
        self._executor = executor
        self._clock = clock
        self._limits = limits
        self._lookouts = {
            place: Lookout(site.observe, executor, clock, every_s=look_s)
            for place, site in sites.items()
            if site.observe
        }
        self._known: dict[str, _Known] = {}
        self._pending: dict[str, _Pending] = {}
        self._watches: dict[str, AttemptWatch] = {}
        self._not_before: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}

    def tick(self, token: int) -> int:
        """One round over all unfinished jobs; returns how many are left.

        Raises:
            LeaseLostError: another driver has taken over.
        """
        jobs = self._store.unfinished()
        occupied = _occupied(jobs)
        spent = self._store.spent(*[job.id for job in jobs if job.is_rented])
        self._look_out(jobs)
        for job in jobs:
            place = job.plan.spec.where.on
            site = self._sites.get(place)
            free = site is not None and occupied.get(place, 0) < site.places
            seen = self._observe(job, site, spent.get(job.id, Decimal(0)))
            patch = advance(job, seen._replace(slot_free=free), self._limits)
            if job.phase is JobPhase.QUEUED and patch.changes.get("phase") is JobPhase.VALIDATING:
                occupied[place] = occupied.get(place, 0) + 1
            self._carry_out(job, patch, token)
        return len(jobs)

    def _look_out(self, jobs: Sequence[Job]) -> None:
        for place, lookout in self._lookouts.items():
            lookout.look(
                [
                    job.instance_id
                    for job in jobs
                    if job.plan.spec.where.on is place and job.instance_id and not job.is_leaving
                ]
            )

    def _carry_out(self, job: Job, patch: Patch, token: int) -> None:
        if patch.changes:
            changed = self._store.apply(job, patch.changes, patch.note, token, void=patch.void)
            self._begin_anew(changed)
            if changed.is_finished:
                self._forget(job.id)
        site = self._sites.get(job.plan.spec.where.on)
        if patch.effect and site and self._is_free(job, patch.effect) and self._may_try(job.id):
            future = self._executor.submit(_call, site.effects, patch.effect, job)
            self._pending[job.id] = _Pending(job.attempt, patch.effect, future, self._clock())

    def _is_free(self, job: Job, wanted: Effect) -> bool:
        """Whether an effect may begin: no other of the job is under way, or one that hangs."""
        pending = self._pending.get(job.id)
        if pending is None:
            return True
        hangs = self._clock() - pending.since > timedelta(seconds=STUCK_S)
        if wanted is not Effect.TERMINATE or not hangs:
            return False
        if pending.effect in (Effect.LAUNCH, Effect.TERMINATE):
            return False
        log.warning("%s of job %s hangs; its machine is ended all the same", pending.effect, job.id)
        return True

    def _observe(self, job: Job, site: Site | None, spent: Decimal) -> Seen:
        known = self._known.get(job.id)
        if known is None or known.attempt != job.attempt:
            known = _Known(job.attempt, Seen(now=self._clock(), since=self._clock()))
        seen = _at(known.seen, self._clock())._replace(spent=spent)
        seen = seen._replace(hindrance=_hindrance(job, site) if job.is_rented else None)
        seen = self._collect(job, seen)
        if site is not None:
            seen = self._look(job, site, seen)
        self._known[job.id] = _Known(job.attempt, seen)
        return seen

    def _look(self, job: Job, site: Site, seen: Seen) -> Seen:
        """Instance first, result second: a result written just before the end is never missed."""
        lookout = self._lookouts.get(job.plan.spec.where.on)
        if lookout is not None:
            seen = seen._replace(state=lookout.state(job.instance_id))
        if job.phase is not JobPhase.TRAINING:
            return seen
        if lookout is None:
            state = site.provider.inspect(job.instance_id) if job.instance_id else None
            seen = seen._replace(running=state is InstanceState.RUNNING)
        watch = self._watches.get(job.id)
        if watch is None or watch.attempt != job.attempt:
            watch = AttemptWatch(self._folder_of(job.id).events, job.attempt)
            self._watches[job.id] = watch
        return seen._replace(result=watch.result())

    def _collect(self, job: Job, seen: Seen) -> Seen:
        """Take in the result of the effect that was running, if it is there."""
        pending = self._pending.get(job.id)
        if pending is None or not pending.future.done():
            return seen
        del self._pending[job.id]
        attempt, effect, future, _ = pending
        if attempt != job.attempt:
            return seen
        error = future.exception()
        if error is not None:
            return self._failed(job, seen, effect, error)
        return self._with_result(job, seen, effect, future.result())

    def _failed(self, job: Job, seen: Seen, effect: Effect, error: BaseException) -> Seen:
        self._failures[job.id] = self._failures.get(job.id, 0) + 1
        self._pause(job, effect)
        if effect is Effect.TERMINATE:
            told = error.message if isinstance(error, PodtuneError) else type(error).__name__
            log.warning("terminating job %s: %s", job.id, told)
            return seen
        if isinstance(error, PodtuneError):
            return seen._replace(error=error)
        if isinstance(error, OSError):
            wrapped = StateError(
                f"{effect}: {error.strerror or error}",
                hint="check the disk, then `podtune resume JOB`",
            )
            return seen._replace(error=wrapped)
        # A fault of ours must not stop the other jobs, nor leave this one's worker running.
        log.error("%s of job %s failed", effect, job.id, exc_info=error)
        wrapped = StateError(
            f"{effect} failed unexpectedly ({type(error).__name__})",
            code="internal_error",
            hint="see driver.log in PODTUNE_HOME, then `podtune resume JOB`",
        )
        return seen._replace(error=wrapped)

    def _with_result(self, job: Job, seen: Seen, effect: Effect, value: object) -> Seen:
        if effect is not Effect.TERMINATE:
            seen = seen._replace(error=None)
        self._failures.pop(job.id, None)
        done = _DONE.get(effect)
        if done is not None:
            return seen._replace(**{done: True})
        if isinstance(value, Instance):
            self._store.record_instance(job, value)
            return seen._replace(launched=value)
        if isinstance(value, Artifact):
            return seen._replace(artifact=value)
        if isinstance(value, TerminationProof):
            self._store.record_absence(job, value)
            return seen._replace(proof=value)
        if value is True:
            return seen._replace(fetched=True)
        self._pause(job, effect)
        if seen.state in ENDED:
            empty = value.searched if isinstance(value, Heard) else value is False
            seen = seen._replace(searched=seen.searched or empty)
        return seen._replace(heard=_more(seen.heard, value)) if isinstance(value, Heard) else seen

    def _begin_anew(self, job: Job) -> None:
        """What was written settles what had failed: nothing rests any longer."""
        self._not_before.pop(job.id, None)
        self._failures.pop(job.id, None)
        known = self._known[job.id]
        self._known[job.id] = known._replace(seen=known.seen._replace(error=None))

    def _forget(self, job_id: str) -> None:
        for table in (self._known, self._pending, self._watches, self._not_before, self._failures):
            table.pop(job_id, None)

    def _pause(self, job: Job, effect: Effect) -> None:
        failures = self._failures.get(job.id, 0)
        seconds = pause_after(effect, self._limits, failures) if job.is_rented else RETRY_S
        self._not_before[job.id] = self._clock() + timedelta(seconds=seconds)

    def _may_try(self, job_id: str) -> bool:
        moment = self._not_before.get(job_id)
        return moment is None or self._clock() >= moment


_DONE: Final[Mapping[Effect, str]] = {
    Effect.CHECK_DATA: "data_checked",
    Effect.STAGE: "staged",
    Effect.RELEASE: "released",
    Effect.RECEIPT: "receipt_written",
}
"""Effects that either succeed or raise, and what is known afterwards."""


def _call(effects: Effects, effect: Effect, job: Job) -> object:
    return getattr(effects, effect.value)(job)


def _occupied(jobs: Sequence[Job]) -> dict[Place, int]:
    """Places taken, by where the jobs run: the two are counted apart."""
    counts: dict[Place, int] = {}
    for job in jobs:
        if job.phase in OCCUPYING or (job.is_rented and job.phase is JobPhase.RETRIEVING):
            place = job.plan.spec.where.on
            counts[place] = counts.get(place, 0) + 1
    return counts


def _hindrance(job: Job, site: Site | None) -> str | None:
    if site is None:
        return (
            "waits: RUNPOD_API_KEY is not set where podtune's driver runs; "
            "set it and run `podtune watch` once"
        )
    if job.account and site.account != job.account:
        return (
            "waits: RUNPOD_API_KEY or RUNPOD_REST_BASE_URL is not what the job was submitted with; "
            "set them back and run `podtune watch` once. Its machine ends itself at its deadline"
        )
    return None


def _at(seen: Seen, now: datetime) -> Seen:
    """The same at a later moment; a pause in the watch begins it anew: nobody was there to hear."""
    paused = now - seen.now > timedelta(seconds=PAUSE_S)
    return seen._replace(now=now, since=now if paused else seen.since)


def _more(known: Heard, new: Heard) -> Heard:
    """What was once accepted or saved stays so."""
    return Heard(
        accepted=known.accepted or new.accepted,
        at=new.at or known.at,
        saved=known.saved or new.saved,
        said=new.said or known.said,
    )
