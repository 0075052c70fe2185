"""The words that name a base model -> releases of the table that fit, the likeliest first.

Reads the fields of a request and the table, nothing else: whether a model fits a machine is the plan's to say.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from podtune.intake.defaults import DEFAULT_BASE_MODEL, SUGGESTED_MODEL
from podtune.intake.releases import RELEASES, SEEING, UNTRAINED, Release, Untrained
from podtune.intake.words import names
from podtune.intake.words.candidates import Value

MOST: Final = 6
"""Releases that are offered at once: as many as one reads."""

_CLOSE: Final = 0.08
"""Share by which a size may differ: 3.8 is called 4."""

_ANSWERING: Final = {
    "instruct": ("instruct", "mini", "coder", "math", "thinking"),
    "chat": ("instruct", "mini", "thinking"),
    "reasoning": ("thinking",),
}
"""Variant as people say it -> variants of the table, where they differ."""

_SUGGESTED: Final[Mapping[str, tuple[str, ...]]] = {
    "local": (
        DEFAULT_BASE_MODEL, "HuggingFaceTB/SmolLM2-360M-Instruct", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B",
        SUGGESTED_MODEL,
    ),
    "rented": (
        SUGGESTED_MODEL, "mistralai/Mistral-7B-Instruct-v0.3", "meta-llama/Llama-3.1-8B-Instruct",
        "Qwen/Qwen3-4B-Instruct-2507", "HuggingFaceTB/SmolLM2-1.7B-Instruct",
    ),
    "cheapest": (
        "Qwen/Qwen3-1.7B", "HuggingFaceTB/SmolLM2-1.7B-Instruct", "Qwen/Qwen3-4B-Instruct-2507",
        SUGGESTED_MODEL,
    ),
}  # fmt: skip
"""What is offered where no model is named, by where it is trained. Chosen: no terms to accept first, sizes that
fit the cheaper cards. On this machine the default comes with podtune."""


class Choice(NamedTuple):
    """Releases that may be meant."""

    releases: tuple[Release, ...]
    """The first is taken, where nobody says otherwise."""
    fits: bool
    """Whether they are what was named; else the nearest to it, to be asked for."""
    untrained: Untrained | None = None
    """Why what was named cannot be trained here; `releases` then holds what can."""


def choose(fields: Mapping[str, Value], *, rented: bool) -> Choice:
    """The releases that fit what a request says of its base model.

    Args:
        fields: Of the request.
        rented: Whether a machine is rented for it.
    """
    family = fields.get("base_model_family")
    if family is None:
        return _unnamed(fields, rented=rented)
    refused = untrained(fields)
    if refused is not None:
        return Choice(_named(refused.instead), fits=False, untrained=refused)
    kin = [r for r in RELEASES if r.family == family]
    fitting = [r for r in _versions(kin, fields) if _has_size(r, fields) and _is_variant(r, fields)]
    if not fitting:
        return Choice(tuple(_nearest(kin, fields)[:MOST]), fits=False)
    return Choice(tuple(_preferred(fitting, fields)[:MOST]), fits=True)


def untrained(fields: Mapping[str, Value]) -> Untrained | None:
    """Why what is named cannot be trained here; None where it can, or nobody knows."""
    family = str(fields.get("base_model_family", ""))
    version, size = fields.get("base_model_version"), fields.get("base_model_size_b")
    if fields.get("base_model_variant") in SEEING and family not in UNTRAINED:
        text = next((r.name for r in RELEASES if r.family == family), SUGGESTED_MODEL)
        return Untrained("it sees or hears too; text alone is learnt here", text)
    head = str(version).partition("-")[0]
    keys = [f"{family} {v} {size:g}b" for v in (version, head) if isinstance(size, int | float)]
    keys += [f"{family} {version}", family]
    if head[:1].isdigit():
        keys.insert(-1, f"{family} {head}")
    return next((UNTRAINED[key] for key in keys if key in UNTRAINED), None)


def size_of(name: str) -> float | None:
    """Billions of parameters of a release, by its repository or by what its name says; None where neither tells."""
    known = next((r.parameters_b for r in RELEASES if r.name.casefold() == name.casefold()), None)
    if known is not None:
        return known
    read = names.parse_id(name.rpartition("/")[2])
    return read.size_b if read is not None else None


def described(release: Release) -> str:
    """A release in a line: why one would take it, size, licence, length, terms."""
    facts = (
        f"{release.parameters_b:g} billion parameters, {release.licence}, {release.context} tokens"
    )
    terms = "; its terms have to be accepted on the Hub, if it asks" if release.gated else ""
    untaught = "; has no chat template of its own" if release.template == "none" else ""
    return "; ".join(part for part in (release.why, facts) if part) + terms + untaught


def _unnamed(fields: Mapping[str, Value], *, rented: bool) -> Choice:
    """What is offered where no family is named: by size, where one is said."""
    kind = (
        "local" if not rented else "cheapest" if fields.get("priority") == "cheapest" else "rented"
    )
    offered = _named(*_SUGGESTED[kind])
    if "base_model_size_b" in fields:
        everything = _named(*dict.fromkeys(name for names in _SUGGESTED.values() for name in names))
        sized = tuple(r for r in everything if _has_size(r, fields, 0.15))
        return Choice(sized or tuple(_nearest(list(everything), fields))[:MOST], fits=bool(sized))
    return Choice(offered, fits=True)


def _named(*names: str) -> tuple[Release, ...]:
    by_name = {r.name: r for r in RELEASES}
    return tuple(by_name[name] for name in names)


def _versions(kin: list[Release], fields: Mapping[str, Value]) -> list[Release]:
    """Those of the version that is said; of `3` also 3.1 where there is no plain 3."""
    said = fields.get("base_model_version")
    if said is None:
        return kin
    exact = [r for r in kin if r.version == said]
    return exact or [r for r in kin if r.version.startswith((f"{said}.", f"{said}-"))]


def _has_size(release: Release, fields: Mapping[str, Value], close: float = _CLOSE) -> bool:
    said = fields.get("base_model_size_b")
    if not isinstance(said, int | float):
        return True
    return any(abs(size - said) <= close * said for size in (release.size_b, release.parameters_b))


def _is_variant(release: Release, fields: Mapping[str, Value]) -> bool:
    said = str(fields.get("base_model_variant", ""))
    return not said or release.variant in _ANSWERING.get(said, (said,))


def _preferred(fitting: list[Release], fields: Mapping[str, Value]) -> list[Release]:
    """Those made for what is wanted first; otherwise as the table has them."""
    first = {"cpt": "base"}.get(str(fields.get("method")), "instruct")
    if fields.get("task") == "code" and "base_model_variant" not in fields:
        first = "coder"
    said = str(fields.get("base_model_variant", first))
    wanted = _ANSWERING.get(said, (said,))

    def rank(release: Release) -> tuple[int, bool]:
        by_use = wanted.index(release.variant) if release.variant in wanted else len(wanted)
        return by_use, release.variant == "base" and first != "base"

    return sorted(fitting, key=rank)


def _nearest(kin: list[Release], fields: Mapping[str, Value]) -> list[Release]:
    """Releases of the family, the nearest in size first, those that answer before bare ones."""
    said = fields.get("base_model_size_b")
    version = fields.get("base_model_version")

    def distance(release: Release) -> tuple[bool, bool, float]:
        away = abs(release.size_b - said) if isinstance(said, int | float) else 0.0
        return release.variant == "base", release.version != version, away

    return sorted(kin, key=distance)
