"""The base model on a serverless worker: a folder that holds it, or None: then the Hub is asked.

Looks at names and at config.json; loads nothing. The order is design section 8's; the platform's own
cache lies below `huggingface-cache/hub` of the volume (docs.runpod.io, cached models, read 2026-11-22).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from podtune.core.errors import NotFoundError
from serverless_places import POD_VOLUME, Places, on_volume

PLATFORM_CACHE: Final = Path("huggingface-cache") / "hub"
OWN_CACHE: Final = Path(".cache") / "huggingface" / "hub"
"""Where specification B puts HF_HOME on the volume."""


class Found(NamedTuple):
    """Where a base model is on this worker."""

    folder: Path | None
    """None: nowhere; the Hub or a package may have it."""
    revision: str | None
    """The commit, where its folder tells it."""
    tried: tuple[str, ...]
    """Every place that was looked at, in this order."""
    warnings: tuple[str, ...]


class _Candidate(NamedTuple):
    path: Path
    named: str | None
    """The variable that names it; None for a place of ours."""
    claimed: bool
    """Whether only its content can say that it is the model asked for."""


def find(name: str, places: Places) -> Found:
    """Look for a base model on the worker's disks.

    Args:
        name: `org/name`, as asked for.
        places: The worker's.
    """
    tried: list[str] = []
    warnings: list[str] = []
    for candidate in _candidates(name, places):
        path = candidate.path
        moved = on_volume(path, places.volume) if candidate.named else None
        if moved is not None:
            warnings.append(
                f"{candidate.named} names {path}, which a serverless worker has at {moved}"
            )
            path = moved
        if str(path) in tried:
            continue
        tried.append(str(path))
        if not is_whole(path):
            continue
        if candidate.claimed and not is_named(path, name):
            warnings.append(f"{candidate.named} holds another model than {name}: passed over")
            continue
        return Found(path, None, tuple(tried), tuple(warnings))
    for cache in _caches(places):
        folder = cache / f"models--{name.replace('/', '--')}"
        tried.append(str(folder))
        snapshot = newest(folder)
        if snapshot is not None:
            return Found(snapshot, snapshot.name, tuple(tried), tuple(warnings))
    return Found(None, None, tuple(tried), tuple(warnings))


def is_whole(folder: Path) -> bool:
    """Whether a folder has a config, a tokenizer and every file of weights that its index names."""
    if not (folder / "config.json").is_file() or not (folder / "tokenizer.json").is_file():
        return False
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return any(folder.glob("*.safetensors"))
    try:
        files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError):  # cut short: it is still being filled
        return False
    return all((folder / name).is_file() for name in files)


def is_named(folder: Path, name: str) -> bool:
    """Whether a folder says that it holds this model: by its own name, or by its config."""
    whole = name.replace("/", "--").casefold()
    if folder.name.casefold() in (name.rsplit("/", 1)[-1].casefold(), whole):
        return True
    if any(p.name.casefold() == f"models--{whole}" for p in folder.parents):  # of a Hub cache
        return True
    try:
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # then it says nothing
        return False
    return isinstance(said, dict) and said.get("_name_or_path") == name


def newest(repository: Path) -> Path | None:
    """The snapshot that `main` names in a Hub cache, else the last one written; whole ones only."""
    snapshots = repository / "snapshots"
    if not snapshots.is_dir():
        return None
    main = repository / "refs" / "main"
    if main.is_file():
        named = snapshots / main.read_text(encoding="utf-8").strip()
        if is_whole(named):
            return named
    there = sorted(snapshots.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)
    return next((p for p in there if is_whole(p)), None)


def not_found(name: str, tried: tuple[str, ...], cause: str, places: Places) -> NotFoundError:
    """The error for a model that is nowhere, with every place that was looked at."""
    attached = "attached" if places.volume else "not attached"
    return NotFoundError(
        f"the base model {name!r} is nowhere: looked at {', '.join(tried)}; {cause}",
        code="model_not_found",
        hint=f"is the network volume attached (it is {attached} here), and does it hold models/"
        f"{name.rsplit('/', 1)[-1]}? `podtune runpod cache {name}` fills it",
    )


def _candidates(name: str, places: Places) -> Iterator[_Candidate]:
    """Folders that may hold the model, the most deliberate first."""
    short = name.rsplit("/", 1)[-1]
    if places.model_path:
        yield _Candidate(Path(places.model_path), "MODEL_PATH", claimed=True)
    if places.transformers_cache:
        cache = Path(places.transformers_cache)
        for part in (short, name):
            yield _Candidate(cache / part, "TRANSFORMERS_CACHE", claimed=False)
    for root in filter(None, (places.volume, POD_VOLUME)):
        for part in (short, name):
            yield _Candidate(root / "models" / part, None, claimed=False)


def _caches(places: Places) -> Iterator[Path]:
    if places.volume:
        yield places.volume / PLATFORM_CACHE
        yield places.volume / OWN_CACHE
