"""A running job on the screen: a bar for each piece of work, live figures, and the end."""

from collections.abc import Callable, Iterable
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
)
from rich.progress import Task as BarTask
from rich.text import Text

from podtune.app.eight_steps import StepTold
from podtune.app.standing import Standing
from podtune.cli.console import plain
from podtune.core.events import EventKind, TrainingEvent
from podtune.core.progress import Folded, fold
from podtune.core.states import WorkerStage
from podtune.core.units import gib
from podtune.workflow.store import LogEntry

BLOCKS: Final = "▁▂▃▄▅▆▇█"
STAGE_NAMES: Final = {
    WorkerStage.SAVING: "save adapter",
    WorkerStage.PROVING: "prove in a fresh process",
}

MACHINE: Final = "machine"
COST: Final = "rented"
"""Bars of a rented machine: what it does, and what it is busy with and costs."""

NAME_WIDTH: Final = 24
"""Columns of a bar's name: `prove in a fresh process`."""

UNTOLD: Final = ("submitted", "started", "data is as planned", "order written")
"""Steps of the workflow that nobody waits for."""


def sparkline(values: list[float], width: int = 24) -> str:
    """A curve in one line of blocks; the values are averaged into `width` buckets.

    >>> sparkline([4, 3, 2, 1], width=4)
    '█▆▃▁'
    """
    if not values:
        return ""
    buckets = (
        [
            values[
                i * len(values) // width : max(
                    i * len(values) // width + 1, (i + 1) * len(values) // width
                )
            ]
            for i in range(min(width, len(values)))
        ]
        if len(values) > width
        else [[v] for v in values]
    )
    means = [sum(b) / len(b) for b in buckets]
    low, high = min(means), max(means)
    span = (high - low) or 1.0
    return "".join(BLOCKS[round((m - low) / span * (len(BLOCKS) - 1))] for m in means)


class _Figures(ProgressColumn):
    """What a task says of itself in one line: counts, bytes, or loss and speed."""

    def render(self, task: BarTask) -> Text:
        shown = Text.from_markup(str(task.fields.get("figures", "")), overflow="ellipsis")
        shown.no_wrap = True
        return shown


