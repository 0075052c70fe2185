"""An account of the hosted fine-tuning API, brought over: its training files, and a spec for each of its jobs.

What each job was is translated and nothing is guessed: the base model is the operator's to say, `auto` stays `auto`, and what
has no equal here is told. Nothing in the account is changed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import yaml
from pydantic import SecretStr

from podtune.app import hosted_models
from podtune.app.hosted_bytes import safe_name
from podtune.app.settings import Settings
from podtune.core.errors import (
    ArtifactError,
    CredentialsError,
    NotFoundError,
    PodtuneError,
    SpecError,
    StateError,
    UnavailableError,
)
from podtune.core.spec import Method, nest
from podtune.storage.hosted_account import HostedAccount, RemoteFile, RemoteJob

FOLDER: Final = "openai-import"
"""Where it goes when nobody says."""
SPECS: Final = "specs"
DATA: Final = "data"
_KINDS: Final[Mapping[str, Method]] = {"supervised": Method.SFT, "dpo": Method.DPO}


class Translated(NamedTuple):
    """A job of the account, and what it is here."""

    job: RemoteJob
    base_model: str | None
    """None where nobody has said which open model stands for its model."""
    stated: Mapping[str, object]
    """The spec's paths; the files by the names they are downloaded to."""
    notes: tuple[str, ...]
    """What has no equal, or is not known."""
    is_possible: bool


class Found(NamedTuple):
    """What an account holds."""

    files: Sequence[RemoteFile]
    jobs: Sequence[Translated]


class Brought(NamedTuple):
    """What was written."""

    files: Mapping[str, Path]
    """File id -> where it is now."""
    specs: Mapping[str, Path]
    """Job id -> its spec."""
    lacking: Mapping[str, str]
    """File or job id -> why it was not brought."""


def account(key: SecretStr | None, url: str) -> HostedAccount:
    """The account that a key opens.

    Raises:
        CredentialsError: code `missing_key`.
    """
    if key is None:
        raise CredentialsError(
            "OPENAI_API_KEY is not set",
            code="missing_key",
            hint="export OPENAI_API_KEY=... (one that may read is enough)",
        )
    return HostedAccount(key, url)


def look(source: HostedAccount, settings: Settings, base_model: str | None = None) -> Found:
    """What an account holds, translated. Downloads nothing.

    Args:
        source: The account.
        settings: With the operator's table of models.
        base_model: Stands for every model of it.

    Raises:
        PodtuneError: the account cannot be read.
    """
    files = source.files()
    names = {one.id: file_name(one) for one in files}
    jobs = [translate(job, names, settings, base_model) for job in source.jobs()]
    return Found(files, jobs)


def translate(
    job: RemoteJob,
    names: Mapping[str, str],
    settings: Settings,
    base_model: str | None = None,
) -> Translated:
    """One job in our words.

    Args:
        job: As the account told it.
        names: File id -> the name of its download.
        settings: With the operator's table of models.
        base_model: Stands for every model.
    """
    notes: list[str] = []
    base = base_model or _base_of(job, settings, notes)
    method = _KINDS.get(job.kind)
    if method is None:
        notes.append(f"{job.kind} fine-tuning is not built")
    asked = job.figures
    stated: dict[str, object] = {
        "base_model.name": base,
        "data.source": names.get(job.training_file, job.training_file),
        "method": method.value if method else None,
        "training.epochs": asked.n_epochs,
        "training.effective_batch": None
        if asked.batch_size is None
        else {"examples": int(asked.batch_size)},
        "training.seed": job.seed,
        "training.beta": asked.beta if method is Method.DPO else None,
    }
    if job.validation_file is not None:
        stated["data.validation_source"] = names.get(job.validation_file, job.validation_file)
    if asked.learning_rate_multiplier is not None:
        _multiplied(asked.learning_rate_multiplier, base, method, settings, stated, notes)
    stated = {path: value for path, value in stated.items() if value is not None}
    return Translated(job, base, stated, tuple(notes), base is not None and method is not None)


