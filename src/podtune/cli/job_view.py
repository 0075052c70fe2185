"""Jobs on the screen: the list, one job's state, and how it ended."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from podtune.app import delivered
from podtune.app.standing import Standing
from podtune.cli.console import plain
from podtune.cli.watch_view import sparkline
from podtune.core.artifact import METRICS, SAMPLES, Sample
from podtune.core.clock import utc_now
from podtune.core.job import Job
from podtune.core.progress import Folded
from podtune.core.states import Outcome
from podtune.core.units import count, duration, gib
from podtune.core.wire import TrainingStatus
from podtune.planning.price import money

_WIDE: Final = 100
"""Columns of a terminal from which on a list of jobs shows whole times and the attempt."""

_WIDEST: Final = 120
"""The same for what the plan expected it to cost."""

COLOURS = {
    Outcome.COMPLETED: "green",
    Outcome.FAILED: "red",
    Outcome.CANCELLED: "yellow",
    Outcome.TIMED_OUT: "yellow",
}


def job_json(job: Job, standing: Standing | None = None) -> dict[str, Any]:
    """A job for machines, without its plan; `standing` is of a rented one, and gives its money."""
    body = job.model_dump(mode="json", exclude={"plan"})
    return body | dict(standing.figures()) if standing else body


def state_of(job: Job) -> str:
    """A job's outcome or phase, coloured."""
    if job.outcome and job.is_finished:
        return f"[{COLOURS[job.outcome]}]{job.outcome}[/]"
    return "[yellow]going on[/]" if job.recovering else f"[cyan]{job.phase}[/]"


def render_jobs(
    console: Console,
    jobs: Sequence[Job],
    standings: Mapping[str, Standing] | None = None,
    callbacks: Mapping[str, str] | None = None,
) -> None:
    """The list of jobs; `standings` are of the rented ones, `callbacks` say which were not taken."""
    rented = standings or {}
    is_wide = console.width >= _WIDE
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    rows = [_listed(job, rented.get(job.id), is_wide=is_wide) for job in jobs]
    for heading in rows[0] if rows else ("job",):
        if heading == "quote" and console.width < _WIDEST:
            continue
        if heading not in ("cost", "quote") or rented:
            table.add_column(heading, no_wrap=heading != "what")
    for cells in rows:
        table.add_row(*[cells[str(column.header)] for column in table.columns])
    console.print(table)
    for name, standing in rented.items():
        leak, excess = standing.leak(), standing.excess()
        if leak:
            console.print(f"[bold red]{name}: {plain(leak)}[/]", soft_wrap=True)
        if excess:
            console.print(f"[yellow]{name}: {plain(excess)}[/]", soft_wrap=True)
    for name, told in (callbacks or {}).items():
        console.print(f"[yellow]{name}: callback {plain(told)}[/]", soft_wrap=True)


def _listed(job: Job, standing: Standing | None, *, is_wide: bool) -> dict[str, str]:
    """A job's cells under their headings; a narrow terminal gets what matters."""
    took = (job.finished_at or utc_now()) - (job.started_at or job.created_at)
    cost, quote = (standing.cost(), _quote(standing)) if standing else ("", "")
    begun = job.created_at.astimezone()
    return {
        "job": f"[bold]{job.id}[/]",
        "state": state_of(job),
        "what": plain(job.title),
        **({"attempt": str(job.attempt)} if is_wide else {}),
        "begun": f"{begun:%Y-%m-%d %H:%M}" if is_wide else f"{begun:%m-%d %H:%M}",
        "took": duration(took.total_seconds()),
        "cost": plain(cost),
        "quote": plain(quote),
    }


def _quote(standing: Standing) -> str:
    """What the plan expected, and once it is known, by how much it was off."""
    error = standing.quote_error
    return money(standing.quote) + (f", {100 * error:+,.0f} %" if error is not None else "")


