"""`podtune runpod cache`: a model on a network volume, where serverless workers find it.

First a plan that changes nothing: the model's files and sizes, the volume, the data centre by the stock of the
card that the workers want, the machine that fills it, and what all of it costs. Then, when somebody agreed,
exactly that.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import ROUND_UP, Decimal
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from podtune.app import cache_volume, installation, stores
from podtune.app.cache_machine import CacheMachine, Tools
from podtune.app.cache_order import DISK_GB, Candidate, Lease, hours_of, key_of, most_usd
from podtune.app.cache_records import CacheRecords, Run
from podtune.app.cache_volume import VolumePlan
from podtune.app.purposes import REFERENCE_MODEL
from podtune.app.settings import Settings, hub_access
from podtune.core.addresses import is_loopback
from podtune.core.cache_filling import FillOrder, FillProgress, Seal
from podtune.core.clock import Clock, random_word, utc_now
from podtune.core.errors import ConflictError, CredentialsError, SpecError
from podtune.core.offer import Stock
from podtune.planning.price import MODEL_BYTES_PER_S, START_S
from podtune.providers.runpod import catalogue, cpus
from podtune.providers.runpod.account import check_funds
from podtune.providers.runpod.client import RunPodClient
from podtune.storage.access import HubAccess
from podtune.storage.hub_model_files import ModelFiles, ModelListing

VCPUS: Final = 4
"""Fetching and comparing at 200 MB/s keeps two cores busy."""

CANDIDATES: Final = 3
"""Machines without a card, and with one, that are tried."""

POD_FOLDER: Final = "/workspace/models"
WORKER_FOLDER: Final = "/runpod-volume/models"
"""The same folder, as serverless workers see it (runpod.md 0.10, 2026-11-22)."""


_FOLDER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}")


class CacheWish(NamedTuple):
    """What is asked for."""

    model: str = REFERENCE_MODEL
    revision: str | None = None
    volume: str | None = None
    """Id or name of one that is there; another than `name` is not made then."""
    name: str | None = None
    """Of the volume that is made, or reused; `<org>-model-cache` when not given."""
    size_gb: int | None = None
    region: str | None = None
    gpu: str | None = None
    """The card that the workers will want."""
    hours: float = 6.0
    """How long the machine may live at most."""
    budget_usd: Decimal | None = None
    """What the machine may cost at most."""
    look: bool = False
    """Look on the volume although a note here says that it is filled."""


class MachinePlan(BaseModel):
    """A machine that may fill the volume."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """RunPod's id of the flavour or card."""
    name: str
    has_gpu: bool
    usd_per_hour: Decimal


class CachePlan(BaseModel):
    """What will be done, and what it costs; nothing was done yet."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    commit: str
    files: int
    weight_files: int
    total_bytes: int
    is_restricted: bool
    folder: str
    """On workers."""
    volume: VolumePlan
    is_filled: bool
    """A note on this machine says that everything is there: nothing is rented."""
    machines: tuple[MachinePlan, ...]
    """In the order in which they are tried; none where nothing is rented."""
    minutes_p50: float
    minutes_p90: float
    machine_usd_p50: Decimal
    machine_usd_most: Decimal
    """Of the dearest machine, until its deadline."""
    hours_most: float
    notices: tuple[str, ...]


class CacheResult(BaseModel):
    """What is there now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    commit: str
    volume_id: str
    volume_name: str
    data_center: str
    size_gb: int
    folder: str
    """On workers: what `MODEL_PATH` names."""
    total_bytes: int
    fetched_bytes: int
    machine: str | None
    """None where nothing was rented."""
    machine_usd: Decimal
    seconds: float
    proof: str | None
    """How the machine's absence was proved."""


class Prepared(NamedTuple):
    """A plan, and what carries it out."""

    plan: CachePlan
    files: ModelFiles
    candidates: tuple[Candidate, ...]


