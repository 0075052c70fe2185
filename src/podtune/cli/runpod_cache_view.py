"""What `podtune runpod cache` shows: the plan, progress, and where the model is."""

from typing import TYPE_CHECKING, Final

from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.core.units import duration, gib
from podtune.planning.cache_size import GB

if TYPE_CHECKING:
    from podtune.app.model_cache import CachePlan, CacheResult
    from podtune.core.cache_filling import FillProgress

_SHOWN_EVERY: Final = 0.05
"""Progress is told in a pipe whenever so much of the model came."""


def say(text: str) -> None:
    """One step, as a sentence to stderr."""
    print_line(err(), plain(text))


class Meter:
    """Tells progress, a line for every twentieth of the model."""

    def __init__(self) -> None:
        self._told = -1

    def tell(self, progress: "FillProgress") -> None:
        """Hear how far it is."""
        if not progress.total_bytes:
            return
        part = progress.done_bytes / progress.total_bytes
        step = int(part / _SHOWN_EVERY)
        if step <= self._told:
            return
        self._told = step
        print_line(
            err(),
            f"[dim]{part:4.0%}[/] {gib(progress.done_bytes)} of {gib(progress.total_bytes)}, "
            f"{progress.done_files} files compared",
        )


def words(plan: "CachePlan") -> str:
    """What is agreed to, in one sentence."""
    volume = plan.volume
    what = {"make": "make", "grow": "grow", "keep": "use"}[volume.action]
    told = (
        f"{what} volume {plain(volume.name)} ({volume.size_gb} GB, ${volume.usd_per_month} a month)"
    )
    if not plan.machines:
        return told
    return (
        f"{told} and rent {plain(plan.machines[0].name)} for about ${plan.machine_usd_p50}, "
        f"never over ${plan.machine_usd_most}"
    )


def show_plan(plan: "CachePlan", output: Output) -> None:
    """A plan for people or for programs."""
    if output is Output.JSON:
        print_json(plan.model_dump(mode="json"))
        return
    render_plan(plan)


def render_plan(plan: "CachePlan") -> None:
    """The plan to stdout, what somebody should know of it to stderr."""
    console, aside, volume = out(), err(), plan.volume
    size = f"{plan.total_bytes / GB:.1f} GB in {plan.files} files, {plan.weight_files} of weights"
    rows = [
        ("model", f"{plain(plan.model)} at {plan.commit[:12]}: {size}"),
        ("volume", f"{plain(volume.name)} in {plain(volume.data_center)}: {_volume(plan)}"),
        ("data centre", plain(volume.why_here)),
        ("folder", f"{plain(plan.folder)} (on a pod /workspace/models)"),
    ]
    if plan.machines:
        first = plan.machines[0]
        card = "" if first.has_gpu else ", no card"
        more = f", or one of {len(plan.machines) - 1} others" if len(plan.machines) > 1 else ""
        rows += [
            ("machine", f"{plain(first.name)}{card}, ${first.usd_per_hour:.3f}/h{more}"),
            (
                "download",
                f"about {plan.minutes_p50:.0f} min, p90 {plan.minutes_p90:.0f} min: about "
                f"${plan.machine_usd_p50}, never over ${plan.machine_usd_most} "
                f"({plan.hours_most:.1f} h)",
            ),
        ]
    for name, told in rows:
        print_line(console, f"[bold]{name:<12}[/] {told}")
    if plan.is_filled:
        print_line(
            aside,
            "[green]filled[/] from here before: nothing is rented; --check looks on the volume",
        )
    for notice in plan.notices:
        print_line(aside, f"[yellow]{plain(notice)}[/]")


def _volume(plan: "CachePlan") -> str:
    volume = plan.volume
    cost = f"${volume.usd_per_month} a month until it is deleted"
    if volume.action == "make":
        return f"made, {volume.size_gb} GB, {cost}"
    if volume.action == "grow":
        return f"there ({volume.id}), grown from {volume.present_gb} to {volume.size_gb} GB, {cost}"
    return f"there ({volume.id}), {volume.size_gb} GB, {cost}"


def render_result(result: "CacheResult") -> None:
    """Where the model is: data to stdout, the rest to stderr."""
    aside = err()
    if result.machine:
        print_line(
            aside,
            f"[green]filled[/] in {duration(result.seconds)} by {plain(result.machine)}, "
            f"${result.machine_usd} by our meter; the machine is gone",
        )
    print_line(
        out(),
        f"volume {plain(result.volume_id)} ({plain(result.volume_name)}) in "
        f"{plain(result.data_center)}: {plain(result.folder)}",
    )
    print_line(aside, f"[bold]next[/]  podtune runpod deploy --volume {plain(result.volume_id)}")
