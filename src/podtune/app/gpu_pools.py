"""Which pools of cards an endpoint's workers may come from, by the live catalogue; what an hour of one costs.

RunPod's endpoints take pools (`AMPERE_80`), people name cards (`A100 80GB`). A pool can hold several
cards: those that nobody asked for are left out of it.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from podtune.core.errors import NoCapacityError, SpecError
from podtune.planning.gpu_choice import means, nearest
from podtune.providers.runpod.listing import money
from podtune.providers.runpod.serverless_wire import PoolCard

PREFERRED: Final = ("A100 80GB", "H100")
"""Specification B, step 4.1: an A100 with 80 GB, else an H100."""

NO_STOCK: Final = "NONE"


class PoolChoice(NamedTuple):
    """Pools, less some of their cards."""

    pools: tuple[str, ...]
    excluded: tuple[str, ...]
    """Ids of cards of these pools that workers may not have."""
    cards: tuple[str, ...]
    """Names of those they may have."""
    usd_per_hour: Decimal | None
    """Of the dearest of these cards; None where RunPod does not say."""
    is_free: bool
    """Whether one of them is in stock now."""


def choose(cards: Sequence[PoolCard], wanted: Sequence[str], region: str | None) -> PoolChoice:
    """The pools of the wanted cards; of none wanted, the first of `PREFERRED` that is in stock.

    Args:
        cards: The catalogue.
        wanted: Names of cards, or pools by their own ids; empty for the preferred ones.
        region: Data centre that workers have to be in; None for any.

    Raises:
        SpecError: a card is unknown, or cannot be had serverless.
        NoCapacityError: nothing was asked for, and neither of the preferred cards is offered.
    """
    if wanted:
        return _of([card for name in wanted for card in _named(cards, name)], cards, region)
    found = [
        _of(those, cards, region)
        for name in PREFERRED
        if (those := [card for card in cards if card.pool and _is_meant(card, name)])
    ]
    if not found:
        raise NoCapacityError(
            f"RunPod offers neither {' nor '.join(PREFERRED)} serverless",
            hint="name another card: --gpu CARD",
        )
    return next((choice for choice in found if choice.is_free), found[0])


def described(
    cards: Sequence[PoolCard],
    pools: Sequence[str],
    excluded: Sequence[str],
    region: str | None = None,
) -> PoolChoice:
    """What an endpoint has already, with today's price and stock."""
    inside = [card for card in cards if card.pool in pools and card.id not in excluded]
    return PoolChoice(
        tuple(pools), tuple(excluded), _names(inside), _dearest(inside), _in_stock(inside, region)
    )


def _of(chosen: Sequence[PoolCard], cards: Sequence[PoolCard], region: str | None) -> PoolChoice:
    pools = tuple(dict.fromkeys(card.pool for card in chosen if card.pool))
    ids = {card.id for card in chosen}
    excluded = sorted(card.id for card in cards if card.pool in pools and card.id not in ids)
    return described(cards, pools, excluded, region)


def _named(cards: Sequence[PoolCard], name: str) -> list[PoolCard]:
    """The cards that a name means, as far as they can be had serverless."""
    by_pool = [card for card in cards if card.pool == name]
    if by_pool:
        return by_pool
    meant = [card for card in cards if _is_meant(card, name)]
    if not meant:
        like = nearest(name, [card.name or card.id for card in cards if card.pool])
        raise SpecError(
            f"RunPod has no card {name!r}",
            code="gpu_unknown",
            hint=f"is it {' or '.join(like)}?" if like else "podtune runpod gpus lists them",
        )
    pooled = [card for card in meant if card.pool]
    if not pooled:
        raise SpecError(
            f"{name!r} is no card of RunPod's serverless pools; pods alone have it",
            code="gpu_not_serverless",
            hint=f"leave --gpu out: {', else '.join(PREFERRED)} is taken",
        )
    return pooled


def _is_meant(card: PoolCard, name: str) -> bool:
    return means(name, (card.id, card.name or card.id), card.memory or 0)


def _in_stock(cards: Iterable[PoolCard], region: str | None) -> bool:
    """Whether any of them is free; one whose stock is not said is worth a try."""
    for card in cards:
        levels = {centre.id: centre.availability for centre in card.data_centers or ()}
        level = levels.get(region, NO_STOCK) if region and levels else card.availability
        if level != NO_STOCK:
            return True
    return False


def _names(cards: Iterable[PoolCard]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(card.name or card.id for card in cards))


def _dearest(cards: Iterable[PoolCard]) -> Decimal | None:
    prices = [money(card.price.serverless) if card.price else None for card in cards]
    known = [price for price in prices if price]
    return max(known, default=None)