class ModelCache:
    """Plans and fills caches of one account."""

    def __init__(
        self,
        settings: Settings,
        client: RunPodClient,
        listing: ModelListing | None = None,
        *,
        clock: Clock = utc_now,
    ) -> None:
        """Nothing is asked yet; `listing` is the Hub of the environment when not given."""
        self._settings, self._client, self._clock = settings, client, clock
        self._listing = listing or ModelListing(hub_access())
        self._records = CacheRecords(settings.home)

    def prepare(self, wish: CacheWish) -> Prepared:
        """The plan of a wish; asks the Hub and RunPod, and changes nothing.

        Raises:
            SpecError: a size, volume, card or data centre that cannot be.
            NotFoundError: no such model.
            CredentialsError: the model is gated and the machine has no token for it; a key is rejected.
            NoCapacityError: nothing can be had where the volume is, or no card anywhere.
            UnavailableError: one of them does not answer.
        """
        _check(wish)
        files = self._listing.files(wish.model, wish.revision)
        folder = _folder_of(files.name)
        volume, notices = cache_volume.plan(self._client, self._records, wish, files, folder)
        seal = self._records.noted(volume.id).get(folder) if volume.id else None
        is_filled = not wish.look and seal is not None and _is_of(seal, files)
        if is_filled:
            return Prepared(_plan(wish, files, volume, (), notices, is_filled=True), files, ())
        self._refuse_out_of_reach()
        if files.is_restricted:
            self._check_pod_token(files)
        candidates = self._candidates(volume.data_center)
        if candidates and not candidates[0].vcpus:
            words = f"no machine without a card is free in {volume.data_center}: "
            notices = (*notices, f"{words}{candidates[0].offer.name} is taken for the download")
        plan = _plan(wish, files, volume, candidates, notices, is_filled=False)
        return Prepared(plan, files, tuple(candidates))

    def carry_out(self, wish: CacheWish, prepared: Prepared, tools: Tools) -> CacheResult:
        """Do what a plan says. Whatever comes in between, the machine is ended and proved gone.

        Raises:
            BalanceError: the account cannot pay the machine until its deadline.
            ConflictError: another command fills that volume.
            PodtuneError: see `CacheMachine.fill`.
        """
        plan, files = prepared.plan, prepared.files
        if plan.is_filled:
            volume = cache_volume.settled(self._client, plan.volume, self._settings, tools)
            return _result(plan, volume, None)
        check_funds(self._client, plan.machine_usd_most)
        self._end_left(tools)
        volume = cache_volume.settled(self._client, plan.volume, self._settings, tools)
        volume_id = volume.id or ""
        if self._records.busy(volume_id):
            raise ConflictError(
                f"another command fills volume {volume_id} ({volume.name})",
                code="volume_busy",
                hint="wait for it; two machines would write over each other",
            )
        run = Run(job=f"cache-{random_word(6)}", volume=volume_id, model=files.name)
        lease = Lease(volume_id, volume.data_center, wish.hours, wish.budget_usd)
        token = stores.pod_token() if files.is_restricted else None
        order = FillOrder(
            job=run.job,
            attempt=1,
            model=files.name,
            commit=files.commit,
            folder=_folder_of(files.name),
            hub=self._listing.url,
            files=files.files,
            secrets={"HF_TOKEN": token} if token else {},
        )
        home = self._settings.home
        with self._records.alive(run):
            self._records.unnote(volume_id, order.folder)  # until it is sealed again
            machine = CacheMachine(self._settings, tools, installation.owner(home), run)
            key = key_of(installation.signing_key(home))
            filled = machine.fill(order, prepared.candidates, lease, key)
            self._records.note(volume_id, order.folder, _seal(files, self._clock))
        result = _result(plan, volume, filled.progress)
        return result.model_copy(
            update={
                "machine": filled.machine,
                "machine_usd": filled.usd,
                "seconds": round(filled.seconds, 1),
                "proof": filled.proof.method,
            }
        )

    def _candidates(self, region: str) -> list[Candidate]:
        """Machines of a data centre, those without a card first, each kind by its price.

        Raises:
            NoCapacityError: there is none.
        """
        bare = cpus.offers(
            self._client, vcpus=VCPUS, region=region, disk_gb=DISK_GB, now=self._clock()
        )
        found = [Candidate(one.offer, one.vcpus) for one in bare[:CANDIDATES]]
        wanted = catalogue.Wanted(region=region, disk_gb=DISK_GB, volume_gb=0)
        cards = catalogue.offers(self._client, wanted, clock=self._clock)
        free = [Candidate(one) for one in cards if one.stock is not Stock.NONE]
        found += free[:CANDIDATES]
        if not found:
            raise cache_volume.nothing_free(region)
        return found

    def _end_left(self, tools: Tools) -> None:
        """End machines that a command left which died; two would write over each other."""
        for run in self._records.left():
            tools.say(f"ends what an earlier command left: {', '.join(run.names)}")
            owner = installation.owner(self._settings.home)
            machine = CacheMachine(self._settings, tools, owner, run)
            for name in run.names:
                machine.end_left(name, run.ids.get(name))
            self._records.forget(run.job)

    def _check_pod_token(self, files: ModelFiles) -> None:
        """See that a gated model can be fetched by the machine, before anything is rented.

        Raises:
            CredentialsError: `pod_token_needed`, `broad_token`, `gated_model`.
        """
        token = stores.pod_token()
        if token is None:
            raise CredentialsError(
                f"{files.name!r} is gated or private, and a rented machine has no token to fetch it",
                code="pod_token_needed",
                hint="make a fine-grained token that may read this one model at "
                "huggingface.co/settings/tokens, then: export PODTUNE_POD_HF_TOKEN=...; HF_TOKEN "
                "itself never leaves this machine",
            )
        theirs = ModelListing(HubAccess(token, self._listing.url))
        theirs.check_readable(files.name, files.commit, files.files[-1].path)

    def _refuse_out_of_reach(self) -> None:
        """A Hub on this machine is out of a real pod's reach; the stand-in's pods run here.

        Raises:
            SpecError: code `store_out_of_reach`.
        """
        here = is_loopback(urlsplit(self._listing.url).hostname or "")
        if here and not is_loopback(urlsplit(self._client.access.rest_url).hostname or ""):
            raise SpecError(
                f"a rented machine cannot reach the Hub at {self._listing.url}",
                code="store_out_of_reach",
                hint="unset HF_ENDPOINT, or name a Hub with an address of its own",
            )


