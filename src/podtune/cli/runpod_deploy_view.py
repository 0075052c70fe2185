"""What `podtune runpod deploy`, `verify` and `undeploy` show: data to stdout, everything else to stderr.

Variables are shown by name; their values come masked from `app/deploy_changes.py` and are not asked for here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from podtune.app import env_block
from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.core.units import plural

if TYPE_CHECKING:
    from podtune.app.deploy import DeployPlan
    from podtune.app.deploy_apply import Deployed
    from podtune.app.endpoint_health import Health
    from podtune.app.undeploy import Findings, Undeployed
    from podtune.app.verify_endpoint import Verified
    from podtune.app.verify_following import Check
    from podtune.app.verify_plan import VerifyPlan


def render_plan(planned: "DeployPlan") -> None:
    """What would be written, and what it costs."""
    aside = err()
    for change in planned.changes:
        what = f"[bold]{change.kind}[/] {plain(change.name)}"
        if change.old is None and change.field in ("created", "stored"):
            print_line(aside, f"[green]+ new[/] {what}: {plain(change.new)}")
        else:
            before = plain(change.old or "-")
            print_line(
                aside, f"[yellow]~[/] {what} {plain(change.field)}: {before} -> {plain(change.new)}"
            )
    if planned.found_endpoint is None:
        cards = ", ".join(planned.choice.cards)
        print_line(
            aside, f"[bold]cards[/] {plain(cards)} ({plain(', '.join(planned.choice.pools))})"
        )
        names = ", ".join(planned.template.env or {})
        print_line(aside, f"[bold]variables[/] {plain(names)}")
    for line in planned.costs.lines(planned.wish):
        print_line(aside, f"[bold]cost[/]  {plain(line)}")
    for text in planned.warnings:
        print_line(aside, f"[yellow]warning[/] {plain(text)}")


def render_health(health: "Health | None") -> None:
    """Workers of the endpoint that fail as they start, and what they said last."""
    if health is None:
        return
    print_line(err(), f"[bold red]unhealthy[/] {plain(health.diagnosis.words)}")
    say_log(health.lines)
    print_line(err(), f"[bold]next[/]  {plain(health.diagnosis.hint)}")


def render_deployed(
    planned: "DeployPlan",
    done: "Deployed | None",
    block: Mapping[str, str],
    written: Path | None,
    output: Output,
    *,
    health: "Health | None" = None,
) -> None:
    """What was written, and what the application needs of it."""
    if output is Output.JSON:
        unhealthy = None
        if health is not None:
            unhealthy = {"words": health.diagnosis.words, "log": health.lines}
        print_json({**deployed_json(planned, done, block, written), "unhealthy": unhealthy})
        return
    aside = err()
    if planned.is_nothing:
        print_line(aside, f"nothing to do: {plain(planned.wish.name)} is as wished")
    if done is None:
        return
    print_line(
        aside,
        f"[bold]endpoint[/] {plain(done.endpoint_id)}  [bold]template[/] {plain(done.template_id)}",
    )
    print_line(aside, "\nIn the application's .env.local:\n")
    out().print(env_block.block(block), end="", soft_wrap=True, markup=False)
    print_line(aside, "\nFor its edge function:\n")
    for command in env_block.commands(block):
        out().print(command, soft_wrap=True, markup=False)
    if block[env_block.URL] == env_block.URL_PLACEHOLDER:
        print_line(
            aside,
            "\n[yellow]the address is a placeholder[/]: it is your podtune gateway's (PODTUNE_GATEWAY_URL), not "
            "RunPod's, which has no /training/submit",
        )
    print_line(
        aside,
        f"a request to RunPod itself sends its limits: executionTimeout {planned.wish.timeout_s * 1000}, "
        f"ttl {planned.wish.ttl * 1000}",
    )
    if written is not None:
        print_line(aside, f"{plain(str(written))} has both variables, readable by you alone")
    print_line(aside, f"[bold]next[/]  podtune runpod verify {plain(done.endpoint_id)}")


def deployed_json(
    planned: "DeployPlan", done: "Deployed | None", block: Mapping[str, str], written: Path | None
) -> dict[str, object]:
    """The same for programs; no value of a variable in it."""
    return {
        "name": planned.wish.name,
        "nothing_to_do": planned.is_nothing,
        "changes": [
            {"kind": c.kind, "name": c.name, "field": c.field, "old": c.old, "new": c.new}
            for c in planned.changes
        ],
        "endpoint_id": done.endpoint_id if done else None,
        "template_id": done.template_id if done else None,
        "written": done.written if done else 0,
        "pools": planned.choice.pools,
        "excluded_cards": planned.choice.excluded,
        "cards": planned.choice.cards,
        "volume": planned.volume.id if planned.volume else None,
        "variables": sorted(planned.template.env or {}),
        "policy": {
            "executionTimeout": planned.wish.timeout_s * 1000,
            "ttl": planned.wish.ttl * 1000,
        },
        "costs": planned.costs.model_dump(mode="json"),
        "warnings": planned.warnings,
        "application": dict(block),
        "commands": env_block.commands(block),
        "env_file": str(written) if written and done else None,
    }


def render_request(planned: "VerifyPlan") -> None:
    """The request by hand, and what it costs; before anything is sent."""
    aside = err()
    aside.print(planned.curl, soft_wrap=True, markup=False)
    print_line(
        aside,
        f"\n[bold]cost[/]  at most ${planned.most_usd}, with the second job that is cancelled; twice that where "
        "RunPod gives a job out again",
    )
    for text in planned.proves:
        print_line(aside, f"[bold]this[/]  {plain(text)}")


def say(words: str) -> None:
    """What is new of a job."""
    print_line(err(), f"[dim]{plain(words)}[/]")


def say_check(check: "Check") -> None:
    """A check as soon as it is decided."""
    print_line(err(), _line(check))
    say_log(check.lines)


def say_log(lines: Sequence[str]) -> None:
    """What workers said last."""
    for line in lines:
        print_line(err(), f"       [dim]{plain(line)}[/]")


def render_verified(found: "Verified", planned: "VerifyPlan", output: Output) -> None:
    """The checklist to stdout."""
    if output is Output.JSON:
        print_json(
            found.model_dump(mode="json")
            | {"ok": found.ok, "most_usd": str(planned.most_usd), "shows": planned.proves}
        )
        return
    for check in found.checks:
        print_line(out(), _line(check))
    failed = [check for check in found.checks if not check.ok]
    for check in failed:
        if check.hint:
            print_line(err(), f"[bold]next[/]  {plain(check.name)}: {plain(check.hint)}")
    if not failed:
        print_line(err(), "[bold green]the endpoint trains[/]")


def _line(check: "Check") -> str:
    word = "[green]ok    [/]" if check.ok else "[bold red]FAILED[/]"
    return f"{word} {plain(check.name)}: {plain(check.detail)}"


def render_findings(found: "Findings") -> None:
    """What would be deleted."""
    aside = err()
    for endpoint in found.endpoints:
        print_line(aside, f"[red]-[/] [bold]endpoint[/] {plain(found.name)} {plain(endpoint.id)}")
    for template in found.templates:
        print_line(aside, f"[red]-[/] [bold]template[/] {plain(found.name)} {plain(template.id)}")
    if found.jobs and found.jobs.in_queue + found.jobs.in_progress:
        print_line(
            aside,
            f"[bold red]{plural(found.jobs.in_progress, 'job')} running[/] and "
            f"{plural(found.jobs.in_queue, 'job')} waiting are cancelled with it",
        )


def render_undeployed(done: "Undeployed", output: Output) -> None:
    """What is gone, and what stays."""
    if output is Output.JSON:
        print_json(done.model_dump(mode="json"))
        return
    aside = err()
    for kind, ids in (("endpoint", done.endpoints), ("template", done.templates)):
        for number in ids:
            print_line(out(), f"[green]gone[/] {kind} {plain(number)}: absent from RunPod's list")
    if not done.endpoints and not done.templates:
        print_line(aside, f"nothing called {plain(done.name)} is there")
    for volume in done.volumes:
        price = (
            f"${volume.usd_per_month} a month" if volume.usd_per_month else "billed by the month"
        )
        print_line(
            aside,
            f"the volume {plain(volume.name)} ({plain(volume.id)}) stays, {price}: what is on it took hours; "
            "delete it at console.runpod.io, Storage",
        )
    if done.credentials:
        print_line(
            aside,
            f"registry credentials called {plain(done.name)} ({plain(done.credentials)}) stay; delete them at "
            "console.runpod.io, Settings",
        )
