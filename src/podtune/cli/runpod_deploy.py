"""`podtune runpod deploy`, `verify`, `undeploy`: each parses, calls, renders."""

import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from podtune.cli.console import Output
from podtune.core.errors import SpecError

OutputOption = Annotated[Output, typer.Option("--output", help="For people or for programs.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def deploy(  # noqa: PLR0913 - a command's parameters are its options
    image: Annotated[str, typer.Option("--image", help="The worker's image, with its release.")],
    name: Annotated[
        str,
        typer.Option(
            "--name",
            help="Of the endpoint and of its template; specification B's own is brightrun-lora-trainer.",
        ),
    ] = "podtune-lora-trainer",
    gpu: Annotated[
        list[str] | None,
        typer.Option(
            "--gpu",
            metavar="CARD",
            help="Cards that workers may have, several times for several; A100 80GB, else H100.",
        ),
    ] = None,
    volume: Annotated[
        str | None,
        typer.Option("--volume", metavar="ID|NAME", help="Network volume with the base model."),
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Data centre; the volume's where there is one.")
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="Base model: its folder on the volume.")
    ] = "Qwen3-Next-80B-A3B-Instruct",
    workers_min: Annotated[
        int,
        typer.Option("--workers-min", min=0, max=100, help="Workers that always run, and bill."),
    ] = 0,
    workers_max: Annotated[
        int, typer.Option("--workers-max", min=1, max=100, help="Never more workers than these.")
    ] = 2,
    idle_timeout: Annotated[
        int,
        typer.Option(
            "--idle-timeout", min=1, max=3600, help="Seconds a worker waits for another job."
        ),
    ] = 60,
    timeout: Annotated[
        int, typer.Option("--timeout", min=5, max=604_800, help="Seconds a job may run: 12 hours.")
    ] = 43_200,
    ttl: Annotated[
        int | None,
        typer.Option(
            "--ttl",
            min=10,
            max=604_800,
            help="Seconds a job may live from its submission, the queue included; the timeout and 12 hours.",
        ),
    ] = None,
    disk: Annotated[
        int, typer.Option("--disk", min=1, max=4096, help="GB of a container's own disk.")
    ] = 20,
    registry_auth: Annotated[
        str | None,
        typer.Option(
            "--registry-auth", metavar="ID", help="Stored credentials of a private image."
        ),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option("--env", metavar="K=V", help="Further variables of workers; no secrets."),
    ] = None,
    with_service_key: Annotated[
        bool,
        typer.Option(
            "--with-service-key",
            help="Hand SUPABASE_SERVICE_ROLE_KEY to workers; it opens everything.",
        ),
    ] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt", help="Take over what has the name and podtune did not make.")
    ] = False,
    write_env: Annotated[
        Path | None,
        typer.Option("--write-env", metavar="FILE", help="Put the two variables into .env.local."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would change.")
    ] = False,
    yes: YesOption = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Make or update a serverless endpoint that trains: credentials, template, endpoint.

    Idempotent by name: what is as wished is not written again. Shows what changes and what it costs, then
    asks. Ends with the application's two variables, whose address is the gateway's (PODTUNE_GATEWAY_URL).
    """
    from podtune.app import deploy as deploying
    from podtune.app import deploy_apply, deploy_wish, endpoint_health, env_block, settings
    from podtune.app.deploying import client_of, gateway_of, here
    from podtune.cli import runpod_deploy_view as view

    home = settings.load().settings
    wish = deploy_wish.Wish(
        image=image,
        name=name,
        gpus=tuple(gpu or ()),
        volume=volume,
        region=region,
        model=model,
        workers_min=workers_min,
        workers_max=workers_max,
        idle_timeout_s=idle_timeout,
        timeout_s=timeout,
        ttl_s=ttl,
        disk_gb=disk,
        registry_auth=registry_auth,
        env=deploy_wish.parse_variables(tuple(env or ())),
        with_service_key=with_service_key,
        adopt=adopt,
    )
    block = env_block.values(gateway_of(home))
    deploy_wish.check(wish)
    if write_env is not None:
        env_block.check(write_env)
    ours = here(home, with_service_key=with_service_key)
    with client_of() as client:
        planned = deploying.plan(client, wish, ours)
        if output is Output.HUMAN or not yes:
            view.render_plan(planned)
        health = endpoint_health.failing(client, planned.found_endpoint)
        view.render_health(health)
        done = None
        if not dry_run:
            if not planned.is_nothing:
                _agree(f"Write this to RunPod for {name}?", yes=yes)
            done = deploy_apply.apply(client, planned, ours)
    if done is not None and write_env is not None:
        env_block.write(write_env, block)
    view.render_deployed(planned, done, block, write_env, output, health=health)


def verify(  # noqa: PLR0913 - a command's parameters are its options
    endpoint: Annotated[
        str, typer.Argument(metavar="ENDPOINT", help="Id or name.")
    ] = "podtune-lora-trainer",
    base_model: Annotated[
        str, typer.Option("--base-model", help="Base model of the test job.")
    ] = "Qwen/Qwen3-8B",
    dataset_url: Annotated[
        str,
        typer.Option(
            "--dataset-url",
            help="Data of the test job; the default holds none, which shows less: see the text before it asks.",
        ),
    ] = "https://example.com/test.json",
    minutes: Annotated[
        int, typer.Option("--minutes", min=1, max=720, help="How long the test job may run.")
    ] = 10,
    queue_minutes: Annotated[
        int, typer.Option("--queue-minutes", min=1, max=720, help="How long it may wait.")
    ] = 15,
    first_status: Annotated[
        int,
        typer.Option(
            "--first-status",
            min=5,
            max=43_200,
            help="Seconds a running job may say nothing in podtune's form; then it is cancelled.",
        ),
    ] = 180,
    budget: Annotated[
        str, typer.Option("--budget", metavar="USD", help="What this may cost at most.")
    ] = "1",
    yes: YesOption = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Send a real job to an endpoint, follow it to its end, and cancel a second one. Costs money.

    Shows the request of specification B (step 6.1) and its price first. Exit code 0 when every check held.
    """
    from podtune.app import verify_endpoint, verify_following, verify_plan
    from podtune.app.deploying import client_of, queue_of
    from podtune.cli import runpod_deploy_view as view
    from podtune.providers.runpod import endpoints

    asked = verify_plan.Asked(
        endpoint,
        base_model,
        dataset_url,
        _dollars(budget),
        minutes * 60,
        queue_minutes * 60,
        first_status,
    )
    with client_of() as client, queue_of() as queue:
        planned = verify_plan.plan(
            asked, endpoints.listed(client), endpoints.cards(client), client.access.jobs_url
        )
        view.render_request(planned)
        _agree(f"Send it? It costs at most ${planned.most_usd}", yes=yes)
        watch = verify_following.Watch(tell=view.say, told=view.say_check)
        found = verify_endpoint.verify(client, queue, planned, watch)
    view.render_verified(found, planned, output)
    if not found.ok:
        raise typer.Exit(1)


def undeploy(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Of the endpoint and its template.")
    ] = "podtune-lora-trainer",
    yes: YesOption = False,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Delete an endpoint that podtune made, and its template; a volume stays. Nothing there is fine."""
    from podtune.app import settings
    from podtune.app import undeploy as undeploying
    from podtune.app.deploying import client_of, owner_of, queue_of
    from podtune.cli import runpod_deploy_view as view

    owner = owner_of(settings.load().settings)
    with client_of() as client, queue_of() as queue:
        found = undeploying.find(client, queue, name, owner)
        if output is Output.HUMAN or not yes:
            view.render_findings(found)
        if not found.is_nothing:
            _agree(f"Delete {name}?", yes=yes)
        done = undeploying.end(client, found)
    view.render_undeployed(done, output)


def _agree(question: str, *, yes: bool) -> None:
    """Go on only if somebody says so.

    Raises:
        SpecError: nobody is there to be asked, and `--yes` was not given.
        typer.Abort: they did not agree.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise SpecError(
            f"nobody is here to be asked: {question}",
            code="confirm_needed",
            hint="read what is shown above, then add --yes",
        )
    typer.confirm(question, abort=True, err=True)


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text.strip().removeprefix("$"))
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or not 0 < amount <= 10_000:
        raise SpecError(
            f"--budget {text[:40]!r} is no amount of dollars", code="bad_option", hint="--budget 1"
        )
    return amount
