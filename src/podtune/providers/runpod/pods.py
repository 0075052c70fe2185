"""RunPod's pods as a provider: ordered once, found again by name, ended until their absence is proved.

    provider = RunPodProvider(RunPodClient(access), limits)
    provider.observe()          # one list for all jobs

Nothing here waits: what needs time says so (`DoubtfulError`, `None`) and is called again.
"""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from pydantic import ValidationError

from podtune.core.clock import Clock, Steady, utc_now
from podtune.core.errors import (
    ConflictError,
    DoubtfulError,
    NotFoundError,
    PodtuneError,
    ProviderError,
    SpecError,
    UnavailableError,
)
from podtune.core.job import Instance, TerminationProof
from podtune.core.limits import SKEW_S, Limits
from podtune.providers.base import InstanceState, LaunchRequest, Machine
from podtune.providers.runpod import command, listing, names, wire
from podtune.providers.runpod.client import RunPodClient, is_pod_id, pod_path
from podtune.providers.runpod.ending import Ending, Terminator
from podtune.providers.runpod.listing import Listing, PodFacts
from podtune.providers.runpod.orders import OrderBook

LIST_EVERY_S: Final = 5.0
"""A list younger than this serves again: 12 requests of the 60 a minute that RunPod documents (2026-08)."""


