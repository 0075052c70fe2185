"""What several commands do with a job: reach the service, watch the job to its end, or leave it."""

from typing import TYPE_CHECKING

import typer

from podtune.cli.console import Output, err, out, print_json

if TYPE_CHECKING:
    from podtune.app.service import Service
    from podtune.core.job import Job


def open_service() -> "Service":
    """The verbs on the home that the settings name."""
    from podtune.app import settings
    from podtune.app.service import Service

    return Service(settings.load().settings)


def watch_to_end(service: "Service", job: "Job", output: Output) -> None:
    """Watch a job to its end and show how it ended."""
    from podtune.app import delivered
    from podtune.cli import job_view, watch_view
    from podtune.core.errors import failure_of
    from podtune.core.states import Outcome

    try:
        if output is Output.HUMAN:
            for other in service.before(job):
                err().print(f"[dim]waits for {other.id}; podtune watch {other.id}[/]")
            watch_view.watch(err(), service.follow(job.id))
        ended = service.wait(job.id)
    except KeyboardInterrupt:
        err().print(f"\n[dim]detached; the job goes on[/]\n[bold]next[/]  podtune watch {job.id}")
        raise typer.Exit(130) from None
    if ended.outcome is not Outcome.COMPLETED:
        raise failure_of(
            ended.error_code or "training_failed",
            f"job {ended.id} {ended.outcome}: {ended.error_message}",
            (ended.advice or "").replace("JOB", ended.id) or None,
        )
    if output is Output.JSON:
        there = delivered.read(service.folder(ended).path)
        print_json(
            job_view.job_json(ended, service.money([ended]).get(ended.id))
            | {"artifact": str(service.folder(ended).artifact)}
            | {"delivered": there.model_dump(mode="json") if there else None}
        )
        return
    standing = service.standing(ended) if ended.is_rented else None
    artifact = service.folder(ended).artifact
    job_view.render_end(out(), ended, service.folded(ended), artifact, standing)


def say_detached(job: "Job", output: Output) -> None:
    """What a command says that starts a job and leaves it."""
    from podtune.cli.job_view import job_json

    if output is Output.JSON:
        print_json(job_json(job))
    else:
        err().print(f"[bold]next[/]  podtune watch {job.id}")
