"""Data sets on the Hub: which files of a repository are the data, pinned to a commit and fetched.

`hf://org/name`, `hf://org/name/path`, with `@revision` at the end or after the name (`hf://datasets/`
in front is fine too). The path is a file, a folder, or how some files begin. Only files of rows are
fetched, no script is run, and where a repository holds several data sets the user is asked which.
Goes through huggingface_hub (HF_TOKEN, HF_ENDPOINT), but not into its cache: data may be private.
Does not look into the files, nor into the `configs` of a data set's card.
"""

import errno
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from podtune.core.errors import (
    CredentialsError,
    DatasetError,
    NotFoundError,
    PodtuneError,
    SpecError,
    StateError,
    UnsupportedError,
)
from podtune.core.units import gib
from podtune.storage.hub import TIMEOUT_S, HubUnreachableError

MAX_BYTES: Final = 2 * 1024**3
"""Of all files together, as they come over the wire."""

_SUFFIX: Final = re.compile(
    r"\.(?:parquet|jsonl|ndjson|json|csv|tsv)(?:\.(?:gz|zst))?$", re.IGNORECASE
)
_SHARD: Final = re.compile(r"[-_.]?(?:[0-9]+[-_]of[-_][0-9]+(?:-[0-9a-f]{16})?|(?<![0-9])0[0-9]+)$")
_SPLITS: Final = {
    "train": re.compile(r"(?<![a-z0-9])(?:train|training)(?![a-z0-9])", re.IGNORECASE),
    "validation": re.compile(
        r"(?<![a-z0-9])(?:validation|valid|val|dev|eval)(?![a-z0-9])", re.IGNORECASE
    ),
    "test": re.compile(r"(?<![a-z0-9])(?:test|testing)(?![a-z0-9])", re.IGNORECASE),
}
_NOT_ROWS: Final = frozenset(
    ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "config.json",
     "package.json", "croissant.json", "metadata.json")
)  # fmt: skip


class HubSource(NamedTuple):
    """What the user wrote, taken apart."""

    name: str
    path: str
    revision: str | None


class HubFile(NamedTuple):
    """A file of the repository."""

    path: str
    size_bytes: int


class HubDataset(NamedTuple):
    """The files of one data set at one commit."""

    name: str
    commit: str
    train: tuple[HubFile, ...]
    held_out: tuple[HubFile, ...]
    """What the repository calls validation, or else test; empty when it has neither."""

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in (*self.train, *self.held_out))


def parse_source(source: str) -> HubSource:
    """Take an address of a data set apart.

    Raises:
        SpecError: code `bad_url`.

    >>> parse_source("hf://org/name/data/train@v1.0")
    HubSource(name='org/name', path='data/train', revision='v1.0')
    >>> parse_source("hf://datasets/org/name@refs/convert/parquet/default/train")
    HubSource(name='org/name', path='default/train', revision='refs/convert/parquet')
    """
    text = source.removeprefix("hf://").removeprefix("datasets/")
    match = re.fullmatch(
        r"(?P<name>[^/@]+/[^/@]+)"
        r"(?:@(?P<early>refs/(?:convert|pr)/[^/@]+|[^/@]+)(?=/|$))?"
        r"(?:/(?P<path>[^@]*))?"
        r"(?:@(?P<late>[^@]+))?",
        text,
    )
    if match is None or (match["early"] and match["late"]):
        raise SpecError(
            f"{source[:200]!r} is not an address of a data set on the Hub",
            code="bad_url",
            hint="write hf://org/name, hf://org/name/path or hf://org/name/path@revision",
        )
    revision = match["early"] or match["late"]
    return HubSource(match["name"], (match["path"] or "").strip("/"), revision)


def locate(source: str) -> HubDataset:
    """Pin a data set to a commit and choose its files; nothing is downloaded.

    Raises:
        SpecError: not an address.
        NotFoundError: no such data set, revision or path.
        CredentialsError: gated or private, and no token that may read it.
        DatasetError: several data sets; the hint says how to name one.
        UnsupportedError: too large.
        HubUnreachableError: no network.
    """
    wanted = parse_source(source)
    hf = _client()
    info = _ask(
        lambda: hf.HfApi().dataset_info(
            wanted.name, revision=wanted.revision, timeout=TIMEOUT_S, files_metadata=True
        ),
        wanted,
    )
    siblings: list[Any] = info.siblings or []
    files: dict[str, int] = {s.rfilename: s.size or 0 for s in siblings}
    train, held_out = choose(files, wanted)
    found = HubDataset(wanted.name, str(info.sha), train, held_out)
    if found.size_bytes > MAX_BYTES:
        raise UnsupportedError(
            f"{wanted.name!r} has {gib(found.size_bytes)}; at most {gib(MAX_BYTES)} are fetched",
            code="file_too_large",
            hint=f"name a smaller part: hf://{wanted.name}/PATH",
        )
    return found