def render_status(
    console: Console,
    job: Job,
    status: TrainingStatus,
    folded: Folded,
    standing: Standing | None = None,
    callback: str | None = None,
) -> None:
    """One job's state; `standing` is of a rented one, `callback` says how its callback stands."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("job", f"[bold]{job.id}[/]  {plain(job.title)}")
    table.add_row("state", f"{state_of(job)}, {status.progress:.0f} %, {status.phase}")
    if folded.total_steps:
        table.add_row("step", f"{folded.step} of {folded.total_steps}, epoch {folded.epoch:.2f}")
    metrics = folded.metrics
    if metrics.training_loss is not None:
        curve = sparkline([loss for _, loss in folded.losses])
        table.add_row("loss", f"{metrics.training_loss:.3f}  [cyan]{curve}[/]")
    if metrics.validation_loss is not None:
        table.add_row("held-out", f"{metrics.validation_loss:.3f}")
    if metrics.throughput and not job.is_finished:
        left = f", {duration(status.eta_seconds)} left" if status.eta_seconds else ""
        table.add_row("speed", f"{metrics.throughput:.0f} tokens/s{left}")
    for name, text in _rented_rows(standing, folded) if standing else ():
        table.add_row(name, text)
    if job.error_message:
        name, colour = ("lost", "yellow") if job.recovering else ("error", "red")
        told = f"[{colour}]{plain(job.error_message)}[/] [dim]({job.error_code})[/]"
        table.add_row(name, told)
    if job.advice and not job.recovering:
        table.add_row("next", plain(job.advice.replace("JOB", job.id)))
    if job.proof:
        table.add_row("gone", f"{plain(job.proof.method)}, {job.proof.absent_at:%H:%M:%S} UTC")
    if callback:
        table.add_row("callback", plain(callback))
    console.print(table)


def _rented_rows(standing: Standing, folded: Folded) -> Iterator[tuple[str, str]]:
    """What a rented job costs and what its machine does."""
    leak, load, doing = standing.leak(), standing.load(), standing.doing()
    yield "cost", plain(standing.money())
    yield "quote", plain(standing.quoted())
    bill, excess = standing.bill(), standing.excess()
    if bill:
        yield "bill", plain(bill)
    if excess:
        yield "", f"[yellow]{plain(excess)}[/]"
    for text in filter(None, (leak, *standing.amiss)):
        yield "warning", f"[bold red]{plain(text)}[/]"
    if standing.job.is_finished:
        return
    shortfall = standing.shortfall()
    if shortfall:
        yield "", f"[yellow]{plain(shortfall)}[/]"
    if standing.is_billed:
        yield "reserved", f"{money(standing.reserved)} of the ceiling, until the machine is gone"
    hint = standing.hint(folded.last_time)
    told = [part for part in (doing, load, hint) if part]
    if standing.job.instance_id:
        told.append(f"pod {standing.job.instance_id}")
    if told:
        yield "machine", plain("; ".join(told))
    if standing.job.deadline:
        yield "ends by", f"{standing.job.deadline.astimezone():%Y-%m-%d %H:%M}, whatever happens"


def render_end(
    console: Console,
    job: Job,
    folded: Folded,
    artifact: Path,
    standing: Standing | None = None,
    callback: str | None = None,
) -> None:
    """The last screen of a completed job: figures, answers before and after, what to do next."""
    facts = folded.facts
    samples = read_samples(artifact)
    if samples:
        console.print(_answers(samples))
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold cyan", no_wrap=True)
    table.add_column(overflow="fold")  # a path is whole, or of no use
    curve = sparkline([loss for _, loss in folded.losses])
    if "final_loss" in facts:
        told = f"{facts['first_loss']:.3f} -> [bold]{facts['final_loss']:.3f}[/]"
        table.add_row("loss", f"{told}  [cyan]{curve}[/]")
    if facts.get("final_validation_loss") is not None:
        table.add_row(
            "held-out",
            f"{facts['first_validation_loss']:.3f} -> [bold]{facts['final_validation_loss']:.3f}[/]"
            f"{_risen(artifact, facts['final_validation_loss'])}",
        )
    if "steps" in facts:
        table.add_row("training", _took(facts, job))
    table.add_row("proof", "a fresh process loaded the adapter: it changes the model, as trained")
    if standing is not None:
        table.add_row("cost", f"{plain(standing.money())}; the machine is gone, and proved to be")
        table.add_row("quote", plain(standing.quoted()))
    table.add_row("artifact", plain(str(artifact)))
    there = delivered.read(artifact.parent)
    if there is not None:
        table.add_row("delivered", plain(there.link or there.uri))
    if callback:
        table.add_row("callback", plain(callback))
    table.add_row("receipt", f"signed; podtune receipt {job.id} --verify")
    console.print(
        Panel(table, title="[bold green]done[/]", title_align="left", border_style="green")
    )
    console.print(f"[bold]next[/]  podtune chat {job.id}")


def settlement(standing: Standing) -> Iterator[str]:
    """What a rented job cost in the end: its receipt was signed before its bill was known."""
    yield f"[bold]cost[/]   {plain(standing.cost())}"
    yield f"[bold]quote[/]  {plain(standing.quoted())}"
    if standing.bill():
        yield f"[bold]bill[/]   {plain(standing.bill())}"
    excess = standing.excess()
    if excess:
        yield f"[yellow]{plain(excess)}[/]"


def _took(facts: Mapping[str, Any], job: Job) -> str:
    return (
        f"{facts['steps']} steps in {duration(facts['train_seconds'])}, "
        f"{count(facts['tokens_processed'])} tokens, {facts['tokens_per_second']:.0f} tokens/s, "
        f"peak {gib(facts['peak_memory_bytes'] or 0)} (planned {gib(job.plan.memory.total)})"
    )


def _risen(artifact: Path, final: float) -> str:
    """A word when the held-out loss was clearly lower before the end."""
    path = artifact / METRICS
    entries = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    held = [(e["eval_loss"], e["step"], e["epoch"]) for e in entries if "eval_loss" in e]
    low, step, epoch = min(held, default=(final, 0, 0.0))
    if final <= low * 1.05:
        return ""
    return (
        f"  [yellow]lowest {low:.3f} at step {step}, rising since: "
        f"--epochs {max(1, round(epoch))} would do[/]"
    )


def read_samples(artifact: Path) -> list[Sample]:
    """The before/after samples of an artifact; empty when there are none."""
    path = artifact / SAMPLES
    if not path.is_file():
        return []
    return [Sample.model_validate(s) for s in json.loads(path.read_text(encoding="utf-8"))]


def _answers(samples: Sequence[Sample]) -> Table:
    table = Table(title="held-out questions, never trained on", title_style="bold", show_lines=True)
    table.add_column("question", style="bold", ratio=3, overflow="fold")
    table.add_column("before", style="dim", ratio=4, overflow="fold")
    table.add_column("after", style="green", ratio=4, overflow="fold")
    for sample in samples:
        table.add_row(
            plain(sample.question), plain(shorten(sample.before)), plain(shorten(sample.after))
        )
    return table


def shorten(text: str, limit: int = 150) -> str:
    """One paragraph, cut at a word with an ellipsis.

    >>> shorten("a long answer", 8)
    'a long …'
    """
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[:limit].rsplit(" ", 1)[0] + " …"
