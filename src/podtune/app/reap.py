"""`podtune reap`: ends machines that should be gone, with the key alone if need be.

Of this installation what no job wants, by the job store; without one, and of any other installation, only
what has outlived the deadline in its name. Pods only: podtune makes no volume, template, registry entry
or endpoint, so it ends none.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple, Protocol

from pydantic import BaseModel, ConfigDict

from podtune.app import driver, wiring
from podtune.app.cache_records import SparingAccount
from podtune.app.installation import host, known_owner
from podtune.app.settings import Settings, runpod_access
from podtune.core.clock import Clock, Sleep, sleep, utc_now
from podtune.core.errors import PodtuneError, SpecError
from podtune.core.job import TerminationProof
from podtune.providers.runpod import names
from podtune.providers.runpod.client import RunPodClient
from podtune.providers.runpod.pods import RunPodProvider
from podtune.workflow import fates
from podtune.workflow.fates import Fate, Found, Now, Verdict
from podtune.workflow.lease import Driver
from podtune.workflow.pauses import pause_after
from podtune.workflow.reaper import Sweep, lease_name
from podtune.workflow.steps import Effect
from podtune.workflow.store import JobStore

NO_STORE: Final = "there is no job store here that says whether it is wanted"


class Wish(NamedTuple):
    """What `podtune reap` is asked to do."""

    owners: tuple[str, ...] = ()
    """Installations to look after instead of this one."""
    any_owner: bool = False
    """All installations that use the account."""
    is_dry: bool = False
    """Only look."""
    is_once: bool = False
    """Ask for each end once, and do not wait for the proof."""


class ReapedMachine(BaseModel):
    """A machine, what becomes of it, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    owner: str
    job: str
    deadline: datetime | None
    usd_per_hour: Decimal | None
    """None where RunPod does not say."""
    fate: Fate
    why: str
    proof: str | None = None
    """How its absence was proved; None while it is not."""
    problem: str | None = None
    """Why its end could not be asked for when that was last tried."""

    @property
    def is_open(self) -> bool:
        """Whether it should be gone, or may have to, and is not proved to be."""
        return self.fate is not Fate.KEEP and self.proof is None


