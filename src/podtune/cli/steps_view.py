"""The eight steps of a request in words, one line as each begins and ends, or one JSON line."""

from collections.abc import Iterable
from typing import Final

from podtune.app.eight_steps import Step, StepState, StepTold, begins, ends
from podtune.app.standing import Standing
from podtune.cli.console import Output, err, plain, print_json_line
from podtune.core.events import EventKind, TrainingEvent
from podtune.workflow.store import LogEntry

_MARKS: Final = {
    StepState.BEGINS: "[cyan]>[/]",
    StepState.ENDS: "[green]✓[/]",
    StepState.FAILED: "[red]✗[/]",
}


class Steps:
    """Tells steps, for people on stderr, for programs on stdout."""

    def __init__(self, output: Output) -> None:
        """Nothing is told yet."""
        self.console = err()
        self._output = output
        self._last_tenth = -1

    def tell(self, told: StepTold) -> None:
        """One step, as it begins, ends or failed."""
        if self._output is Output.JSON:
            print_json_line(told.to_json())
            return
        step = told.step
        name = step.value.replace("_", " ")
        line = f"{_MARKS[told.state]} [bold]{step.number}/8[/] {name:<9} {told.state.value}"
        detail = f"  [dim]{plain(told.detail)}[/]" if told.detail else ""
        self.console.print(line + detail, soft_wrap=True)

    def begin(self, step: Step, detail: str = "") -> None:
        """A step begins now."""
        self.tell(begins(step, detail))

    def end(self, step: Step, detail: str = "") -> None:
        """A step ends now."""
        self.tell(ends(step, detail))

    def tell_all(self, seen: Iterable[StepTold | TrainingEvent | LogEntry | Standing]) -> None:
        """For programs: every step, and every tenth of the training."""
        for one in seen:
            if isinstance(one, StepTold):
                self.tell(one)
            elif isinstance(one, TrainingEvent):
                self._tell_training(one)

    def _tell_training(self, event: TrainingEvent) -> None:
        if event.kind is not EventKind.STEP or not event.step or not event.total_steps:
            return
        tenth = 10 * event.step // event.total_steps
        if tenth == self._last_tenth:
            return
        self._last_tenth = tenth
        loss = event.metrics.training_loss if event.metrics else None
        print_json_line(
            {
                "step": Step.MONITOR.value,
                "number": Step.MONITOR.number,
                "state": "goes_on",
                "time": event.time.isoformat(),
                "detail": None,
                "optimizer_step": event.step,
                "optimizer_steps": event.total_steps,
                "training_loss": loss,
            }
        )
