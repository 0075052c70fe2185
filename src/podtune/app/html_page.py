"""A page that can be opened anywhere: one file, no script, nothing from elsewhere, text kept text.

Takes a template of `pages/` and its values. Whatever is put into a page is escaped, and characters
that would hide or turn text are shown by name. It knows nothing of what a page is about.
"""

import base64
import hashlib
import html
import json
import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

from podtune.app.whole_file import writing
from podtune.core.errors import ConflictError
from podtune.core.units import count, duration, gib, plural

GENERATOR: Final = '<meta name="generator" content="podtune">'
"""By which a page of ours is known."""

TEXT_CHARACTERS: Final = 6000
"""Of one text of a row on a page; the rest is counted."""


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()

    def __html__(self) -> str:
        """What Jinja puts in, as it is."""
        return str(self)


def render(name: str, **values: Any) -> str:
    """Fill a template of `pages/`; the same values give the same bytes."""
    style = _part("style.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    template = _environment().get_template(name)
    return template.render(values, policy=Html(policy), style=Html(style)) + "\n"


def write(text: str, to: Path) -> None:
    """Write a page so that it appears whole or not at all.

    A page of ours is replaced; any other file that is there is left alone.

    Raises:
        ConflictError: another file is there.
        StateError: it cannot be written.
    """
    to = to.expanduser().absolute()
    _refuse_foreign(to)
    with writing(to, "--html") as stream:
        stream.write(text.encode())


def _refuse_foreign(to: Path) -> None:
    if not to.exists():
        return
    if to.is_file():
        with to.open("rb") as stream:
            if GENERATOR.encode() in stream.read(2048):
                return
    raise ConflictError(
        f"{str(to)!r} is there already and is no page of podtune",
        code="target_exists",
        hint="name another file with --html",
    )


def file_name(source: object) -> str:
    r"""The last part of a path or an address.

    >>> file_name("/data/chats/"), file_name(r"C:\chats\a.jsonl")
    ('chats', 'a.jsonl')
    """
    text = str(source)
    return text.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or text


def percent(part: float, whole: float) -> float:
    """A share in hundredths; of nothing it is none."""
    return round(100 * part / whole, 2) if whole else 0.0


def lines(value: object) -> Html:
    """Text with its line breaks, cut where it is very long."""
    text = str(value).replace("\r\n", "\n")
    cut = text[:TEXT_CHARACTERS]
    if len(cut) < len(text):
        cut += f" ... ({count(len(text) - len(cut))} characters more)"
    return Html(html.escape(visible(cut)))


_HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Controls, characters without a shape, changes of direction, halves of pairs; not what joins emoji."""


def visible(text: str) -> str:
    r"""Text in which nothing is hidden; line breaks and tabs stay.

    >>> visible("a\x00b\u202ec")
    'a␀b⟨U+202E⟩c'
    """
    return _HIDDEN.sub(_named, text)


def _named(found: re.Match[str]) -> str:
    code = ord(found.group())
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"


def _finalize(value: object) -> object:
    """What may stand at any place of a page: one line, nothing hidden; HTML is done already."""
    if hasattr(value, "__html__") or not isinstance(value, str):
        return value
    return visible(value).replace("\n", "⏎").replace("\t", "⇥")


_OPTION: Final = re.compile(r"--[a-z][a-z-]*(?: [\w.=-]*[\w=])?|`[^`]+`")


def _options(text: object) -> Html:
    """Advice with its options set as code."""
    escaped = html.escape(str(_finalize(str(text))))
    return Html(_OPTION.sub(lambda m: f"<code>{m.group().strip('`')}</code>", escaped))


def _command(text: object) -> Html:
    """A command of which no word breaks at a line's end while there is room."""
    words = html.escape(str(_finalize(str(text)))).split(" ")
    return Html(" ".join(f"<span>{word}</span>" for word in words))


def _json(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def _share(part: float, whole: float) -> str:
    """A share as people read it; what is there is never 0 %."""
    share = percent(part, whole)
    return "under 1 %" if 0 < share < 1 else f"{share:.0f} %"


def _slug(value: object) -> str:
    return re.sub(r"[^a-z]+", "-", str(value).lower())


def _part(name: str) -> str:
    return resources.files("podtune.app").joinpath("pages", name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    made = Environment(
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        loader=FunctionLoader(_part),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = made.filters
    filters |= {
        "command": _command, "duration": duration, "file_name": file_name, "json": _json,
        "lines": lines, "number": count, "options": _options, "plural": plural, "share": _share,
        "size": gib, "slug": _slug,
    }  # fmt: skip
    return made
