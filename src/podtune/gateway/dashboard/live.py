"""Pages that stay true: the parts of a page, rendered again while it is open and sent where they differ.

What is sent is HTML that was rendered here, so script and no script show the same. A stream ends after a while
and the browser comes back: whether its key still holds is asked then.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from podtune.app.asked import Submitted
from podtune.app.desk import Desk
from podtune.app.html_page import Html
from podtune.core.access import Scope
from podtune.core.clock import Clock, Monotonic, monotonic, utc_now
from podtune.core.units import duration
from podtune.core.wire import TrainingStatus
from podtune.gateway.dashboard import job_view, list_view, logtail, pages, states
from podtune.gateway.dashboard.curves import History
from podtune.gateway.sse import Message
from podtune.workflow.folder import EventTail

LOOK_S: Final = 1.0
"""How often a page is looked at again. Rendering the parts of a job takes some 5 ms."""
PATIENCE: Final = 4.0
"""A look that takes long (a status reads all events of its job) is followed by a pause so many times as long."""
LASTS_S: Final = 600.0
"""How long a stream lives."""

Parts = Mapping[str, Html]
"""Id of the element -> what stands in it."""


class JobWatch:
    """One job's page while it is open. Not for several threads at once."""

    def __init__(self, desk: Desk, job_id: str, *, clock: Clock = utc_now) -> None:
        """Nothing is read yet."""
        self._desk, self._id, self._clock = desk, job_id, clock
        self._tail: EventTail | None = None
        self._history = History()
        self._receipt: Html | None = None
        self.is_over = False

    def look(self) -> Parts:
        """All parts as they are now.

        Raises:
            NotFoundError: the job is not the caller's.
        """
        found = self._desk.get(self._id)
        status = self._desk.status(self._id)
        self.is_over = found.error is not None or bool(found.job and found.job.is_finished)
        parts: dict[str, Html] = {
            "head": pages.part("head", **job_view.head(self._desk, found)),
            "alerts": pages.part(
                "alerts", warnings=job_view.warnings(status), ending=job_view.ending(found, status)
            ),
            "said": pages.part("said", words=_said(found, status)),
        }
        if found.job is not None:
            parts |= self._of_job(found, status)
        return parts

    @property
    def history(self) -> History:
        """What its events told, as of the last look."""
        return self._history

    def _of_job(self, found: Submitted, status: TrainingStatus) -> dict[str, Html]:
        job = found.job
        assert job is not None
        folder = self._desk.service.folder(job)
        self._tail = self._tail or EventTail(folder.events)
        self._history.add(self._tail.read())
        standing = self._desk.service.standing(job) if job.is_rented else None
        log, now = self._desk.log(job.id), self._clock()
        return {
            "progress": pages.part(
                "progress",
                status=status,
                is_over=job.is_finished,
                outcome=job.outcome,
                left=duration(status.eta_seconds) if status.eta_seconds else "",
                figures=job_view.figures(job, status, self._history.total_steps, standing),
                machine=job_view.machine(standing, self._history.last_time),
            ),
            "curves": pages.part("curves", id=job.id, charts=job_view.pictures(self._history)),
            "money": pages.part(
                "money",
                money=job_view.costs(job, standing),
                callback=self._desk.service.callback_words(job).get(job.id, ""),
            ),
            "phases": pages.part("phases", segments=job_view.phases(job, log, self._history, now)),
            "events": pages.part("events", events=job_view.events(log, self._history)),
            "result": self._result(found),
        }

    def _result(self, found: Submitted) -> Html:
        """Answers and receipt of a completed job: made once, for a receipt is compared with its files."""
        job = found.job
        if job is None or not job_view.actions(self._desk, found)["download"]:
            return Html("")
        if self._receipt is None:
            artifact = self._desk.service.folder(job).artifact
            self._receipt = pages.part(
                "result",
                id=job.id,
                samples=job_view.samples(artifact),
                checked=job_view.receipt(self._desk, job),
            )
        return self._receipt


def _said(found: Submitted, status: TrainingStatus) -> str:
    """What a screen reader is told: the state, and every tenth percent."""
    word = states.state_of(found).word
    if found.job is None or found.job.is_finished:
        return word
    return f"{word}, {10 * int(status.progress // 10)} percent"


def job_messages(
    watch: JobWatch, desk: Desk, job_id: str, offset: int, *, elapsed: Monotonic = monotonic
) -> Iterator[Message | None]:
    """A job's stream: parts where they differ, lines of its log, and `end` once it is over.

    Args:
        watch: Of this stream alone.
        desk: The caller's.
        job_id: Of the caller.
        offset: Of the log, what the page shows already.
        elapsed: Time, for the stream's end.
    """
    shown: dict[str, str] = {}
    began = elapsed()
    due = began
    while elapsed() - began < LASTS_S:
        if elapsed() < due:
            yield None
            continue
        begun = elapsed()
        parts = watch.look()
        due = elapsed() + max(LOOK_S, PATIENCE * (elapsed() - begun))
        for name, html in parts.items():
            yield from _changed(shown, name, html, f"{offset}")
        job = desk.get(job_id).job
        if job is not None:
            path = desk.service.folder(job).log
            piece = logtail.after(path, offset, is_over=watch.is_over)
            while piece.offset != offset:
                offset = piece.offset
                yield f"{offset}", "log", piece.text
                piece = logtail.after(path, offset, is_over=watch.is_over)
        if watch.is_over:
            yield f"{offset}", "end", {}
            return
        yield None


def list_parts(desk: Desk, clock: Clock = utc_now, after: str | None = None) -> Parts:
    """The parts of the list of jobs."""
    listing = list_view.look(desk, clock(), after=after)
    return {
        "alerts": pages.part(
            "alerts", warnings=[("bad", words) for words in listing.leaks], ending={}
        ),
        "jobs": pages.part(
            "jobs",
            rows=listing.rows,
            following=listing.following,
            is_first=after is None,
            may_submit=desk.principal.may(Scope.SUBMIT),
        ),
    }


def list_messages(
    desk: Desk,
    *,
    after: str | None = None,
    clock: Clock = utc_now,
    elapsed: Monotonic = monotonic,
) -> Iterator[Message | None]:
    """The list's stream: its parts where they differ."""
    shown: dict[str, str] = {}
    began = elapsed()
    due = began
    while elapsed() - began < LASTS_S:
        if elapsed() >= due:
            begun = elapsed()
            parts = list_parts(desk, clock, after)
            due = elapsed() + max(LOOK_S, PATIENCE * (elapsed() - begun))
            for name, html in parts.items():
                yield from _changed(shown, name, html, "")
        yield None


def _changed(shown: dict[str, str], name: str, html: Html, told: str) -> Iterator[Message]:
    digest = pages.digest(html)
    if shown.get(name) != digest:
        shown[name] = digest
        yield told, "part", {"id": name, "digest": digest, "html": str(html)}
