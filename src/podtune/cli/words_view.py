"""`podtune ask --parse-only`: what a request in words states, on the screen or as JSON lines."""

import sys
from collections.abc import Iterator
from datetime import datetime
from json import dumps
from typing import TYPE_CHECKING, Any, Final, cast

from podtune.cli.console import Output, err, out, plain, print_json, print_line
from podtune.core.errors import SpecError

if TYPE_CHECKING:
    from podtune.app.llm import Parser
    from podtune.app.settings import Settings
    from podtune.intake.words.parse import ParsedRequest

MOST_LINE: Final = 200_000
"""Bytes of one line of `--stdin`; longer than any request that is read, escapes included. Chosen."""


def reader(settings: "Settings | None" = None, *, offline: bool) -> "Parser":
    """What reads sentences: the grammar, and the language model where one is set and wanted."""
    from podtune.intake.words.parse import parse

    if offline:
        return parse
    from podtune.app import llm
    from podtune.app.settings import load

    return llm.parser(
        settings or load().settings, lambda note: print_line(err(), f"[dim]{plain(note)}[/]")
    )


def show(sentence: str, now: datetime | None, output: Output, read: "Parser") -> None:
    """One sentence."""
    parsed = read(sentence, now)
    if output is Output.JSON:
        print_json(parsed.to_json())
        return
    _render(parsed, sentence)


def show_lines(now: datetime | None) -> None:
    """One JSON line for each that is read from standard input."""
    for answer in _answers(now):
        print(answer, flush=True)  # noqa: T201 - the renderer


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
