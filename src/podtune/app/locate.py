"""Finds the data that a request only describes: "my support tickets" -> files of the workspace to choose from.

By their names first, then by what the data doctor finds in their first rows. Chooses nothing: what fits is
shown with its reason, one that fits alone is an assumption, and two are a question.
"""

import tempfile
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict

from podtune.app.workspace import DataFile, Found, Workspace
from podtune.core.dataset import Confidence, DatasetReport
from podtune.core.errors import DatasetError, PodtuneError
from podtune.core.spec import Method
from podtune.core.units import gib, plural
from podtune.data import reader
from podtune.data.containers import streams
from podtune.data.names import split_of
from podtune.data.record import ReadOptions
from podtune.intake.data_words import FOLDER, Likeness, Wish, likeness, wish

MOST_READ: Final = 40
"""Files that are looked into, the likeliest names first. Chosen: some seconds at worst."""

WHOLE: Final = 2 * 1024**2
"""Bytes up to which a file is read whole; of a larger one its beginning is."""

HEAD: Final = 512 * 1024
"""Bytes of that beginning."""

SHOWN: Final = 9
"""Candidates that are shown: one key each."""

_FORM: Final[Mapping[str, frozenset[str]]] = {
    "zendesk": frozenset(("tickets", "support")),
    "intercom": frozenset(("tickets", "support", "chats")),
    "slack": frozenset(("chats", "messages")),
    "discord": frozenset(("chats", "messages")),
    "whatsapp": frozenset(("chats", "messages")),
    "message_table": frozenset(("chats", "messages", "tickets", "support")),
    "mbox": frozenset(("mails",)),
    "faq_markdown": frozenset(("questions",)),
    "faq_text": frozenset(("questions",)),
    "qa_table": frozenset(("questions",)),
    "chatgpt_export": frozenset(("chats",)),
    "api_log": frozenset(("logs",)),
}
"""Form of a file -> what such data is about; the others can hold anything."""

_FORM_FITS: Final = 3
"""What a fitting form adds; alone it is enough."""

_SEALED: Final = (".zip", ".xlsx", ".parquet", ".pdf")
"""Files whose beginning says nothing: they are read whole, or not at all."""

MOST_SEALED: Final = 8 * 1024**2
"""Bytes of one of those. Chosen, as the others: 40 of them are some 20 seconds of work."""

_TYPICAL: Final = (".jsonl", ".csv", ".json", ".parquet", ".xlsx", ".tsv", ".mbox")
"""Endings of files that mostly hold data; `.md` and `.txt` mostly do not."""


class Candidate(BaseModel):
    """A file, or a folder of files, that may be meant."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """As a plan takes it: a whole path."""
    shown: str
    """As people read it."""
    why: str
    """What speaks for it."""
    score: int
    size_bytes: int
    form: str
    """As `podtune data check` names it; `unknown` where nothing was recognised."""
    rows: int
    """Fit to be trained on, among those that were read."""
    is_whole: bool
    """Whether all of it was read; else there are more rows."""
    files: int = 1

    @property
    def words(self) -> str:
        """Rows, size, form and reason in one line."""
        more = "" if self.is_whole else "at least "
        of = f" in {self.files} files" if self.files > 1 else ""
        return (
            f"{more}{plural(self.rows, 'row')}{of}, {gib(self.size_bytes)}, {self.form}; {self.why}"
        )


class Located(BaseModel):
    """What was found, and where it was looked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hint: str | None
    fitting: tuple[Candidate, ...]
    """What may be meant, the likeliest first."""
    looked: str
    """Where, and how far; one sentence."""
    others: tuple[Candidate, ...] = ()
    """What can be trained on, and nothing speaks for; there only where nothing fits."""
    unfit: tuple[str, ...] = ()
    """Files whose names fit and that are left out, each with its reason."""

    @property
    def only(self) -> Candidate | None:
        """The one that fits, where no other does: still an assumption."""
        return self.fitting[0] if len(self.fitting) == 1 else None


class _Peek(NamedTuple):
    """What the first rows of a file are."""

    report: DatasetReport | None
    trouble: str = ""


def locate(
    hint: str | None,
    workspace: Workspace,
    *,
    task: str | None = None,
    method: Method = Method.SFT,
) -> Located:
    """Look for data that a description may mean.

    Args:
        hint: The words of the request; None where it says nothing of its data.
        workspace: Where to look, and nowhere else.
        task: What the model is to be good at, where that is said.
        method: Which rows are fit.
    """
    wanted = wish(hint, task)
    found = workspace.data_files()
    named = [(f, likeness(f.inside.name, f.inside.parent.parts, wanted)) for f in found.files]
    named.sort(key=lambda pair: _order(*pair))
    read = named[:MOST_READ]
    usable: list[tuple[DataFile, Candidate]] = []
    unfit: list[str] = []
    for file, like in read:
        peek = _look(file, method)
        if peek.report is not None:
            usable.append((file, _candidate(file, like, peek.report, wanted, workspace)))
        elif like.score:
            unfit.append(f"{workspace.shown(file.path)}: {peek.trouble}")
    together = _gathered(_without_held_out(usable), wanted, workspace)
    ranked = sorted(together, key=lambda c: (-c.score, c.shown))
    fitting = [c for c in ranked if c.score] if not wanted.is_empty else ranked
    return Located(
        hint=hint,
        fitting=tuple(fitting),
        looked=_looked(workspace, found, len(read)),
        others=() if fitting else tuple(ranked),
        unfit=tuple(unfit[:SHOWN]),
    )


