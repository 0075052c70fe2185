"""Where a source's bytes are: a path of this machine, or an address that is fetched first.

What is fetched for a plan stays in `$PODTUNE_HOME/downloads` until the job has its own copy, so that
an address that expires does no harm.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from podtune.app import fetch
from podtune.app.settings import Settings
from podtune.core.spec import DataSpec, Method
from podtune.data import canonical, reader
from podtune.data.reader import Dataset
from podtune.data.record import ReadOptions


def is_address(source: str) -> bool:
    """Whether a source is somewhere else: `https://`, `s3://`, `hf://`."""
    return "://" in source


def unsigned(source: str) -> str:
    """A source as it may be stored and shown: an address without user, query and fragment.

    What of a query is a secret cannot be told by its names; so all of it goes.

    >>> unsigned("https://x.example/rows.jsonl?v=2&X-Goog-Signature=abc")
    'https://x.example/rows.jsonl'
    """
    if not is_address(source):
        return source
    try:
        parts = urlsplit(source)
    except ValueError:  # no address at all, which who fetches it says
        return source.split("?", 1)[0]
    host = parts.netloc.rsplit("@", 1)[-1]
    return f"{parts.scheme}://{host}{parts.path.split(';', 1)[0]}"


def stored(source: str) -> str:
    """A source as it may be stored and shown: absolute, and without the secret of a signed address."""
    return unsigned(source) if is_address(source) else str(Path(source).expanduser().absolute())


def options_of(data: DataSpec, method: Method = Method.SFT) -> ReadOptions:
    """What a spec says about how its data is read, and for which method."""
    fixes = frozenset(data.fix)
    if data.redact_pii:
        fixes |= {"redact-pii"}
    return ReadOptions(
        columns=data.columns,
        speaker=data.speaker,
        sheet=data.sheet,
        member=data.member,
        format=data.format,
        fixes=fixes,
        method=method,
    )


def kept(
    source: str,
    settings: Settings,
    *,
    fresh: bool,
    on_progress: fetch.OnProgress | None = None,
) -> Path:
    """A local path of a source whose bytes are needed again.

    Args:
        source: A path or an address.
        settings: Of this installation. Where they keep downloads for one request alone, what is there is taken.
        fresh: Fetch anew; else what was fetched before is taken where it is there.
        on_progress: Called as bytes come.
    """
    if not is_address(source):
        return Path(source).expanduser()
    folder = _folder(source, settings)
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    if there and (settings.keeps_downloads or not fresh):
        return there[0] if len(there) == 1 else folder
    shutil.rmtree(folder, ignore_errors=True)
    coming = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(coming, ignore_errors=True)
    try:
        got = fetch.fetch(source, coming, settings, on_progress)
        return coming.replace(folder) / got.relative_to(coming)
    finally:
        shutil.rmtree(coming, ignore_errors=True)


def forget(source: str, settings: Settings) -> None:
    """Remove what was fetched for a plan; what is kept for one request goes with it."""
    if is_address(source) and not settings.keeps_downloads:
        shutil.rmtree(_folder(source, settings), ignore_errors=True)


@contextmanager
def looked_at(
    source: str, settings: Settings, on_progress: fetch.OnProgress | None = None
) -> Generator[Path]:
    """A local path of a source while it is looked at; what was fetched goes afterwards."""
    if not is_address(source):
        yield Path(source).expanduser()
        return
    with tempfile.TemporaryDirectory(prefix="podtune-") as folder:
        yield fetch.fetch(source, Path(folder) / "data", settings, on_progress)


def read(
    source: str, data: DataSpec, settings: Settings, *, fresh: bool, method: Method = Method.SFT
) -> Dataset:
    """The rows of a source that are fit for a method, as a spec wants them read.

    Their sum stands in the report.
    """
    rows = reader.read(kept(source, settings, fresh=fresh), options_of(data, method))
    report = rows.report.model_copy(
        update={"source": stored(source), "rows_sha256": canonical.digest(rows.conversations)}
    )
    return Dataset(rows.conversations, report)


def _folder(source: str, settings: Settings) -> Path:
    key = hashlib.sha256(stored(source).encode()).hexdigest()[:24]
    return settings.downloads / key
