"""Where an adapter goes in the end: `deliver.to`, taken apart. Opens nothing."""

import re
from pathlib import Path
from typing import Final, NamedTuple

from podtune.core.errors import SpecError
from podtune.core.spec import TrainingSpec
from podtune.egress.s3 import parse_source
from podtune.storage.access import SUPABASE_BUCKET

SCHEMES: Final = ("hf", "s3", "supabase")

ARCHIVES: Final = (".tar.gz", ".tgz")
"""A path or key that ends so becomes one archive; every other one is a folder."""

FOLDER: Final = "adapters"
"""In Supabase's bucket, when no path is named: specification B's `adapter_path`."""

_HUB_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
_BUCKET_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)
_PATH: Final = re.compile(r"[\w./ -]{0,500}", re.ASCII)


class LocalFolder(NamedTuple):
    """A folder that gets a copy."""

    path: Path


class LocalArchive(NamedTuple):
    """One `.tar.gz` on this machine."""

    path: Path


class HubRepository(NamedTuple):
    """A model repository on the Hub."""

    name: str


class Bucket(NamedTuple):
    """A place in a bucket; an archive is put there."""

    scheme: str
    """`s3` or `supabase`."""
    bucket: str
    path: str
    """A key that ends as an archive does, or what stands before one."""

    def key(self, job: str) -> str:
        """The key of a job's archive."""
        if self.path.endswith(ARCHIVES):
            return self.path
        name = f"job-{job}.tar.gz"
        return f"{self.path.strip('/')}/{name}" if self.path.strip("/") else name


Target = LocalFolder | LocalArchive | HubRepository | Bucket


def parse(to: str) -> Target:
    """Take `deliver.to` apart.

    Raises:
        SpecError: code `bad_target`.

    >>> parse("s3://models/team-a").key("demo-abc234")
    'team-a/job-demo-abc234.tar.gz'
    >>> parse("supabase://").key("demo-abc234")
    'adapters/job-demo-abc234.tar.gz'
    """
    scheme, found, rest = to.partition("://")
    if not found:
        path = Path(to).expanduser().absolute()
        return LocalArchive(path) if path.name.lower().endswith(ARCHIVES) else LocalFolder(path)
    scheme = scheme.lower()
    if scheme == "hf":
        return _hub(to, rest)
    if scheme == "s3":
        return _s3(to, rest)
    if scheme == "supabase":
        return _supabase(to, rest)
    raise _bad(to, "no adapter can be delivered there")


def settled(to: str) -> str:
    """`deliver.to` as it stands in a plan: an address as it is, a path absolute.

    Raises:
        SpecError: it is no target, or something is there already.
    """
    target = parse(to)
    if isinstance(target, LocalFolder | LocalArchive):
        refuse_existing(target)
        return str(target.path)
    return to


def adapter_path(spec: TrainingSpec, job: str, artifact: Path) -> str:
    """Where a job's adapter is once it is delivered, in the application's words.

    Bucket first, as specification B names it; `hf://org/name`; or a path of this machine.

    Args:
        spec: Whose `deliver.to`.
        job: Its id.
        artifact: The folder in which an adapter stays that goes nowhere.

    Raises:
        SpecError: `deliver.to` is no target.
    """
    if spec.deliver.to is None:
        return str(artifact)
    match parse(spec.deliver.to):
        case LocalFolder(path) | LocalArchive(path):
            return str(path)
        case HubRepository(name):
            return f"hf://{name}"
        case Bucket() as target:
            return f"{target.bucket}/{target.key(job)}"


def refuse_existing(target: LocalFolder | LocalArchive) -> None:
    """Nothing is overwritten.

    Raises:
        SpecError: code `target_exists`.
    """
    path = target.path
    empty = isinstance(target, LocalFolder) and path.is_dir() and not any(path.iterdir())
    if path.exists() and not empty:
        what = "exists" if isinstance(target, LocalArchive) else "exists and is not empty"
        raise SpecError(
            f"deliver.to: {str(path)!r} {what}",
            code="target_exists",
            hint="name a new folder; nothing is overwritten",
        )


def public_words(spec: TrainingSpec) -> tuple[str, ...]:
    """What everybody could see after delivery, for whoever has to confirm it; empty when nobody."""
    if not spec.deliver.public or spec.deliver.to is None:
        return ()
    target = parse(spec.deliver.to)
    if not isinstance(target, HubRepository):
        return ()
    system = " and the system prompt" if spec.data.system_prompt else ""
    return (
        f"everybody will see {target.name} on the Hub: the adapter, which can repeat what it was "
        "trained on",
        "with it tokenizer, model card, metrics, loss curve, receipt, and the spec with the path of "
        f"the data{system}",
        "rows and before/after samples of the data stay out",
    )


def _hub(to: str, rest: str) -> HubRepository:
    name = rest.strip("/").removeprefix("models/")
    if not _HUB_NAME.fullmatch(name) or ".." in name or "--" in name:
        raise _bad(to, "it is no model repository")
    return HubRepository(name)


def _s3(to: str, rest: str) -> Bucket:
    bucket, _, prefix = rest.partition("/")
    prefix = prefix.strip("/")
    try:
        parse_source(f"s3://{bucket}/{prefix or 'x'}")
    except SpecError as error:
        raise _bad(to, error.message) from error
    return Bucket("s3", bucket, prefix)


def _supabase(to: str, rest: str) -> Bucket:
    bucket, _, path = rest.strip("/").partition("/")
    parts = set(path.split("/")) if path else set[str]()
    known = _BUCKET_NAME.fullmatch(bucket or SUPABASE_BUCKET) and _PATH.fullmatch(path)
    if not known or {"", ".", ".."} & parts:
        raise _bad(to, "it is no bucket and path")
    return Bucket("supabase", bucket or SUPABASE_BUCKET, path or FOLDER)


def _bad(to: str, why: str) -> SpecError:
    return SpecError(
        f"deliver.to: {to[:200]!r}: {why}",
        code="bad_target",
        hint="a folder, a file that ends in .tar.gz, hf://org/name, s3://bucket/prefix or "
        "supabase://bucket/path",
    )
