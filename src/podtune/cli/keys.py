"""`podtune keys`: who may use the gateway. Each parses, calls one verb, and renders."""

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated

import typer

from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.cli.following import open_service
from podtune.core.access import Scope
from podtune.core.errors import SpecError

if TYPE_CHECKING:
    from podtune.app.keys import ApiKey, Keys

keys = typer.Typer(
    name="keys",
    help="Keys of the gateway (`podtune serve`): make, list, revoke.",
    no_args_is_help=True,
)

OutputOption = Annotated[Output, typer.Option("--output", help="For people or for programs.")]


@keys.callback()
def root() -> None:
    """Keys of the gateway (`podtune serve`): make, list, revoke."""


@keys.command()
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="For people, such as `ci`.")],
    scope: Annotated[
        list[Scope],
        typer.Option(
            "--scope", help="What it opens; may be repeated. `admin` is all, of everybody."
        ),
    ],
    expires: Annotated[
        str | None,
        typer.Option("--expires", help="90d, 12h, 52w, a day such as 2027-01-31, or `never`."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option("--budget", metavar="USD", help="What all its jobs may cost together."),
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", help="Whose jobs it sees; by default each key its own only."),
    ] = None,
    output: OutputOption = Output.HUMAN,
) -> None:
    """Make a key and print it: it is shown this once."""
    from podtune.app.keys import expiry
    from podtune.core.clock import utc_now

    ends, usd = expiry(expires, utc_now()), _dollars(budget)
    key, token = _keys().create(name, scope, expires_at=ends, budget_usd=usd, tenant=tenant)
    if output is Output.JSON:
        print_json({**_figures(key), "token": token.get_secret_value()})
        return
    print_line(err(), f"[bold]{plain(key.name)}[/]  {plain(_words(key))}")
    print(token.get_secret_value())  # noqa: T201 - the renderer
    print_line(err(), "it is not shown again; send it as `Authorization: Bearer ptk_...`")
    print_line(
        err(),
        f"callbacks of its jobs are signed with: podtune callbacks secret --tenant {plain(key.tenant)}",
    )
    print_line(
        err(), f"[bold]next[/]  podtune keys revoke {key.id}   (when it is not needed any more)"
    )


@keys.command("list")
def list_(output: OutputOption = Output.HUMAN) -> None:
    """List all keys, the newest first; none of them can be read again."""
    found = _keys().list()
    if output is Output.JSON:
        print_json([_figures(key) for key in found])
        return
    if not found:
        print_line(
            err(), "no keys; [bold]next[/]  podtune keys create NAME --scope submit --scope read"
        )
    for key in found:
        print_line(out(), f"[bold]{plain(key.id)}[/]  {plain(key.name)}  {plain(_words(key))}")


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(metavar="ID", help="As `podtune keys list` shows it.")],
    output: OutputOption = Output.HUMAN,
) -> None:
    """Revoke a key at once; its jobs go on."""
    revoked = _keys().revoke(key)
    if output is Output.JSON:
        print_json(_figures(revoked))
        return
    print_line(
        out(), f"[bold]{plain(revoked.id)}[/]  {plain(revoked.name)}  {plain(_words(revoked))}"
    )


def _keys() -> "Keys":
    from podtune.app.keys import Keys

    return Keys(open_service().store())


def _dollars(text: str | None) -> Decimal | None:
    """An amount as typed.

    Raises:
        SpecError: it is none.
    """
    try:
        found = None if text is None else Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if found is not None and not found.is_finite():
        raise SpecError(
            f"--budget {text!r} is no amount of dollars",
            code="bad_key_option",
            hint="e.g. --budget 50",
        )
    return found


def _figures(key: "ApiKey") -> dict[str, object]:
    moments = ("created_at", "expires_at", "revoked_at", "last_used_at")
    shown = key._asdict()
    return {
        **shown,
        "scopes": sorted(key.scopes),
        "budget_usd": None if key.budget_usd is None else float(key.budget_usd),
        **{name: shown[name] and shown[name].isoformat() for name in moments},
    }


def _words(key: "ApiKey") -> str:
    said = [", ".join(sorted(key.scopes)), f"tenant {key.tenant}"]
    if key.budget_usd is not None:
        said.append(f"budget ${key.budget_usd:.2f}")
    if key.revoked_at is not None:
        said.append(f"revoked {key.revoked_at:%Y-%m-%d %H:%M} UTC")
    elif key.expires_at is not None:
        said.append(f"until {key.expires_at:%Y-%m-%d %H:%M} UTC")
    used = f"last used {key.last_used_at:%Y-%m-%d %H:%M} UTC" if key.last_used_at else "never used"
    return "; ".join([*said, used])
