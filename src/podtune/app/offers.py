"""What a rented job may run on: RunPod's catalogue, the image, the disk, the volume's data centre.

Composes the provider with the plan; imported only where something is to be rented.
"""

from collections.abc import Sequence
from typing import NamedTuple

from podtune.app.settings import Settings
from podtune.core.clock import Clock, utc_now
from podtune.core.errors import SpecError
from podtune.core.limits import Limits
from podtune.core.offer import Offer
from podtune.core.plan import BaseModelFacts, FieldNote, Origin
from podtune.core.spec import AUTO, AdapterKind, TrainingSpec, WhereSpec
from podtune.core.units import duration
from podtune.planning import adaptation, price
from podtune.planning.gpu_choice import Wishes
from podtune.providers.runpod import catalogue, images, registries, volumes
from podtune.providers.runpod.client import RunPodClient

OLD_PRICES_S = 3600.0
"""Stored prices older than this are called old."""


class Market(NamedTuple):
    """What can be rented, what limits the choice, and what somebody should know of it."""

    offers: tuple[Offer, ...]
    wishes: Wishes
    warnings: tuple[str, ...]


class Shop:
    """Asks RunPod; one for each command."""

    def __init__(
        self,
        settings: Settings,
        client: RunPodClient,
        *,
        clock: Clock = utc_now,
    ) -> None:
        """`clock` gives aware UTC."""
        self.limits: Limits = settings
        self.settings, self.client = settings, client
        self._snapshot = settings.home / catalogue.SNAPSHOT
        self._clock = clock

    def market(self, where: WhereSpec) -> Market:
        """The offers for a machine as it is wished for.

        Raises:
            SpecError: the network volume is not there, or in another data centre; or the account has
                no such registry credentials.
            CredentialsError: the key is rejected.
            UnavailableError: RunPod does not answer, and nothing was ever stored.
        """
        region = self._volume_region(where)
        if where.registry_auth:
            registries.find(self.client, where.registry_auth)
        least_cuda = images.min_cuda(images.resolve(where.image))
        wanted = catalogue.Wanted(
            count=where.count,
            clouds=(where.cloud,),
            min_cuda=least_cuda,
            region=region or where.region,
            disk_gb=where.disk_gb,
            volume_gb=0 if where.volume else where.volume_gb,
        )
        found = tuple(self._offers(wanted))
        return Market(found, Wishes(where, least_cuda, region), self._age(found))

    def _offers(self, wanted: catalogue.Wanted) -> Sequence[Offer]:
        return catalogue.offers(self.client, wanted, snapshot=self._snapshot, clock=self._clock)

    def _volume_region(self, where: WhereSpec) -> str | None:
        if where.volume is None:
            return None
        return volumes.find(self.client, where.volume, where.region).data_center

    def _age(self, found: Sequence[Offer]) -> tuple[str, ...]:
        """That prices are stored ones, and how old they are."""
        read_at = catalogue.oldest(found)
        if read_at is None:
            return ()
        age_s = (self._clock() - read_at).total_seconds()
        old = "; they may have changed" if age_s > OLD_PRICES_S else ""
        return (f"RunPod does not answer: prices and stock of {duration(age_s)} ago{old}",)


def furnished(
    spec: TrainingSpec, notes: dict[str, FieldNote], facts: BaseModelFacts
) -> TrainingSpec:
    """The spec with the image named and a disk that holds the job; notes say why.

    Raises:
        SpecError: the disk that was asked for is too small.
    """
    values: dict[str, object] = {}
    if spec.where.image == AUTO:
        values["image"] = images.DEFAULT
        _note(notes, "where.image", images.DEFAULT, "RunPod's own; hosts keep it at hand")
    needed = price.volume_gb(facts, _adapter_parameters(spec, facts))
    if spec.where.volume is None and spec.where.volume_gb < needed:
        if notes["where.volume_gb"].origin is Origin.STATED:
            raise SpecError(
                f"where.volume_gb {spec.where.volume_gb} is too small: base model, libraries and "
                f"checkpoints take {needed} GB",
                code="disk_too_small",
                hint=f"--set where.volume_gb={needed}, or leave it away",
                context={"needed_gb": needed, "stated_gb": spec.where.volume_gb},
            )
        values["volume_gb"] = needed
        model_gb = price.model_bytes(facts) / 1e9
        why = f"the base model alone takes {model_gb:.0f} GB"
        _note(notes, "where.volume_gb", needed, why)
    return spec.model_copy(update={"where": spec.where.model_copy(update=values)})


def _note(notes: dict[str, FieldNote], path: str, value: object, why: str) -> None:
    notes[path] = notes[path].model_copy(update={"value": value, "why": why})


def _adapter_parameters(spec: TrainingSpec, facts: BaseModelFacts) -> int:
    kind = AdapterKind.LORA if spec.adapter.kind == AUTO else AdapterKind(spec.adapter.kind)
    trained = adaptation.adaptation(spec.adapter, facts, kind)
    return adaptation.trained_parameters(facts, trained).total
