"""The machine that fills a network volume: ordered, told what to fetch, followed, ended and proved gone.

Whatever happens in between - a failure, Ctrl-C, the deadline - every machine of the run is ended, and its
absence is proved before the run is over. Knows nothing of how volume and files were chosen.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import ROUND_UP, Decimal
from typing import Final, NamedTuple

from pydantic import SecretStr

from podtune.app import cache_order
from podtune.app.cache_order import Candidate, Key, Lease, Rental
from podtune.app.cache_records import CacheRecords, Run
from podtune.core.cache_filling import FillError, FillOrder, FillProgress, FillStatus
from podtune.core.clock import Clock, Sleep, sleep, utc_now
from podtune.core.errors import (
    ArtifactError,
    ConflictError,
    CredentialsError,
    DoubtfulError,
    NoCapacityError,
    PodtuneError,
    ProviderError,
    UnavailableError,
)
from podtune.core.handover import PORT
from podtune.core.job import Instance, TerminationProof
from podtune.core.limits import Limits
from podtune.core.units import duration
from podtune.providers.base import InstanceState, LaunchRequest
from podtune.providers.runpod.access import RunPodAccess
from podtune.providers.runpod.orders import OrderBook
from podtune.providers.runpod.pods import RunPodProvider
from podtune.storage.pod_port import PodPort
from podtune.workflow.ordering import REFUSED

SILENCE_S: Final = 60.0
"""Without an answer of the port for so long, RunPod is asked whether the machine is still there."""

UNPROVED_S: Final = 900.0
"""So long its end is asked for; then `podtune reap` is left to go on."""

_CODES: Final[dict[str, type[PodtuneError]]] = {
    "hub_refused": CredentialsError,
    "integrity_mismatch": ArtifactError,
    "folder_taken": ConflictError,
    "download_failed": ProviderError,
    "disk_full": ProviderError,
    "interrupted": ProviderError,
    "pod_failed": ProviderError,
}
"""What a machine may say of its failure -> what it is here."""


class Tools(NamedTuple):
    """What the run works with; tests give others."""

    provider: RunPodProvider
    access: RunPodAccess
    records: CacheRecords
    clock: Clock = utc_now
    sleep: Sleep = sleep
    port: Callable[[str, SecretStr], PodPort] = PodPort
    say: Callable[[str], None] = lambda words: None
    """Hears each step as a sentence."""
    on_progress: Callable[[FillProgress], None] = lambda progress: None


class Filled(NamedTuple):
    """How a run ended well."""

    progress: FillProgress
    machine: str
    """For people."""
    seconds: float
    """From the order to the proof."""
    usd: Decimal
    """By our meter; RunPod's bill comes later."""
    proof: TerminationProof