def bring(source: HostedAccount, found: Found, into: Path) -> Brought:
    """Download the files that jobs need and may be had, and write a spec for each job.

    Args:
        source: The account.
        found: What it holds.
        into: The folder; what is there already is not downloaded again.

    Raises:
        StateError: the folder cannot be written.
        PodtuneError: the account does not answer.
    """
    data, specs = into / DATA, into / SPECS
    try:
        data.mkdir(parents=True, exist_ok=True)
        specs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"{str(into)!r} cannot be made: {error.strerror or error}") from error
    lacking: dict[str, str] = {}
    files = _downloaded(source, found, data, lacking)
    written: dict[str, Path] = {}
    for one in found.jobs:
        needed = filter(None, (one.job.training_file, one.job.validation_file))
        missing = [name for name in needed if name not in files]
        if missing:
            lacking[one.job.id] = f"its file {missing[0]} could not be had"
        elif not one.is_possible:
            lacking[one.job.id] = "; ".join(one.notes)
        else:
            path = specs / f"{one.job.id}.yaml"
            path.write_text(text_of(one, data.absolute()), encoding="utf-8")
            written[one.job.id] = path
    return Brought(files, written, lacking)


def text_of(one: Translated, data: Path) -> str:
    """A job's spec file; `data` is the folder that has its files."""
    was = f"{one.job.id}: {one.job.model}" + (
        f" -> {one.job.fine_tuned_model}" if one.job.fine_tuned_model else ""
    )
    comments = [f"what was {was}", *one.notes]
    head = "".join(f"# {_one_line(text)}\n" for text in comments)
    stated = dict(one.stated)
    for path in ("data.source", "data.validation_source"):
        if path in stated:
            stated[path] = str(data / str(stated[path]))
    return head + yaml.safe_dump(nest(stated), sort_keys=False, allow_unicode=True)


def chosen(found: Found, job_id: str) -> Found:
    """One job of an account and its files.

    Raises:
        NotFoundError: it has no such job.
    """
    jobs = [one for one in found.jobs if one.job.id == job_id]
    if not jobs:
        raise NotFoundError(
            f"the account has no fine-tuning job {job_id[:60]!r}",
            code="not_found",
            hint="podtune import openai --dry-run lists them",
        )
    needed = {jobs[0].job.training_file, jobs[0].job.validation_file}
    return Found([one for one in found.files if one.id in needed], jobs)


def file_name(file: RemoteFile) -> str:
    """What a file is called here: its own name, with its id before it."""
    return f"{file.id}-{safe_name(file.filename)}"


def _base_of(job: RemoteJob, settings: Settings, notes: list[str]) -> str | None:
    try:
        return hosted_models.base_of(job.model, settings)
    except SpecError as error:
        likely = ", ".join(hosted_models.suggestions(job.model))
        notes.append(
            f"nobody has said which open model stands for {job.model}: --base-model {likely}"
            if error.code == "unknown_model"
            else error.message
        )
        return None


def _multiplied(
    multiplier: float,
    base: str | None,
    method: Method | None,
    settings: Settings,
    stated: dict[str, object],
    notes: list[str],
) -> None:
    """Their learning rate is a multiple of one that is not told; ours becomes the same multiple of ours."""
    if base is None or method is None:
        return
    try:
        usual = hosted_models.default_learning_rate(base, method, settings)
    except (NotFoundError, UnavailableError) as error:
        notes.append(f"learning_rate_multiplier {multiplier:g} is left out: {error.message}")
        return
    rate = float(f"{usual * multiplier:.3g}")
    if not 0 < rate < 1:
        notes.append(
            f"learning_rate_multiplier {multiplier:g} is left out: it makes no learning rate"
        )
        return
    stated["training.learning_rate"] = rate
    notes.append(f"learning_rate_multiplier {multiplier:g} times our {usual:g} is {rate:g}")


def _downloaded(
    source: HostedAccount, found: Found, data: Path, lacking: dict[str, str]
) -> dict[str, Path]:
    known = {one.id: one for one in found.files}
    files: dict[str, Path] = {}
    for file_id in _needed(found.jobs):
        if file_id not in known:
            lacking[file_id] = "it was deleted from the account"
            continue
        path = data / file_name(known[file_id])
        if path.is_file() and path.stat().st_size == known[file_id].bytes:
            files[file_id] = path
            continue
        coming = path.with_name(f"{path.name}.part")
        try:
            source.download(file_id, coming)
            coming.replace(path)
        except (NotFoundError, ArtifactError) as error:
            lacking[file_id] = error.message
        except PodtuneError as error:
            if error.code != "rejected_key":
                raise
            lacking[file_id] = error.message
        else:
            files[file_id] = path
        finally:
            coming.unlink(missing_ok=True)
    return files


def _needed(jobs: Iterable[Translated]) -> list[str]:
    ids = (i for one in jobs for i in (one.job.training_file, one.job.validation_file) if i)
    return list(dict.fromkeys(ids))


def _one_line(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]", " ", text)[:300]