class Watcher:
    """Draws events as they come: bars on a terminal, plain lines elsewhere.

    A line of the live view never wraps: it would move all below it.
    """

    def __init__(self, console: Console) -> None:
        """Starts with nothing on the screen; use as a context manager."""
        self._console = console
        self._live = console.is_terminal
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn(f"{{task.description:<{NAME_WIDTH}}}"),
            BarColumn(
                bar_width=_bar_width(console.width),
                complete_style="cyan",
                finished_style="green",
            ),
            _Figures(),
            console=console,
            transient=False,
        )
        self._tasks: dict[str, TaskID] = {}
        self._folded = Folded()
        self._said: set[str] = set()

    def __enter__(self) -> "Watcher":
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._progress.stop()

    def show(self, event: TrainingEvent) -> None:
        """Take one event in."""
        before = self._folded
        self._folded = fold([event], before)
        if before.attempt and event.attempt != before.attempt:
            self._line(f"attempt-{event.attempt}", f"attempt {event.attempt}")
        if event.kind is EventKind.STAGE:
            self._finish_stages()
            if event.stage in STAGE_NAMES:
                self._bar(STAGE_NAMES[event.stage], 0, None, "")
        elif event.kind is EventKind.TASK and event.task:
            task = event.task
            self._bar(task.name, task.done, task.total, _amount(task.done, task.total, task.unit))
        elif event.kind in (EventKind.STEP, EventKind.EVALUATION):
            self._bar("train", self._folded.step, self._folded.total_steps, self._training())
        elif event.kind is EventKind.CHECKPOINT and event.message == "resumed":
            self._line(f"resumed-{event.attempt}", f"resumed from step {event.step}")
        elif event.kind is EventKind.WARNING and event.message:
            self._line(event.message, f"[yellow]note[/] {plain(event.message)}")
        elif event.result is not None:
            self._finish_stages(failed=not event.result.ok)

    def tell(self, entry: LogEntry) -> None:
        """A line of what the workflow did."""
        if entry.message not in UNTOLD:
            time = f"{entry.time.astimezone():%H:%M:%S}"
            self._line(f"{entry.time}-{entry.message}", f"[dim]{time}[/] {plain(entry.message)}")

    def stand(self, standing: Standing) -> None:
        """What a rented machine does and costs; between trainings there is nothing else to see."""
        leak = standing.leak()
        if leak:
            self._line("leak", f"[bold red]{plain(leak)}[/]")
        for text in standing.amiss:
            self._line(text, f"[bold red]{plain(text)}[/]")
        doing, view = standing.doing(), standing.view
        counted = view if view and doing.startswith(f"{view.detail}:") else None
        done, total = (counted.done_bytes, counted.total_bytes) if counted else (0, None)
        if not self._live:
            part = int(10 * done / total) if total else 0
            told = doing.rpartition(":")[0] if total else doing
            if doing:
                self._line(f"doing-{standing.job.attempt}-{told}-{part}", plain(doing))
            return
        busy = doing or standing.load()
        if busy:
            self._bar(MACHINE, done, total, plain(busy))
        elif MACHINE in self._tasks:
            self._progress.remove_task(self._tasks.pop(MACHINE))
        hint = standing.hint(self._folded.last_time)
        if hint:
            self._line(f"hint-{hint}", f"[dim]{plain(hint)}[/]")
        told = "  ".join(part for part in (leak, standing.money(), standing.forecast()) if part)
        self._bar(COST, float(standing.spent), float(standing.ceiling), plain(told))

    def _training(self) -> str:
        """Figures of the training in one line; the curve only where there is room for it."""
        folded = self._folded
        metrics = folded.metrics
        parts = [f"{folded.step}/{folded.total_steps}"]
        if metrics.training_loss is not None:
            parts.append(f"loss [bold]{metrics.training_loss:.3f}[/]")
        roomy = not self._live or self._console.width >= 100
        if metrics.validation_loss is not None and roomy:
            parts.append(f"held-out {metrics.validation_loss:.3f}")
        if metrics.throughput:
            unit = "tokens/s" if roomy else "tok/s"
            parts.append(f"{metrics.throughput:.0f} {unit}")
        eta = folded.eta_seconds()
        if eta:
            parts.append(f"{_clock(eta)} left")
        if self._console.width >= 120:
            parts.append(f"[cyan]{sparkline([loss for _, loss in folded.losses], 12)}[/]")
        return "  ".join(parts)

    def _bar(self, name: str, done: float, total: float | None, figures: str) -> None:
        if not self._live:
            self._plain(name, done, total, figures)
            return
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, figures=figures)
        if total is None:  # a bar that was full begins anew
            self._progress.reset(self._tasks[name], total=None)
        self._progress.update(self._tasks[name], completed=done, total=total, figures=figures)

    def _plain(self, name: str, done: float, total: float | None, figures: str) -> None:
        """Without a terminal: the first, every tenth part, and the last."""
        part = int(10 * done / total) if total else 0
        text = Text.from_markup(figures).plain
        self._line(f"{self._folded.attempt}-{name}-{part}", plain(f"{name}: {text}".rstrip(": ")))

    def _finish_stages(self, *, failed: bool = False) -> None:
        if not self._live:
            return
        for name in STAGE_NAMES.values():
            if name in self._tasks and not failed:
                self._progress.update(self._tasks[name], completed=1, total=1)

    def _line(self, key: str, text: str) -> None:
        if key not in self._said:
            self._said.add(key)
            self._console.print(text, soft_wrap=True)


def watch(
    console: Console,
    seen: Iterable[TrainingEvent | LogEntry | Standing | StepTold],
    on_step: Callable[[StepTold], None] | None = None,
) -> None:
    """Draw what is seen of a job until it ends; its steps, where they are told, by `on_step`."""
    with Watcher(console) as watcher:
        for one in seen:
            if isinstance(one, StepTold):
                if on_step is not None:
                    on_step(one)
            elif isinstance(one, TrainingEvent):
                watcher.show(one)
            elif isinstance(one, LogEntry):
                watcher.tell(one)
            else:
                watcher.stand(one)


def _bar_width(columns: int) -> int:
    """Columns of a bar, by those of the terminal."""
    return 24 if columns >= 140 else 12 if columns >= 100 else 6


def _clock(seconds: float) -> str:
    """Time left: minutes and seconds, or hours and minutes.

    >>> _clock(74), _clock(4980)
    ('1:14', '1 h 23')
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d}"


def _amount(done: float, total: float | None, unit: str) -> str:
    if not unit:
        return ""
    if unit == "bytes":
        return f"{gib(done)} of {gib(total)}" if total else gib(done)
    return f"{done:.0f}/{total:.0f} {unit}" if total else f"{done:.0f} {unit}"
