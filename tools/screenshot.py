"""Turns a terminal's text with colours (stdin) into docs/screenshot.svg.

The picture in the README is a real run of `make demo`, in tmux 120 columns wide, captured with
`tmux capture-pane -e -p | sed -n '/convert base/,/next/p'` after `podtune watch last`.
"""

import io
import re
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

THEME = TerminalTheme(
    (22, 24, 29), (216, 219, 226),
    [(22, 24, 29), (224, 108, 117), (125, 190, 115), (224, 184, 92), (97, 160, 220),
     (190, 130, 220), (86, 182, 194), (200, 204, 212)],
    [(92, 99, 112), (224, 108, 117), (125, 190, 115), (224, 184, 92), (97, 160, 220),
     (190, 130, 220), (86, 182, 194), (240, 242, 246)],
)  # fmt: skip


def shorten(line: str, home: str) -> str:
    """The home under its usual name, the frame's right edge kept in place."""
    short = line.replace(home, "~/.podtune")
    lost = len(line) - len(short)
    body, edge, rest = short.rpartition("│")
    at = body.rfind("\x1b")  # the edge's own colour
    return f"{body[:at]}{' ' * lost}{body[at:]}{edge}{rest}" if lost and edge else short


def main() -> None:
    """Read, draw, write."""
    home = sys.argv[1] if len(sys.argv) > 1 else "\0"
    lines = [shorten(line.rstrip(), home) for line in sys.stdin.read().splitlines()]
    console = Console(record=True, width=120, file=io.StringIO())
    for line in lines:
        console.print(Text.from_ansi(line), soft_wrap=True)
    svg = console.export_svg(title="make demo", theme=THEME)
    svg = re.sub(r"<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # nothing from outside
    svg = svg.replace("Fira Code", "Menlo, Consolas, DejaVu Sans Mono")
    out = Path(__file__).resolve().parent.parent / "docs" / "screenshot.svg"
    out.write_text(svg, encoding="utf-8")
    print(f"{out}: {len(lines)} lines")


if __name__ == "__main__":
    main()