def choose(
    files: Mapping[str, int], wanted: HubSource
) -> tuple[tuple[HubFile, ...], tuple[HubFile, ...]]:
    """Choose the files to train on and those to hold out.

    Files that differ only in split and shard number are one data set. One must remain.

    Args:
        files: Path in the repository -> size in bytes.
        wanted: For its path and name.

    Raises:
        NotFoundError: no file of rows there.
        DatasetError: code `several_datasets`.
    """
    if wanted.path in files and _SUFFIX.search(wanted.path):
        return (HubFile(wanted.path, files[wanted.path]),), ()
    groups: dict[str, dict[str, list[str]]] = {}
    for path in _below(wanted.path, sorted(filter(_is_rows, files))):
        kind, split = _kind_and_split(path)
        groups.setdefault(kind, {}).setdefault(split, []).append(path)
    if not groups:
        at = f" under {wanted.path!r}" if wanted.path else ""
        raise NotFoundError(
            f"{wanted.name!r} has no file of rows{at}",
            code="file_not_found",
            hint="wanted are parquet, jsonl, json, csv or tsv, plain or as .gz or .zst",
        )
    complete = [group for group in groups.values() if "train" in group]
    candidates = complete or list(groups.values())
    splits = candidates[0]
    if len(candidates) > 1 or (len(splits) > 1 and "train" not in splits):
        raise _several(
            wanted,
            [g["train"][0] for g in complete]
            or [paths[0] for group in candidates for paths in group.values()],
        )
    train = splits.get("train") or next(iter(splits.values()))
    held_out = (splits.get("validation") or splits.get("test") or []) if len(splits) > 1 else []
    return _sized(train, files), _sized(held_out, files)


def download(
    found: HubDataset, into: Path, on_progress: Callable[[int, int | None], None] | None = None
) -> Path:
    """Fetch the files of a data set. A failure leaves nothing behind.

    Args:
        found: As located.
        into: An existing folder.
        on_progress: Called with bytes done and bytes in all.

    Returns:
        The file, under its own name, when there is one; else a folder of `train*` and `validation*`.

    Raises:
        PodtuneError: as `locate`.
    """
    names = _local_names(found)
    folder = into / _plain(found.name.rpartition("/")[2])
    if len(names) > 1 and folder.exists():
        raise SpecError(
            f"{str(folder)!r} is there already", code="target_exists", hint="give an empty folder"
        )
    progress = _Progress(found.size_bytes, on_progress)
    with tempfile.TemporaryDirectory(dir=into, prefix=".hub-") as scratch:
        ready = Path(scratch) / "ready"
        ready.mkdir()
        for path, name in names.items():
            _fetch(found, path, Path(scratch) / "raw", progress.bar()).replace(ready / name)
        if len(names) == 1:
            (name,) = names.values()
            return (ready / name).replace(into / name)
        return ready.replace(folder)


def _fetch(found: HubDataset, path: str, raw: Path, bar: type) -> Path:
    hf = _client()
    return Path(
        _ask(
            lambda: hf.hf_hub_download(
                found.name,
                path,
                repo_type="dataset",
                revision=found.commit,
                local_dir=raw,
                tqdm_class=bar,
            ),
            HubSource(found.name, path, found.commit),
        )
    )


def _below(path: str, files: list[str]) -> list[str]:
    """The files of a folder; where there is no such folder, those that begin so."""
    inside = [file for file in files if file.startswith(f"{path}/")] if path else files
    return inside or [file for file in files if file.startswith(path)]


def _is_rows(path: str) -> bool:
    parts = path.split("/")
    hidden = any(part.startswith(".") or not part for part in parts)
    return bool(_SUFFIX.search(path)) and not hidden and parts[-1] not in _NOT_ROWS


def _kind_and_split(path: str) -> tuple[str, str]:
    """What a file shares with the other shards and splits of its data set, and its split."""
    suffix = _suffix(path)
    folder, _, name = path.removesuffix(suffix).rpartition("/")
    stem = _SHARD.sub("", name)
    for split, pattern in _SPLITS.items():
        if pattern.search(stem):
            return f"{folder}/{pattern.sub('*', stem, count=1)}{suffix}", split
    parts = folder.split("/")
    for split, pattern in _SPLITS.items():
        named = [index for index, part in enumerate(parts) if pattern.fullmatch(part)]
        if named:
            parts[named[-1]] = "*"
            return f"{'/'.join(parts)}/{stem}{suffix}", split
    return f"{folder}/{stem}{suffix}", ""


