"""The reports of `podtune data check` and `data mask` as pages.

Takes the facts of `data_doctor` and `masked` and gives HTML: where each thing stands, how long a bar
is, which tokens run together. It knows nothing of how the facts were found.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from podtune.app.html_page import Html, file_name, lines, percent, render
from podtune.app.html_page import write as write_page
from podtune.core.units import count

Facts = Mapping[str, Any]

LINES_SHOWN: Final = 3
"""Places of a finding that stand there at once; the others unfold."""

PLACES: Final = 300
"""Places of a finding that unfold at most."""

QUALITY: Final = frozenset({
    "assistant_first", "common_completion_suffix", "common_prompt_suffix", "conflicting_answers",
    "consecutive_roles", "few_rows", "mixed_language", "mixed_reasoning_styles", "mojibake",
    "near_duplicate", "near_repeats_sampled", "one_answer", "too_few_rows", "trailing_user_turn",
    "truncated_answer",
})  # fmt: skip
"""Warnings and notes about questions and answers; the report's seventh part."""

SEEN: Final = 1.5
"""Hundredths of a bar's length that its smallest part has at least."""

CHART: Final = (52, 200, 222)
"""Pixels from the top of the chart: the highest bar's number, the base line, the lower end."""


def write(facts: Facts, to: Path) -> None:
    """Write the report of `data check` as a page.

    Raises:
        StateError: the file cannot be written.
    """
    write_page(page(facts), to)


def write_mask(facts: Facts, to: Path) -> None:
    """Write the tokens of `data mask` as a page.

    Raises:
        StateError: the file cannot be written.
    """
    write_page(mask_page(facts), to)


def page(facts: Facts) -> str:
    """The report's eight parts as HTML; the same facts give the same bytes."""
    groups = _groups(facts)
    rows, good = facts["rows"], facts["good_rows"]
    mendable = max(0, facts["good_rows_after_repair"] - good)
    bad = max(0, rows - good - mendable)
    words, name, arguments = str(facts["next"]).partition("podtune ")
    return render(
        "data_report.html.jinja",
        facts=facts,
        shown_places=LINES_SHOWN,
        tone="bad" if not good else "good" if facts["verdict"] == "ready" else "some",
        next={"words": words.strip(" :"), "command": name + arguments},
        choices={
            name: choice
            for name, choice in facts["choices"].items()
            if choice["others"] or name not in ("prompt_column", "response_column")
        },
        cells=_cells(facts["first_raw"], facts["mapping"]),
        groups=groups,
        found={"verdict": None, "what": None, "tokens": None, "training": None}
        | {name: _worst(kinds) for name, kinds in groups.items()},
        mendable=mendable,
        bad=bad,
        shares=_shares(good, mendable, bad),
        chart=_chart(facts["tokens"]),
    )


def mask_page(facts: Facts) -> str:
    """The shown rows token by token as HTML; the same facts give the same bytes."""
    kinds = [
        {"severity": "error", "by": "line", "repair": None, "examples": (), "more": 0}
        | dict(kind)
        | _places([f for f in facts["findings"] if f["code"] == kind["code"]], kind["rows"])
        for kind in facts["kinds"]
    ]
    return render(
        "data_mask.html.jinja",
        facts=facts,
        shown_places=LINES_SHOWN,
        kinds=kinds,
        trained_width=percent(facts["trained"], facts["tokens"]),
        shown=[
            {**row, "documents": [_document(d) for d in row["documents"]]} for row in facts["shown"]
        ],
    )


def _groups(facts: Facts) -> dict[str, list[dict[str, Any]]]:
    """The kinds of findings by the part of the report they belong to; errors always to the counts."""
    groups: dict[str, list[dict[str, Any]]] = {
        n: [] for n in ("counts", "leaks", "quality", "split")
    }
    single = [*facts["errors"], *facts["warnings"], *facts["notes"]]
    for kind in facts["kinds"]:
        code, is_error = kind["code"], kind["severity"] == "error"
        known = [f for f in single if f["code"] == code] if kind["more"] else []
        shown = dict(kind) | {"places": kind["first_lines"]}
        shown |= _places(known, kind["rows"]) if len(known) == kind["rows"] else {}
        is_leak = code.startswith(("pii_", "secret"))
        if is_leak:
            groups["leaks"].append(shown)
        if is_error or not (is_leak or code in QUALITY or code == "train_val_leak"):
            groups["counts"].append(shown)
        elif code == "train_val_leak":
            groups["split"].append(shown)
        elif not is_leak:
            groups["quality"].append(shown)
    return groups


def _places(findings: Sequence[Facts], rows: int) -> dict[str, Any]:
    """Where single findings are, and how many more there are than can be listed."""
    places = [_place(f) for f in findings if f.get("line") or f.get("row")][:PLACES]
    return {"places": places, "more": max(0, rows - len(places)) if places else 0}