def _looked(workspace: Workspace, found: Found, read: int) -> str:
    """Where, and how far."""
    words = (
        f"looked in {', '.join(map(str, workspace.roots))}: {plural(len(found.files), 'data file')}"
    )
    if read < len(found.files):
        words += f", into {read} of them"
    return words if found.is_all else f"{words}; there is more than is looked at"


def _order(file: DataFile, like: Likeness) -> tuple[int, bool, int, str]:
    """The likeliest name first, then what mostly is data, then what lies near."""
    typical = any(ending in file.path.name.lower() for ending in _TYPICAL)
    return -like.score, not typical, len(file.inside.parts), str(file.inside)


def _look(file: DataFile, method: Method) -> _Peek:
    """The first rows, as the data doctor reads them; an error is a reason, never the end."""
    try:
        report = _read(file, ReadOptions(method=method))
    except PodtuneError as error:
        return _Peek(None, error.message[:200])
    except OSError as error:
        return _Peek(None, error.strerror or "it cannot be read")
    is_sure = report.recognised is None or report.recognised.confidence is not Confidence.GUESS
    if is_sure and (report.good_rows or report.good_rows_after_repair):
        return _Peek(report)
    first = next(iter(report.errors()), None)
    return _Peek(None, first.message if first else "nothing in it can be trained on")


def _read(file: DataFile, options: ReadOptions) -> DatasetReport:
    """A small file whole, of a large one a copy of its beginning; `size_bytes` says how much.

    Raises:
        PodtuneError: it cannot be read.
    """
    name = file.path.name.lower()
    packed = streams.compression_of(file.path)
    is_sealed = name.removesuffix(packed).endswith(_SEALED)
    if is_sealed and (file.size_bytes > MOST_SEALED or packed):
        raise DatasetError(
            f"{gib(file.size_bytes)} are not looked into", code="too_large", hint="name the file"
        )
    if is_sealed or (file.size_bytes <= WHOLE and not packed):
        return reader.inspect(file.path, options).report
    with streams.opened(file.path, packed) as stream:
        head = stream.read(HEAD)
        is_whole = not stream.read(1)
    if not is_whole and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head[: head.rfind(b"\n") + 1] or head
    with tempfile.TemporaryDirectory(prefix="podtune-") as folder:
        copy = Path(folder, file.path.name.removesuffix(packed))
        copy.write_bytes(head)
        report = reader.inspect(copy, options).report
    return report.model_copy(update={"size_bytes": file.size_bytes if is_whole else 0})


def _candidate(
    file: DataFile, like: Likeness, report: DatasetReport, wanted: Wish, workspace: Workspace
) -> Candidate:
    """A file that can be trained on, and what speaks for it."""
    about = _FORM.get(report.format, frozenset[str]())
    is_form = bool(about & wanted.meanings)
    reasons = [f"its name {like.why}" if like.score > FOLDER else like.why] if like.score else []
    reasons += [f"{report.format} is such data"] if is_form else []
    score = like.score + _FORM_FITS * is_form
    return Candidate(
        source=str(file.path),
        shown=workspace.shown(file.path),
        why=" and ".join(reasons) or "it can be trained on",
        score=score + bool(score and about & wanted.leanings),
        size_bytes=file.size_bytes,
        form=report.format,
        rows=report.good_rows or report.good_rows_after_repair,
        is_whole=report.size_bytes >= file.size_bytes,
    )


def _without_held_out(
    found: Iterable[tuple[DataFile, Candidate]],
) -> list[tuple[DataFile, Candidate]]:
    """All but files of held-out rows whose rows to train on lie beside them."""
    pairs = list(found)
    trained = {f.path.parent for f, _ in pairs if split_of(f.path.name) != "validation"}
    return [
        (f, c)
        for f, c in pairs
        if split_of(f.path.name) != "validation" or f.path.parent not in trained
    ]


def _gathered(
    found: Iterable[tuple[DataFile, Candidate]], wanted: Wish, workspace: Workspace
) -> list[Candidate]:
    """Several files of one form in a folder whose own name fits are one candidate: the folder."""
    made: list[Candidate] = []
    by_folder = sorted(found, key=lambda pair: (str(pair[0].path.parent), str(pair[0].path)))
    for folder, pairs in groupby(by_folder, key=lambda pair: pair[0].path.parent):
        group = list(pairs)
        like = likeness(folder.name, (), wanted)
        forms = {c.form for _, c in group}
        is_one = len(group) > 1 and len(forms) == 1 and like.score > 0
        if not is_one or folder in workspace.roots:
            made += [c for _, c in group]
            continue
        made.append(
            Candidate(
                source=str(folder),
                shown=f"{workspace.shown(folder)}/",
                why=f"the folder's name {like.why}",
                score=max(like.score, *(c.score for _, c in group)),
                size_bytes=sum(c.size_bytes for _, c in group),
                form=group[0][1].form,
                rows=sum(c.rows for _, c in group),
                is_whole=all(c.is_whole for _, c in group),
                files=len(group),
            )
        )
    return made