def _suffix(path: str) -> str:
    found = _SUFFIX.search(path)
    return found[0] if found else ""


def _several(wanted: HubSource, paths: list[str]) -> DatasetError:
    shown = sorted({_SHARD.sub("", _SUFFIX.sub("", path)) for path in paths})
    if len(shown) < len(paths):  # they differ in format only
        shown = sorted(paths)
    more = f" and {len(shown) - 6} more" if len(shown) > 6 else ""
    return DatasetError(
        f"{wanted.name!r} holds several data sets: {', '.join(map(repr, shown[:6]))}{more}",
        code="several_datasets",
        hint=f"name one, for example hf://{wanted.name}/{shown[0]}",
        context={"paths": shown[:50]},
    )


def _sized(paths: Iterable[str], files: Mapping[str, int]) -> tuple[HubFile, ...]:
    return tuple(HubFile(path, files[path]) for path in paths)


def _local_names(found: HubDataset) -> dict[str, str]:
    """Path in the repository -> name here; nothing of a stranger's path but its suffix remains."""
    if len(found.train) == 1 and not found.held_out:
        path = found.train[0].path
        return {path: _plain(path.rpartition("/")[2])}
    names: dict[str, str] = {}
    for split, files in (("train", found.train), ("validation", found.held_out)):
        for number, file in enumerate(files):
            shard = f"-{number:05d}" if len(files) > 1 else ""
            names[file.path] = f"{split}{shard}{_suffix(file.path).lower()}"
    return names


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[-120:].lstrip(".-") or "data"


class _Progress:
    """Bytes of all files together."""

    def __init__(self, whole: int, on_progress: Callable[[int, int | None], None] | None) -> None:
        self._whole, self._on_progress = whole, on_progress
        self._done = 0

    def _add(self, size_bytes: float) -> None:
        self._done += int(size_bytes)
        if self._on_progress is not None:
            self._on_progress(min(self._done, self._whole), self._whole)

    def bar(self) -> type:
        """A tqdm that reports to us instead of drawing."""
        base: Any = _client().utils.tqdm
        add = self._add

        class Bar(base):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                base.__init__(self, *args, **{**kwargs, "disable": True})

            def update(self, n: float | None = 1) -> None:
                add(n or 0)

        return Bar


def _ask(call: Callable[[], Any], wanted: HubSource) -> Any:
    """Call the Hub's client; its faults become ours."""
    try:
        return call()
    except Exception as error:
        fault = _fault(wanted, error)
        if fault is None:
            raise
        raise fault from error


def _client() -> Any:
    """The Hub library, imported when it is first needed; its own types are only partly known."""
    import huggingface_hub

    return huggingface_hub


def _fault(wanted: HubSource, error: Exception) -> PodtuneError | None:
    """A fault of the Hub's client in our words; None, when it is none of the Hub's."""
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return CredentialsError(
            f"{wanted.name!r} is gated",
            code="gated_dataset",
            hint="accept its terms on its Hub page, then set HF_TOKEN to a token that may read it",
        )
    if status == 401 and "invalid credentials" in str(error).lower():
        return CredentialsError(
            "the Hub rejects HF_TOKEN",
            code="token_rejected",
            hint="set HF_TOKEN to a valid token, or unset it for public data sets",
        )
    missing = (
        errors.RepositoryNotFoundError,
        errors.RevisionNotFoundError,
        errors.RemoteEntryNotFoundError,
        errors.HFValidationError,
    )
    # any other 401 is what the Hub says to strangers of what is private or not there
    if isinstance(error, missing) or status == 401:
        at = f" at revision {wanted.revision!r}" if wanted.revision else ""
        return NotFoundError(
            f"no data set {wanted.name!r}{at} on the Hub",
            code="dataset_not_found",
            hint="check the spelling; a private data set needs HF_TOKEN",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StateError("the disk is full", code="cannot_write", hint="free some space")
    return _unreachable(error, status)


def _unreachable(error: Exception, status: int | None) -> PodtuneError | None:
    """Whether the Hub gave no answer, whichever client its library uses."""
    transport = any(kind.__name__ == "TransportError" for kind in type(error).__mro__)
    if not (isinstance(error, OSError) or transport or status):
        return None
    return HubUnreachableError(
        f"no answer from the Hub ({f'status {status}' if status else type(error).__name__})",
        hint="check the network and try again",
    )