def _check(wish: CacheWish) -> None:
    """See that the numbers of a wish can be meant.

    Raises:
        SpecError: one cannot.
    """
    if not 0 < wish.hours <= 48:
        raise SpecError(f"--hours is over 0 and at most 48, not {wish.hours}", code="bad_option")
    if wish.budget_usd is not None and not (wish.budget_usd.is_finite() and wish.budget_usd > 0):
        raise SpecError(f"--budget is an amount over 0, not {wish.budget_usd}", code="bad_option")


def _plan(
    wish: CacheWish,
    files: ModelFiles,
    volume: VolumePlan,
    candidates: Sequence[Candidate],
    notices: Sequence[str],
    *,
    is_filled: bool,
) -> CachePlan:
    lease = Lease(volume.id or "", volume.data_center, wish.hours, wish.budget_usd)
    seconds = [
        start + files.total_bytes / speed
        for start, speed in zip(START_S, MODEL_BYTES_PER_S, strict=True)
    ]
    hours = [hours_of(lease, one.offer.hourly) for one in candidates]
    costs = [
        most_usd(lease, one.offer.hourly * Decimal(str(span)))
        for one, span in zip(candidates, hours, strict=True)
    ]
    likely = candidates[0].offer.hourly * Decimal(str(seconds[0] / 3600)) if candidates else 0
    if hours and hours[0] * 3600 < seconds[0]:
        span = timedelta(hours=hours[0])
        notices = (
            *notices,
            f"the machine ends after {span}, and the download takes about "
            f"{timedelta(seconds=round(seconds[0]))}: it may take a second run, which goes on",
        )
    return CachePlan(
        model=files.name,
        commit=files.commit,
        files=len(files.files),
        weight_files=files.weight_files,
        total_bytes=files.total_bytes,
        is_restricted=files.is_restricted,
        folder=f"{WORKER_FOLDER}/{_folder_of(files.name)}",
        volume=volume,
        is_filled=is_filled,
        machines=tuple(
            MachinePlan(
                id=one.offer.gpu,
                name=one.offer.name,
                has_gpu=not one.vcpus,
                usd_per_hour=one.offer.hourly,
            )
            for one in candidates
        ),
        minutes_p50=0 if is_filled else round(seconds[0] / 60, 1),
        minutes_p90=0 if is_filled else round(seconds[1] / 60, 1),
        machine_usd_p50=_cents(Decimal(likely)),
        machine_usd_most=_cents(max(costs, default=Decimal(0))),
        hours_most=max(hours, default=0.0),
        notices=tuple(notices),
    )


def _result(plan: CachePlan, volume: VolumePlan, progress: FillProgress | None) -> CacheResult:
    return CacheResult(
        model=plan.model,
        commit=plan.commit,
        volume_id=volume.id or "",
        volume_name=volume.name,
        data_center=volume.data_center,
        size_gb=volume.size_gb,
        folder=plan.folder,
        total_bytes=plan.total_bytes,
        fetched_bytes=progress.fetched_bytes if progress else 0,
        machine=None,
        machine_usd=Decimal(0),
        seconds=0.0,
        proof=None,
    )


def _seal(files: ModelFiles, clock: Clock) -> Seal:
    return Seal(
        model=files.name,
        commit=files.commit,
        bytes=files.total_bytes,
        files=files.files,
        sealed_at=clock().isoformat(timespec="seconds"),
    )


def _is_of(seal: Seal, files: ModelFiles) -> bool:
    return (seal.model, seal.commit, seal.files) == (files.name, files.commit, files.files)


def _folder_of(model: str) -> str:
    """The model's folder below `models/`: its name without the organisation.

    Raises:
        SpecError: it is no name of a folder.
    """
    name = model.rpartition("/")[2]
    if not _FOLDER.fullmatch(name):
        raise SpecError(f"{model!r} is no name of a model on the Hub")
    return name


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), rounding=ROUND_UP)
