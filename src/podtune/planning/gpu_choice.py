"""Which offers somebody's wishes allow: cards by name, memory, cloud, region, count, CUDA.

Says of every other offer why it is left out. Knows nothing of models and prices.
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final, NamedTuple

from podtune.core.errors import SpecError
from podtune.core.offer import Offer, Stock
from podtune.core.spec import AUTO, WhereSpec
from podtune.planning import cards

_SILENT: Final = frozenset({"nvidia", "geforce", "generation", "edition", "tesla"})
"""Words of ids that people leave away."""

LOCAL_KINDS: Final = ("cuda", "mps")
"""What `where.gpu` may say on this machine only."""

NOT_ASKED: Final = "not asked for"
"""Why a card is left out that is none of those named."""


class Wishes(NamedTuple):
    """What limits the choice of a machine."""

    where: WhereSpec
    least_cuda: str | None = None
    """CUDA of the image; hosts with an older driver cannot run it."""
    volume_region: str | None = None
    """Data centre of the network volume that is mounted."""


def refusal(offer: Offer, wishes: Wishes) -> str:
    """Why an offer may not be taken, in words; empty where it may."""
    where, never = wishes.where, cards.refusal(offer.gpu)
    named = wanted_names(where)
    rules = (
        (bool(never), never),
        (offer.cloud != where.cloud, f"{offer.cloud} cloud"),
        (offer.count != where.count, f"machines of {offer.count}"),
        (bool(named) and not any(is_named(offer, n) for n in named), NOT_ASKED),
        (any(is_named(offer, n) for n in where.gpu_avoid), "to be avoided"),
        (where.min_vram_gib is not None and offer.vram_gib < where.min_vram_gib, "too small"),
        *((bool(why), why) for why in (_unfit(offer, wishes), _elsewhere(offer, wishes))),
        (offer.stock is Stock.NONE, "none free now"),
    )
    return next((why for is_out, why in rules if is_out), "")


def wanted_names(where: WhereSpec) -> tuple[str, ...]:
    """The cards somebody asked for by name; none for any."""
    return where.gpu_any_of if where.gpu == AUTO else (where.gpu,)


def refuse_unknown(offers: Sequence[Offer], where: WhereSpec) -> None:
    """Raise on a card that is in no offer, naming the nearest.

    Raises:
        SpecError: with the names nobody offers; or a kind of device that only this machine has.
    """
    for name in (*wanted_names(where), *where.gpu_avoid):
        if any(is_named(offer, name) for offer in offers):
            continue
        known = sorted({offer.name for offer in offers})
        near = nearest(name, known)
        raise SpecError(
            f"no card {name!r} is offered"
            + (f"; did you mean {', '.join(near)}?" if near else "")
            + (" (that is a kind of device of this machine)" if name in LOCAL_KINDS else ""),
            code="unknown_gpu",
            hint="podtune runpod gpus --all lists what is offered, with prices",
            context={"gpu": name, "nearest": near, "offered": known},
        )


def is_named(offer: Offer, name: str) -> bool:
    """Whether a name means the card of an offer: its id, its name, or words of them.

    `A100` means every A100, `A100 SXM` one of them; `RTX A6000` is no `RTX 6000 Ada`.
    """
    return means(name, (offer.gpu, offer.name), offer.vram_gib)


def means(asked_name: str, names: tuple[str, ...], memory_gb: float) -> bool:
    """Whether a name means a card that is called so and has so much memory; see `is_named`.

    >>> means("A100 80GB", ("NVIDIA A100-SXM4-80GB", "A100 SXM"), 80)
    True
    """
    exact = {" ".join(_words(text)) for text in names}
    asked = _words(asked_name)
    if " ".join(asked) in exact:
        return True
    there = {word for text in names for word in _words(text)} | {f"{memory_gb:g}gb"}
    return bool(asked) and set(asked) <= there


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Known names like a name, the likest first; three at most."""
    by_words = {" ".join(_words(one)): one for one in known}
    asked = " ".join(_words(name))
    found = get_close_matches(asked, by_words, n=3, cutoff=0.5)
    numbers = set(re.findall(r"\d{2,}", asked))
    found += [text for text in by_words if numbers & set(re.findall(r"\d{2,}", text))]
    return [by_words[text] for text in dict.fromkeys(found)][:3]


def _words(text: str) -> list[str]:
    """A name's words as they are compared; `rtx4090` and `A100-80GB` come apart."""
    apart = re.sub(r"\b(rtx|gtx)(?=\d)", r"\1 ", text.casefold())
    return [w for w in re.findall(r"[a-z0-9.]+", apart) if w not in _SILENT]


def _elsewhere(offer: Offer, wishes: Wishes) -> str:
    """Why an offer is in the wrong place; empty where it is not, or where nobody knows."""
    region = wishes.volume_region or wishes.where.region
    if region is None or not offer.regions or region in offer.regions:
        return ""
    return f"none in {region}"


def _unfit(offer: Offer, wishes: Wishes) -> str:
    """Why a card or its hosts cannot run the image; empty where they can."""
    if cards.is_stand_in(offer.gpu) or wishes.least_cuda is None:
        return ""
    least = cards.version(wishes.least_cuda)
    if offer.cuda and not any(cards.version(there) >= least for there in offer.cuda):
        return f"no host with CUDA {wishes.least_cuda} or newer"
    needs = cards.card(offer.gpu, offer.vram_gib).architecture
    if cards.version(needs.least_cuda) > least:
        return f"{needs.name} needs an image with CUDA {needs.least_cuda} or newer"
    return ""
