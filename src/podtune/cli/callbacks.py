"""`podtune callbacks`: messages to applications. Each parses, calls one verb of the service, and renders."""

from typing import Annotated

import typer

from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.cli.following import open_service

callbacks = typer.Typer(
    name="callbacks",
    help="Callbacks: how they stand, sending one again, and the secret they are signed with.",
    no_args_is_help=True,
)

OutputOption = Annotated[Output, typer.Option("--output", help="For people or for programs.")]


@callbacks.callback()
def root() -> None:
    """Callbacks: how they stand, sending one again, and the secret they are signed with."""


@callbacks.command("list")
def list_(
    job: Annotated[
        str | None, typer.Argument(metavar="JOB", help="A job; without one, the last of all.")
    ] = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """List callbacks, the newest first: delivered, waiting and why, or given up."""
    from podtune.app import callbacks as messages

    found = open_service().callbacks(*([job] if job else []))
    if output is Output.JSON:
        print_json([messages.to_json(one) for one in found])
        return
    if not found:
        err().print("no callbacks: one is written when a job with deliver.callback_url ends")
    for one in found:
        print_line(out(), f"[bold]{plain(one.id)}[/]  {plain(messages.words(one))}")


@callbacks.command()
def send(
    job: Annotated[
        str, typer.Argument(metavar="JOB", help="A job's id, the beginning of it, or `last`.")
    ],
    output: OutputOption = Output.HUMAN,
) -> None:
    """Send a job's last callback again, under the same id."""
    from podtune.app import callbacks as messages

    sent = open_service().send_callback(job)
    if output is Output.JSON:
        print_json(messages.to_json(sent))
    else:
        print_line(out(), f"[bold]{plain(sent.id)}[/]  {plain(messages.words(sent))}")
    if sent.delivered_at is None:
        raise typer.Exit(1)


@callbacks.command()
def secret(
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", help="Of jobs that came by this tenant's keys: its own secret."),
    ] = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Print the secret that receivers check signatures with; of two, either will do."""
    from podtune.app import callbacks as messages
    from podtune.app import settings

    home = settings.load().settings.home
    if tenant is not None:
        _refuse_unknown(tenant)
    found = [one.get_secret_value() for one in messages.secrets(home, tenant)]
    if output is Output.JSON:
        print_json({"secrets": found})
        return
    print("\n".join(found))  # noqa: T201 - the renderer


def _refuse_unknown(tenant: str) -> None:
    """Raise where no key is a tenant's: its secret would sign nothing.

    Raises:
        NotFoundError: code `no_such_tenant`.
    """
    from podtune.app.keys import Keys
    from podtune.core.errors import NotFoundError

    known = {key.tenant for key in Keys(open_service().store()).list()}
    if tenant not in known:
        raise NotFoundError(
            f"no key is of tenant {tenant[:60]!r}",
            code="no_such_tenant",
            hint="`podtune keys list` says whose tenant a key is",
        )