def _place(finding: Facts) -> int | str:
    number: int = finding.get("line") or finding["row"]
    file = finding.get("file")
    return f"{file_name(file)}:{number}" if file else number


def _worst(kinds: Sequence[Facts]) -> tuple[str, int] | None:
    """The gravest severity among kinds of findings, and how many are of it."""
    for severity in ("error", "warning"):
        number = sum(kind["severity"] == severity for kind in kinds)
        if number:
            return severity, number
    return None


def _cells(raw: object, mapping: Mapping[str, str]) -> list[dict[str, Any]] | None:
    """The columns of a raw record of a table; None where it is nested or no record."""
    if not isinstance(raw, Mapping) or not raw:
        return None
    record: Mapping[object, object] = raw  # pyright: ignore[reportUnknownVariableType]
    if any(isinstance(value, (Mapping, list, tuple)) for value in record.values()):
        return None
    roles = {column: role for role, column in mapping.items()}
    return [
        {"name": name, "role": roles.get(str(name)), "text": "" if text is None else text}
        for name, text in record.items()
    ]


def _shares(good: int, mendable: int, bad: int) -> list[dict[str, Any]]:
    """The rows as lengths of one bar, in hundredths; what is there is wide enough to be seen."""
    parts = [("good", good, "good"), ("some", mendable, "can be mended"), ("bad", bad, "bad")]
    present = [part for part in parts if part[1]]
    wide = [max(SEEN, percent(rows, good + mendable + bad)) for _, rows, _ in present]
    shares: list[dict[str, Any]] = []
    before = 0.0
    for (tone, rows, words), width in zip(present, wide, strict=True):
        share = percent(width, sum(wide))
        shares.append({"tone": tone, "rows": rows, "words": words, "x": before, "width": share})
        before = round(before + share, 2)
    return shares


def _chart(tokens: Facts | None) -> dict[str, Any] | None:
    """Bars and marks of the histogram; lengths are in hundredths of the width, heights in pixels."""
    if not tokens or not tokens["rows"]:
        return None
    top, base, height = CHART
    given = tokens["histogram"]
    step = 100 / len(given)
    most = max(bar["rows"] for bar in given) or 1
    bars: list[dict[str, Any]] = []
    for number, bar in enumerate(given):
        tall = max(2, round((base - top - 16) * bar["rows"] / most))
        bars.append({
            "x": round(number * step + 0.08 * step, 2), "width": round(0.84 * step, 2),
            "middle": round((number + 0.5) * step, 2), "y": base - tall, "height": tall,
            "rows": bar["rows"],
            "label": f"≤{bar['up_to']}" if bar["up_to"] else f">{given[-2]['up_to']}",
        })  # fmt: skip
    marks: list[dict[str, Any]] = []
    for line, (words, name) in enumerate((("median", "p50"), ("95 %", "p95"), ("longest", "max"))):
        x = round(_position(tokens[name], given, tokens["max"]) * step, 2)
        side = "start" if x < 50 else "end"
        text = f"{words} {count(tokens[name])}"
        marks.append({"x": x, "y": 12 + 15 * line, "side": side, "words": text})
    return {"bars": bars, "marks": marks, "base": base, "height": height}


def _position(length: int, bars: Sequence[Facts], longest: int) -> float:
    """Where a length stands, counted in bars from the left."""
    low = 0
    for number, bar in enumerate(bars):
        high = bar["up_to"] or max(longest, low + 1)
        if length <= high:
            return number + (length - low) / (high - low)
        low = high
    return len(bars)


def _document(document: Facts) -> dict[str, Any]:
    """Tokens in runs of trained and untrained ones."""
    tokens = document["tokens"]
    return {
        "length": len(tokens),
        "trained": sum(bool(token["trained"]) for token in tokens),
        "cut": document["cut"],
        "runs": [
            {"trained": trained, "tokens": [_token(token) for token in run]}
            for trained, run in groupby(tokens, key=lambda token: bool(token["trained"]))
        ],
    }


_SPECIAL: Final = re.compile(r"<[^<>\s]{1,60}>|\[/?[A-Z_]{2,30}\]")


def _token(token: Facts) -> dict[str, Any]:
    """A token's text with its line breaks and joiners shown; without text it goes on with a character."""
    text = str(token["text"])
    shown = lines(text).replace("\n", "<b>⏎</b>\n").replace("\t", "<b>⇥</b>\t")
    if not text.strip("\u200c\u200d"):
        shown = "".join(f"<b>⟨U+{ord(c):04X}⟩</b>" for c in text) or "<b>…</b>"
    special = bool(_SPECIAL.fullmatch(text))
    return {"id": token["id"], "text": Html(shown), "special": special}