class RunPodProvider:
    """Orders and ends pods of one account. Safe for several threads, one at a time for each name."""

    def __init__(
        self,
        client: RunPodClient,
        limits: Limits,
        *,
        clock: Clock = utc_now,
    ) -> None:
        """`clock` gives aware UTC; nothing is asked yet."""
        self._client = client
        self._limits = limits
        self._clock = clock
        self._terminator = Terminator(client, limits, clock)
        self._list_every = timedelta(seconds=min(LIST_EVERY_S, limits.proof_window_s / 4))
        self._lock = threading.Lock()
        self._listing: Listing | None = None
        self._failure: tuple[datetime, UnavailableError | None] = (clock(), None)
        self._seen: set[str] = set()
        self._missing: dict[str, datetime] = {}
        self._doubts: dict[str, datetime] = {}
        self._endings: dict[str, Ending] = {}
        self._books: dict[str, OrderBook] = {}

    def observe(self) -> Mapping[str, PodFacts]:
        """Every pod of podtune's in the account, by id, from one list for all jobs.

        Raises:
            PodtuneError: the list cannot be read; nothing is known then, least of all absence.
        """
        return self._look().pods

    def launch(self, request: LaunchRequest) -> Instance:
        """Order a pod, or adopt the one that carries the name.

        An order whose answer was lost is never sent again under its name, not even by another
        process: `DoubtfulError` until the pod is seen.

        Raises:
            NoCapacityError, BalanceError, CredentialsError, SpecError: refused; nothing exists.
            DoubtfulError: it may exist; call again.
            UnavailableError: RunPod cannot be asked; nothing was ordered now.
        """
        if request.machine is None or names.parse(request.name) is None:
            raise ProviderError(f"{request.name!r} names no machine to rent", code="launch_failed")
        body = create_body(request)
        now = self._clock()
        found = self._look(after=now).named(request.name)
        book = OrderBook(request.folder)
        if found:
            # The order stays in the book until its machine is gone: whoever asks next, with a list that is
            # refused, must not take that for a refusal of the order.
            self._doubts.pop(request.name, None)
            return self._adopted(found, request.machine)
        since = book.open_since(request.name)
        if since is not None:
            raise self._still_doubtful(request.name, since, now)
        request.confirm()
        try:
            book.begin(request.name, now)
        except FileExistsError:  # another driver was quicker by a moment
            raise self._still_doubtful(request.name, now, now) from None
        self._doubts[request.name] = now
        self._books[request.name] = book
        try:
            made = self._client.create("/pods", body, wire.Pod)
        except DoubtfulError as error:
            error.context["settled"] = False  # however long it took: no list was read since
            raise
        except PodtuneError:
            self._settle(book, request.name)
            raise
        if not is_pod_id(made.id) or (made.name or request.name) != request.name:
            raise self._still_doubtful(request.name, now, now)
        self._doubts.pop(request.name, None)  # its id is known
        instance = listing.facts(made).instance(now).model_copy(update={"name": request.name})
        return _with_price(instance, request.machine)

    def inspect(self, instance_id: str) -> InstanceState:
        """What has become of a pod; gone only when lists and its own address agree, for long enough.

        Raises:
            PodtuneError: RunPod cannot be asked.
        """
        seen = self._look()
        pod = seen.pods.get(instance_id)
        if pod is not None:
            return pod.state
        try:
            found = listing.facts(self._client.get(pod_path(instance_id), wire.Pod))
        except NotFoundError:
            return self._absent(instance_id, seen.asked_at)
        with self._lock:
            self._missing.pop(instance_id, None)
        return found.state

    def terminate(self, name: str, instance_id: str | None) -> TerminationProof | None:
        """End a pod and everything of its name; None until its absence is proved (call again).

        Raises:
            PodtuneError: RunPod cannot be asked or refuses; call again.
        """
        if names.parse(name) is None:
            raise ProviderError(f"{name!r} is no name of podtune's", code="foreign_machine")
        with self._lock:
            ending = self._endings.setdefault(name, Ending(name, self._clock()))
        return self._end(name, ending, instance_id)

    def end_one(self, name: str, instance_id: str) -> TerminationProof | None:
        """End one pod, and no other of its name; None until its absence is proved (call again).

        Raises:
            ProviderError: it is called otherwise by now (`foreign_machine`); it is left alone.
            PodtuneError: RunPod cannot be asked or refuses; call again.
        """
        if names.parse(name) is None:
            raise ProviderError(f"{name!r} is no name of podtune's", code="foreign_machine")
        key = f"{name} {instance_id}"
        with self._lock:
            fresh = Ending(name, self._clock(), {instance_id}, is_alone=True)
            ending = self._endings.setdefault(key, fresh)
        return self._end(key, ending, instance_id)

    def _end(self, key: str, ending: Ending, instance_id: str | None) -> TerminationProof | None:
        ending.ids.update(filter(None, (instance_id,)))
        unasked = instance_id if instance_id not in ending.asked else None
        problem: PodtuneError | None = None
        try:
            found = self._look(after=ending.since)
        except PodtuneError:
            if unasked is not None and not ending.is_alone:
                self._terminator.delete(ending, unasked)
            raise
        if unasked is not None and unasked not in found.pods:
            if ending.is_alone:
                self._terminator.check_unlisted(ending, unasked)
            try:
                self._terminator.delete(ending, unasked)
            except PodtuneError as error:  # what is proved gone needs no answer to its DELETE
                problem = error
            else:
                return None
        self._terminator.end(ending, found)
        in_doubt = not ending.is_alone and self._is_in_doubt(ending.name)
        proof = None if in_doubt else self._terminator.proof(ending, instance_id)
        if proof is not None:
            self._ended(key, ending)
        elif problem is not None:
            raise problem
        return proof

    def _ended(self, key: str, ending: Ending) -> None:
        """An ending came to its proof."""
        with self._lock:
            del self._endings[key]
            self._seen.update(ending.ids)
            self._missing.update(dict.fromkeys(ending.ids, ending.absent[0]))
        if key in self._books:
            self._settle(self._books.pop(key), key)

    def told_at(self) -> datetime | None:
        """RunPod's own time, as its last answer gave it; None where none did."""
        return self._client.told_at

    def doubt(self, name: str, since: datetime) -> None:
        """Take note of an order of an earlier driver whose machine nobody has seen (`OrderBook`)."""
        self._doubts.setdefault(name, since)

    def owned(self, owner: str) -> Sequence[Instance]:
        """Every pod of an installation.

        Raises:
            PodtuneError: the list cannot be read.
        """
        found = self._look()
        return [pod.instance(found.asked_at) for pod in found.owned(owner)]

    def runtime(self, instance_id: str) -> PodFacts | None:
        """What a pod reports of itself; None when the newest list does not show it."""
        return self._look().pods.get(instance_id)

    def ssh(self, instance_id: str) -> str:
        """The command that opens a shell on a pod.

        Raises:
            NotFoundError: there is no such pod.
            ConflictError: it has no shell, or not yet.
        """
        ways = listing.facts(self._client.get(pod_path(instance_id), wire.Pod)).ssh
        if not ways:
            raise ConflictError(
                f"pod {instance_id} offers no shell yet",
                hint="a shell needs a public key in the RunPod account, set before the pod was ordered",
            )
        return ways[0]

    def _look(self, *, after: datetime | None = None) -> Listing:
        """A list: the last one while it is young, and asked for behind `after` at any rate.

        Where RunPod just failed, it is not asked again by each of a hundred jobs in turn.
        """
        with self._lock:
            now, last = self._clock(), self._listing
            young = last is not None and timedelta(0) <= now - last.asked_at < self._list_every
            if last is not None and young and (after is None or last.asked_at > after):
                return last
            failed_at, error = self._failure
            if error is not None and timedelta(0) <= now - failed_at < self._list_every:
                raise error
            try:
                pages = self._client.pages("/pods", wire.PodList)
            except UnavailableError as failure:
                self._failure = (self._clock(), failure)
                raise
            told = self._client.told_at
            if told is not None and isinstance(self._clock, Steady):
                self._clock.keep_up(told, SKEW_S)
                now = max(now, told - timedelta(seconds=SKEW_S))
            self._listing = listing.listing(now, pages)
            there = self._listing.pods
            self._seen.update(there)
            self._missing = {i: t for i, t in self._missing.items() if i not in there}
            return self._listing

    def _absent(self, instance_id: str, asked_at: datetime) -> InstanceState:
        """Neither listed nor found: one just ordered may appear yet, one seen before needs two lists."""
        with self._lock:
            first = self._missing.setdefault(instance_id, asked_at)
            patience = 0.0 if instance_id in self._seen else self._limits.settle_s
        waited = (asked_at - first).total_seconds()
        return InstanceState.GONE if waited > 0 and waited >= patience else InstanceState.STARTING

    def _settle(self, book: OrderBook, name: str) -> None:
        book.settle(name)
        self._doubts.pop(name, None)

    def _adopted(self, found: Sequence[PodFacts], machine: Machine) -> Instance:
        """The oldest of a name; RunPod once made two for one order, and the others are ended."""
        kept, *others = found
        for pod in others:
            self._terminator.delete(Ending(pod.name, self._clock()), pod.id)
        return _with_price(kept.instance(self._clock()), machine)

    def _is_in_doubt(self, name: str) -> bool:
        """An order whose answer was lost may still show up: no proof before that time is over."""
        since = self._doubts.get(name)
        settled = timedelta(seconds=self._limits.settle_s)
        return since is not None and self._clock() - since < settled

    def _still_doubtful(self, name: str, since: datetime, now: datetime) -> DoubtfulError:
        waited = max(0.0, (now - since).total_seconds())
        return DoubtfulError(
            f"{name} was ordered {waited:.0f} s ago, the answer was lost, and no list shows it yet",
            hint="nothing to do: podtune looks again",
            context={"waited_s": waited, "settled": waited >= self._limits.settle_s},
        )


