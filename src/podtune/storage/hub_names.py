"""Names of the Hub near one that is not there, for the hint beside "no such model"."""

from collections.abc import Iterable
from difflib import SequenceMatcher
from itertools import islice
from typing import Any, Final

MOST_LISTED: Final = 300
"""Models looked through for one hint; the Hub gives the most downloaded first."""

SHOWN: Final = 3
ALIKE: Final = 0.6
"""Least likeness (0..1, difflib's ratio) of a name that is worth showing."""

PACKED_SUFFIXES: Final = ("-gguf", "-awq", "-gptq", "-bnb-4bit", "-mlx", "-onnx")
"""What is put behind a model's name when it is packed for another use."""


def nearest(name: str, api: Any) -> list[str]:
    """Models nearest in spelling to `name`, the likest first; none when the Hub does not tell.

    Args:
        name: `org/name`, as somebody wrote it.
        api: A client of the Hub (`HfApi`).
    """
    org, _, model = original(name).rpartition("/")
    ids = _listed(api, author=org or None, search=None if org else model)
    found = _likest(name, ids)
    return found or _likest(name, _listed(api, search=model))


def original(name: str) -> str:
    """The name without what stands for a packed copy.

    >>> original("Qwen/Qwen3-8B-GGUF")
    'Qwen/Qwen3-8B'
    """
    for suffix in PACKED_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def words(name: str, api: Any) -> str:
    """The nearest names as a hint; empty without any."""
    found = nearest(name, api)
    return f"did you mean {' or '.join(found)}?" if found else ""


def _listed(api: Any, **query: object) -> list[str]:
    """Ids of models the Hub lists; a hint that cannot be had is left out."""
    import httpx2
    from huggingface_hub import errors

    try:
        found = api.list_models(**query, limit=MOST_LISTED)
        return [model.id for model in islice(found, MOST_LISTED)]
    except (errors.HfHubHTTPError, httpx2.HTTPError, OSError, ValueError):
        return []


def _likest(name: str, ids: Iterable[str]) -> list[str]:
    wanted = original(name).lower()
    scored = [
        (SequenceMatcher(None, wanted, one.lower()).ratio(), one)
        for one in ids
        if original(one) == one and one != name
    ]
    best = sorted((-score, one) for score, one in scored if score >= ALIKE)
    return [one for _, one in best[:SHOWN]]
