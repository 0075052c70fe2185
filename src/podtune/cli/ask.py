"""`podtune ask SENTENCE --parse-only`: what a request in words states, before anything is done about it.

Reads words alone: nothing is planned, fetched or paid for, and no database is opened.
"""

import sys
from collections.abc import Iterator
from datetime import datetime
from json import dumps
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.core.errors import SpecError

if TYPE_CHECKING:
    from podtune.intake.words.parse import ParsedRequest

MOST_LINE: Final = 200_000
"""Bytes of one line of `--stdin`; longer than any request that is read, escapes included. Chosen."""


def ask(
    sentence: Annotated[
        str | None, typer.Argument(metavar="SENTENCE", help="What you want, in your own words.")
    ] = None,
    parse_only: Annotated[
        bool, typer.Option("--parse-only", help="Show what the words state, and do nothing.")
    ] = False,
    stdin: Annotated[
        bool,
        typer.Option(
            "--stdin", help='Read JSON lines {"id", "request"}; answer one line for each.'
        ),
    ] = False,
    now: Annotated[
        datetime | None,
        typer.Option("--now", help="Local time that `tomorrow` counts from; now if not given."),
    ] = None,
    output: Annotated[
        Output, typer.Option("--output", help="For people or for programs.")
    ] = Output.HUMAN,
) -> None:
    """Show what a request in words states, what must be asked, and what is suspicious."""
    if not parse_only:
        raise SpecError(
            "ask shows what words state and does nothing yet; say --parse-only",
            code="parse_only",
            hint='podtune ask --parse-only "..."; then podtune plan FILE with what was found',
        )
    if stdin == (sentence is not None):
        raise SpecError(
            "give either a sentence or --stdin",
            code="no_request",
            hint='podtune ask --parse-only "fine-tune Mistral on tickets.csv, at most $5"',
        )
    from podtune.intake.words.parse import parse

    if sentence is None:
        for answer in _answers(now):
            print(answer, flush=True)  # noqa: T201 - the renderer
        return
    parsed = parse(sentence, now)
    if output is Output.JSON:
        print_json(parsed.to_json())
        return
    _render(parsed, sentence)


def _answers(now: datetime | None) -> Iterator[str]:
    """One JSON line for each that is read; one that cannot be read is answered by its error."""
    from podtune.intake.words.parse import parse

    for number, line in enumerate(_lines(), 1):
        name: object = None
        try:
            name, request = _request(line, number)
            answer: dict[str, Any] = {"id": name, **parse(request, now).to_json()}
        except SpecError as error:
            answer = {"id": name, "error": error.to_json()}
        yield dumps(answer, ensure_ascii=True)


def _lines() -> Iterator[bytes]:
    """Lines of stdin without their ends, empty ones left out; the rest of one that is too long is passed over."""
    stream = sys.stdin.buffer
    while line := stream.readline(MOST_LINE + 1):
        end = line
        while not end.endswith(b"\n") and end:
            end = stream.readline(MOST_LINE + 1)
        if line.strip():
            yield line.rstrip(b"\r\n")


def _request(line: bytes, number: int) -> tuple[object, str]:
    """Name and words of a line.

    Raises:
        SpecError: it is none of ours; code `bad_line`.
    """
    import msgspec

    hint = 'one JSON object a line: {"id": "a", "request": "..."}'
    if len(line) > MOST_LINE:
        raise SpecError(
            f"line {number} is longer than {MOST_LINE} bytes", code="bad_line", hint=hint
        )
    try:
        read = cast("dict[str, object]", msgspec.json.decode(line))
    except (msgspec.DecodeError, ValueError, RecursionError):
        read = dict[str, object]()
    request = read.get("request") if isinstance(read, dict) else None  # pyright: ignore[reportUnnecessaryIsInstance]
    if not isinstance(request, str):
        raise SpecError(f"line {number} holds no request", code="bad_line", hint=hint)
    name = read.get("id")
    return (name if isinstance(name, str | int) else None), request


def _render(parsed: "ParsedRequest", sentence: str) -> None:
    """Every field with the words it was read from, then what is open."""
    for field, value in parsed.fields.items():
        span = parsed.spans.get(field)
        quoted = (
            f"[dim]'{plain(_shown(sentence[span.start : span.end], parsed))}'[/]" if span else ""
        )
        print_line(out(), f"{field:<22} [bold]{plain(str(value))}[/]  {quoted}")
    for title, names in (
        ("to ask", parsed.must_ask),
        ("to confirm", parsed.must_confirm),
        ("contradictory", parsed.conflicts),
        ("suspicious", parsed.flags),
    ):
        if names:
            print_line(err(), f"[yellow]{title}[/] {', '.join(names)}")


def _shown(words: str, parsed: "ParsedRequest") -> str:
    """Quoted words, unless a secret may be among them."""
    short = " ".join(words.split())[:60]
    return "..." if "secret_in_request" in parsed.flags else short