def create_body(request: LaunchRequest) -> wire.CreatePod:
    """The order of a machine as RunPod wants it.

    Raises:
        SpecError: the machine cannot be ordered so.
        ProviderError: there is no machine in the request.
    """
    if request.machine is None:
        raise ProviderError(f"{request.name!r} names no machine to rent", code="launch_failed")
    try:
        return _body(request, request.machine)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, item["loc"])) for item in error.errors())
        raise SpecError(f"RunPod takes no such machine: {fields}", code="bad_machine") from None
    except ValueError as error:
        raise SpecError(str(error), code="bad_machine") from None


def _body(request: LaunchRequest, machine: Machine) -> wire.CreatePod:
    ports = [f"{port}/http" for port in machine.http_ports]
    return wire.CreatePod(
        name=request.name,
        image=machine.image,
        gpu=None
        if machine.vcpus
        else wire.GpuRequest(
            id=machine.offer.gpu, count=machine.offer.count, min_cuda_version=machine.min_cuda
        ),
        cpu=wire.CpuRequest(id=machine.offer.gpu, vcpu_count=machine.vcpus)
        if machine.vcpus
        else None,
        cloud="COMMUNITY" if machine.offer.cloud == "community" else "SECURE",
        data_center_ids=(machine.region,) if machine.region else None,
        disk=machine.disk_gb,
        mounts=_mounts(machine),
        env=dict(request.environment),
        ports=tuple([*ports, "22/tcp"] if machine.ssh else ports),
        args=command.checked(machine.command),
        registry=machine.registry,
        start_ssh=True if machine.ssh else None,
    )


def _mounts(machine: Machine) -> wire.Mounts | None:
    """One line for each kind; a persistent mount is marked deprecated by v2 (2026-08) and still needed."""
    if machine.volume:
        network = wire.NetworkMount(volume_id=machine.volume, path=machine.mount_path)
        return wire.Mounts(network=(network,))
    if not machine.volume_gb:
        return None
    size = max(wire.MIN_VOLUME_GB, machine.volume_gb)
    return wire.Mounts(persistent=wire.PersistentMount(size=size, path=machine.mount_path))


def _with_price(instance: Instance, machine: Machine) -> Instance:
    """The larger of what RunPod says and what was planned: its word may be 0, and leave out disks."""
    hourly: Decimal = machine.offer.hourly
    if instance.usd_per_hour > hourly:
        hourly = instance.usd_per_hour + machine.offer.disk_usd_per_hour
    return instance.model_copy(
        update={"usd_per_hour": hourly, "gpu": instance.gpu or machine.offer.gpu}
    )
