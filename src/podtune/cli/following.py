"""What several commands do with a job: reach the service, watch the job to its end, or leave it."""

from typing import TYPE_CHECKING

import typer

from podtune.cli.console import (
    Output,
    err,
    out,
    plain,
    print_json,
    print_json_line,
    print_line,
)

if TYPE_CHECKING:
    from podtune.app.service import Service
    from podtune.cli.steps_view import Steps
    from podtune.core.job import Job


def open_service() -> "Service":
    """The verbs on the home that the settings name."""
    from podtune.app import settings
    from podtune.app.service import Service

    return Service(settings.load().settings)


def watch_to_end(
    service: "Service", job: "Job", output: Output, steps: "Steps | None" = None
) -> None:
    """Watch a job to its end and show how it ended; told with its steps, JSON is a line each."""
    from podtune.app import delivered
    from podtune.cli import job_view
    from podtune.core.errors import failure_of
    from podtune.core.states import Outcome

    try:
        _draw(service, job, output, steps)
        ended = service.wait(job.id)
    except KeyboardInterrupt:
        _say_left(service, job)
        raise typer.Exit(130) from None
    called = service.callback_words(ended).get(ended.id)
    if ended.outcome is not Outcome.COMPLETED:
        if called and output is Output.HUMAN:
            err().print(f"[dim]callback {plain(called)}[/]", soft_wrap=True)
        raise failure_of(
            ended.error_code or "training_failed",
            f"job {ended.id} {ended.outcome}: {ended.error_message}",
            (ended.advice or "").replace("JOB", ended.id) or None,
        )
    standing = service.standing(ended) if ended.is_rented else None
    if ended.error_code is not None and delivered.read(service.folder(ended).path) is None:
        raise failure_of(
            ended.error_code,
            f"job {ended.id} is completed, and {ended.error_message}",
            (ended.advice or "").replace("JOB", ended.id) or None,
        )
    if output is Output.JSON:
        there = delivered.read(service.folder(ended).path)
        told = (
            job_view.job_json(ended, standing)
            | {"artifact": str(service.folder(ended).artifact)}
            | {"delivered": there.model_dump(mode="json") if there else None}
        )
        print_json(told) if steps is None else print_json_line({"result": told})
        return
    artifact = service.folder(ended).artifact
    job_view.render_end(out(), ended, service.folded(ended), artifact, standing, called)


def _draw(service: "Service", job: "Job", output: Output, steps: "Steps | None") -> None:
    """What is seen of a job until it has ended; for programs only its steps, where they are told."""
    from podtune.app import eight_steps
    from podtune.cli import watch_view

    if output is Output.JSON:
        if steps is not None:
            steps.tell_all(eight_steps.follow(service, job))
        return
    if not job.is_rented:
        say_amiss(service)
    for other in service.before(job):
        err().print(f"[dim]waits for {other.id}; podtune watch {other.id}[/]")
    if steps is None:
        watch_view.watch(err(), service.follow(job.id))
    else:
        watch_view.watch(steps.console, eight_steps.follow(service, job), steps.tell)


def _say_left(service: "Service", job: "Job") -> None:
    """What a user reads who stops watching: a rented job costs on."""
    err().print("\n[dim]detached; the job goes on[/]")
    if job.is_rented:
        told = plain(service.standing(service.job(job.id)).money())
        err().print(f"[bold]cost[/]  {told}; podtune cancel {job.id} ends it", soft_wrap=True)
    err().print(f"[bold]next[/]  podtune watch {job.id}")


def say_amiss(service: "Service") -> None:
    """Say what is amiss with the rented account, where no job's own lines do."""
    for text in service.amiss():
        print_line(err(), f"[bold red]{plain(text)}[/]")


def say_leaks(service: "Service") -> None:
    """Say before new money is spent which machines may still cost some."""
    for leak in service.leak_risks():
        print_line(err(), f"[bold red]{plain(leak.words)}[/]")


def say_detached(job: "Job", output: Output, steps: "Steps | None" = None) -> None:
    """What a command says that starts a job and leaves it."""
    from podtune.cli.job_view import job_json

    if output is Output.JSON:
        told = job_json(job)
        print_json(told) if steps is None else print_json_line({"result": told})
    else:
        err().print(f"[bold]next[/]  podtune watch {job.id}")