class CacheMachine:
    """One run: at most one machine at a time."""

    def __init__(self, home_limits: Limits, tools: Tools, owner: str, run: Run) -> None:
        """`run` is written down already."""
        self._limits, self._tools, self._owner, self._run = home_limits, tools, owner, run

    def fill(
        self, order: FillOrder, candidates: Sequence[Candidate], lease: Lease, key: Key
    ) -> Filled:
        """Rent the first machine that can be had, and have it fill the volume.

        Args:
            order: What belongs there; `attempt` is set here.
            candidates: In the order in which they are tried.
            lease: Where, and how long.
            key: Derives the machine's token.

        Raises:
            NoCapacityError: none of them can be had.
            PodtuneError: see `FillError`; the machine is gone then, or `not_proved_gone` says so.
        """
        problem: PodtuneError | None = None
        for attempt, candidate in enumerate(candidates, start=1):
            self._tools.say(f"orders {candidate.words} in {lease.region}")
            told = order.model_copy(update={"attempt": attempt})
            try:
                return self._on_one(told, candidate, lease, key)
            except NoCapacityError as error:
                self._tools.say(f"{candidate.offer.name} cannot be had now: {error.message}")
                problem = error
        raise problem or NoCapacityError(
            f"there is no machine in {lease.region} to fill the volume with",
            hint="try again later, or take another data centre with --data-center",
        )

    def _on_one(self, order: FillOrder, candidate: Candidate, lease: Lease, key: Key) -> Filled:
        rental = cache_order.rental(order, self._owner, lease, candidate, self._tools.clock())
        name, token = rental.name, key(rental.name)
        self._remember(name, None)
        folder = self._tools.records.folder(order.job)
        request = cache_order.request(rental, folder, token, self._limits)
        made: Instance | None = None
        try:
            made = self._launched(request)
            self._remember(name, made.id)
            self._tools.say(
                f"pod {made.id} starts; it ends at {rental.deadline:%Y-%m-%d %H:%M} UTC at the latest"
            )
            progress = self._follow(made, order, token, rental)
        except REFUSED:
            # A refusal now says nothing of an order before it whose answer was lost.
            if made is None and OrderBook(folder).open_since(name) is None:
                self._forget(name)
            else:
                self._end(name, made)
            raise
        except BaseException:
            self._tools.say("ends the machine")
            self._end(name, made)
            raise
        proof = self._end(name, made)
        seconds = (self._tools.clock() - rental.began).total_seconds()
        usd = made.usd_per_hour * Decimal(str(seconds)) / 3600
        usd = usd.quantize(Decimal("0.0001"), rounding=ROUND_UP)
        return Filled(progress, candidate.words, seconds, usd, proof)

    def _launched(self, request: LaunchRequest) -> Instance:
        """Order it once; an order whose answer was lost is looked for by its name."""
        while True:
            try:
                return self._tools.provider.launch(request)
            except DoubtfulError as error:
                if error.context.get("settled"):
                    raise DoubtfulError(
                        error.message, hint="run the command again; nothing of it is left"
                    ) from error
                self._tools.say("the answer to the order was lost: looks for the machine")
            self._tools.sleep(min(10.0, max(0.2, self._limits.settle_s / 6)))

    def _follow(
        self, made: Instance, order: FillOrder, token: SecretStr, rental: Rental
    ) -> FillProgress:
        """Hand the order over and look until it is done.

        Raises:
            ProviderError: it never answered, is gone, failed, or its time is over.
        """
        heard = rental.began
        with self._tools.port(self._tools.access.port_url(made.id, PORT), token) as port:
            has_answered = False
            while True:
                now = self._tools.clock()
                if now >= rental.deadline:
                    raise _over(rental.deadline - rental.began)
                try:
                    done = self._looked(port, order)
                    has_answered, heard = True, self._tools.clock()
                    if done is not None:
                        return done
                except UnavailableError:
                    self._refuse_lost(made, now - heard, has_answered=has_answered)
                self._tools.sleep(self._limits.pull_s)

    def _looked(self, port: PodPort, order: FillOrder) -> FillProgress | None:
        status: FillStatus = port.fill_status()
        if status.fill is None:
            port.fill(order)
            return None
        self._tools.on_progress(status.fill)
        if status.fill.error is not None:
            raise _failure(status.fill.error)
        return status.fill if status.phase == "finished" and status.fill.sealed else None

    def _refuse_lost(self, made: Instance, silent: timedelta, *, has_answered: bool) -> None:
        """Leave a machine that has not answered for too long, or is not there any more."""
        limit = self._limits.silence_limit_s if has_answered else self._limits.boot_limit_s
        seconds = silent.total_seconds()
        if seconds > limit:
            raise ProviderError(
                f"the machine has not answered for {duration(seconds)}",
                code="worker_silent" if has_answered else "boot_timeout",
                hint="run the command again; what was fetched is kept",
            )
        if seconds < min(SILENCE_S, limit / 4):
            return
        try:
            state = self._tools.provider.inspect(made.id)
        except PodtuneError:  # RunPod cannot be asked: the limits decide
            return
        if state is InstanceState.GONE:
            raise ProviderError(
                "the machine is gone before its work was done",
                code="worker_lost",
                hint="run the command again; what was fetched is kept",
            )

    def end_left(self, name: str, instance_id: str | None) -> TerminationProof:
        """End a machine that an earlier command left."""
        gone = (
            None
            if instance_id is None
            else Instance(id=instance_id, name=name, started_at=self._tools.clock())
        )
        return self._end(name, gone)

    def _end(self, name: str, made: Instance | None) -> TerminationProof:
        """End everything of a name and wait for the proof.

        Raises:
            UnavailableError: it could not be proved in time (`not_proved_gone`).
        """
        until = self._tools.clock() + timedelta(seconds=UNPROVED_S)
        failures = 0
        while True:
            problem: PodtuneError | None = None
            try:
                proof = self._tools.provider.terminate(name, made.id if made else None)
            except PodtuneError as error:
                problem, proof, failures = error, None, failures + 1
            if proof is not None:
                self._forget(name)
                self._tools.say(f"the machine is gone: {proof.method}")
                return proof
            if self._tools.clock() > until:
                why = problem.message if problem else "it is still listed"
                raise UnavailableError(
                    f"machine {name} is not proved to be gone: {why}",
                    code="not_proved_gone",
                    hint="podtune reap, until it finds none",
                )
            pause = min(10.0, max(0.2, self._limits.proof_window_s / 6))
            self._tools.sleep(pause * 2 ** min(failures, 4))

    def _remember(self, name: str, instance_id: str | None) -> None:
        ids = dict(self._run.ids) | ({name: instance_id} if instance_id else {})
        known = tuple(dict.fromkeys((*self._run.names, name)))
        self._run = self._run.model_copy(update={"names": known, "ids": ids})
        self._tools.records.write(self._run)

    def _forget(self, name: str) -> None:
        left = tuple(one for one in self._run.names if one != name)
        self._run = self._run.model_copy(update={"names": left})
        self._tools.records.write(self._run)


def _over(span: timedelta) -> ProviderError:
    return ProviderError(
        f"the volume was not filled within {duration(span.total_seconds())}",
        code="over_time",
        hint="run the command again, with more --hours or --budget; what was fetched is kept",
    )


def _failure(said: FillError) -> PodtuneError:
    """A machine's failure as one of our errors; a code that it may not say becomes `pod_failed`."""
    kind = _CODES.get(said.code)
    code = said.code if kind else "pod_failed"
    return (kind or ProviderError)(said.message, code=code, hint=said.advice or None)