class ReapReport(BaseModel):
    """What was found, and what became of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner: str | None
    """This installation; None where this home has none yet."""
    machines: tuple[ReapedMachine, ...]
    others: Mapping[str, int]
    """Installations that were not looked after, and how many machines each has."""

    @property
    def open(self) -> tuple[ReapedMachine, ...]:
        """Machines that should be gone, or may have to, and are not proved to be."""
        return tuple(machine for machine in self.machines if machine.is_open)


Tell = Callable[[ReapedMachine], None]
"""Hears of a machine whenever something about it has changed."""


def reap(
    settings: Settings,
    wish: Wish,
    *,
    tell: Tell = lambda machine: None,
    client: RunPodClient | None = None,
    clock: Clock = utc_now,
    pause: Sleep = sleep,
) -> ReapReport:
    """Look over the account, end what should be gone, and wait for the proofs.

    Raises:
        SpecError: an owner that can be none.
        CredentialsError: the key is missing or rejected.
        PodtuneError: the account cannot be asked, or the job store not be used: nothing was ended.
    """
    _check_owners(wish.owners)
    with ExitStack() as opened:
        client = client or opened.enter_context(RunPodClient(runpod_access()))
        provider = RunPodProvider(client, settings, clock=clock)
        listed = [facts.instance(clock()) for facts in provider.observe().values()]
        there, mine = fates.found(listed), known_owner(settings.home)
        picked = [one for one in there if _is_meant(one, wish, mine)]
        store = None if wish.owners or wish.any_owner or mine is None else _store(settings)
        if store is not None and mine is not None:
            opened.callback(store.close)
            spared = SparingAccount(provider, settings.home)
            me = Driver(driver.holder_name(), mine, host(), wiring.account_of(client.access))
            work: _Work = _ByStore(store, Sweep(store, spared, me, clock, settings), me, settings)
        else:
            is_own = not (wish.owners or wish.any_owner)
            work = _ByName(picked, provider, Now(clock(), provider.told_at()), is_own=is_own)
        machines = _bring_to_end(work, wish, settings, tell, pause)
    left = Counter(one.said.owner for one in there if one not in picked)
    return ReapReport(owner=mine, machines=tuple(machines), others=dict(sorted(left.items())))


class _Work(Protocol):
    """Where verdicts come from, and how one machine is ended."""

    def look(self, *, keeps: bool) -> Mapping[Found, Verdict]: ...
    def end(self, machine: Found) -> TerminationProof | None: ...


class _ByStore:
    """Of this installation, with what its job store knows."""

    def __init__(self, store: JobStore, sweep: Sweep, me: Driver, settings: Settings) -> None:
        self._store, self._sweep, self._me, self._settings = store, sweep, me, settings

    def look(self, *, keeps: bool) -> Mapping[Found, Verdict]:
        if keeps:  # as far as the rounds of drivers know, this was one
            name = lease_name(self._me.account, self._me.owner)
            self._store.take_lease(name, self._me.holder, self._settings.reap_every_s)
        verdicts = self._sweep.look(keeps=keeps)
        begun = {row.id: row.reason for row in self._sweep.unproved() if row.asked_at is not None}
        return {
            one: Verdict(Fate.END, begun[one.id]) if one.id in begun else verdict
            for one, verdict in verdicts.items()
        }

    def end(self, machine: Found) -> TerminationProof | None:
        return self._sweep.end(machine.id, machine.name)


class _ByName:
    """With the key alone: what its name calls overdue."""

    def __init__(
        self, picked: Sequence[Found], provider: RunPodProvider, now: Now, *, is_own: bool
    ) -> None:
        self._picked, self._provider, self._now, self._is_own = picked, provider, now, is_own

    def look(self, *, keeps: bool) -> Mapping[Found, Verdict]:
        return {one: fates.overdue(one, *self._now) or self._in_time(one) for one in self._picked}

    def end(self, machine: Found) -> TerminationProof | None:
        return self._provider.end_one(machine.name, machine.id)

    def _in_time(self, one: Found) -> Verdict:
        if one.said.deadline is None:
            return Verdict(Fate.KEEP, "its name holds no deadline")
        ends = f"it has until {one.said.deadline:%Y-%m-%d %H:%M:%S} UTC"
        return (
            Verdict(Fate.SHOW, f"{NO_STORE}; {ends}") if self._is_own else Verdict(Fate.KEEP, ends)
        )


def _bring_to_end(
    work: _Work, wish: Wish, settings: Settings, tell: Tell, pause: Sleep
) -> list[ReapedMachine]:
    """Look, and end in turns until all is proved; or once, or not at all, where that was asked for."""
    verdicts = work.look(keeps=not wish.is_dry)
    shown = {one.id: _shown(one, verdict) for one, verdict in verdicts.items()}
    for machine in shown.values():
        tell(machine)
    waiting = [one for one, verdict in verdicts.items() if verdict.fate is Fate.END]
    failures = 0
    while waiting and not wish.is_dry:
        left, failed = list[Found](), False
        for one in waiting:
            proof, problem = _ended(partial(work.end, one))
            before, failed = shown[one.id], failed or problem is not None
            now = before.model_copy(
                update={"proof": proof.method if proof else None, "problem": problem}
            )
            shown[one.id] = now
            if now != before:
                tell(now)
            if proof is None:
                left.append(one)
        waiting, failures = left, failures + 1 if failed else 0
        if wish.is_once:
            break
        if waiting:
            pause(pause_after(Effect.TERMINATE, settings, failures))
    return sorted(shown.values(), key=lambda one: (not one.is_open, one.fate, one.name, one.id))


def _ended(
    end: Callable[[], TerminationProof | None],
) -> tuple[TerminationProof | None, str | None]:
    try:
        return end(), None
    except PodtuneError as error:
        return None, error.message


def _shown(one: Found, verdict: Verdict) -> ReapedMachine:
    return ReapedMachine(
        id=one.id,
        name=one.name,
        owner=one.said.owner,
        job=one.said.job,
        deadline=one.said.deadline,
        usd_per_hour=one.usd_per_hour,
        fate=verdict.fate,
        why=verdict.why,
    )


def _check_owners(owners: Sequence[str]) -> None:
    for owner in owners:
        if names.parse(f"{names.PREFIX}{owner}-job-1") is None or "-" in owner:
            raise SpecError(
                f"{owner!r} is no name of an installation",
                code="owner_unknown",
                hint="`podtune doctor` on its host shows it, or the second part of a machine's name: "
                "pt-OWNER-...",
            )


def _is_meant(one: Found, wish: Wish, mine: str | None) -> bool:
    if wish.any_owner:
        return True
    return one.said.owner in wish.owners if wish.owners else one.said.owner == mine


def _store(settings: Settings) -> JobStore | None:
    """The job store, where there is one; looking makes none."""
    return wiring.job_store(settings) if wiring.has_job_store(settings) else None
