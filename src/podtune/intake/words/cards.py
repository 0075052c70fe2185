"""Names of graphics cards in a text: which, how many, how much memory, whether one or any of them.

Names only; what a card can do is `planning.cards`'s to say.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from podtune.intake.words.patterns import Pattern

_LETTERED: Final = r"(?:gh|gb|[abhlvp])(?=\d)(?:200|300|100|(?<=l)40s|40|30|10g|10)|l4|a16|a800|h800|h20|rtx ?a[2456][05]00|a[456][05]00|a2000|t4g?|k80|m60|mi ?(?:210|250x?|300x|300a|325x|350x?|355x)"
_GEFORCE: Final = r"(?:20[678]0|30[5-9]0|40[5-9]0|50[5-9]0)(?: ?(?:ti super|ti|super))?"
_CARD: Final = Pattern(
    r"(?<![a-z0-9.])(?:nvidia[ -]|tesla[ -]|amd[ -]|instinct[ -]|geforce[ -]|quadro[ -]){0,2}"
    r"(?:(?P<count>\d{1,4}) ?[x*] ?|x(?=[ahlb]\d))?(?:nvidia[ -]|tesla[ -]|geforce[ -]){0,2}"
    rf"(?:(?P<pro>rtx[ -]?pro[ -]?\d000)|(?P<ada>rtx[ -]?[2456]000[ -]?ada)|(?:rtx|gtx|geforce)[ -]?(?P<gtx>(?:10[5678]0|16[56]0)(?: ?ti)?)"
    rf"|(?P<rtx>(?:rtx[ -]?)?{_GEFORCE})(?![\d%]|[.,]\d|[ ]?(?:steps?|rows?|examples?|tokens?|samples?|zeilen|lignes|euros?|dollars?|usd|\$|€))"
    rf"|(?P<lettered>{_LETTERED})|(?P<cpu>cpu|processor only))(?:s|'s)?"
    r"(?:[ -]?(?:sxm\d?|pcie|nvl|hbm[23]e?|oam|max q|workstation edition|server edition|blackwell))*"
    r"(?:[ -]?\(?(?P<memory>\d{1,3}) ?(?:gb|gib|g)\b\)?)?(?![a-z0-9]|-\w)",
)
_ALPHAS: Final = frozenset(("a10", "a16", "a30", "a40"))
_RANK: Final = Pattern(r"(?<![a-z0-9])r\d{1,3} $")
"""`r8 a16` is a rank and an alpha."""
_BEFORE: Final = Pattern(r"(?<![\w.])(\d{1,3}) ?(?:gb|gib|g|gig)[ -]$")
_AFTER: Final = Pattern(r" ?x ?(\d{1,2})(?![\w.])")
_COUNT_WORDS: Final[Mapping[str, int]] = {
    "single": 1, "one": 1, "pair of": 2, "dual": 2, "double": 2, "both": 2, "both my": 2, "couple of": 2, "quad": 4,
    "une seule": 1, "un seul": 1, "einzige": 1, "einzelne": 1, "einzelnen": 1, "sola": 1, "solo": 1, "unica": 1, "unico": 1,
    "una sola": 1, "un solo": 1, "uma unica": 1, "uma so": 1, "单张": 1, "一张": 1, "两张": 2, "两块": 2, "四张": 4, "八张": 8, "一块": 1, "四块": 4,
}  # fmt: skip


class Card(NamedTuple):
    """A card as it was named."""

    name: str
    start: int
    end: int
    number: int | None
    """How many, where that is said."""
    memory_gb: int | None


def find(folded: str) -> list[Card]:
    """The cards a text names, in order; literals and models must be blanked."""
    found: list[Card] = []
    for match in _CARD.finditer(folded):
        start, end = match.start(), match.end()
        if match["lettered"] in _ALPHAS and _RANK.search(folded, max(0, start - 8), start):
            continue
        count = int(match["count"]) if match["count"] else None
        memory = int(match["memory"]) if match["memory"] else None
        if memory is None and (before := _BEFORE.search(folded, max(0, start - 10), start)):
            memory, start = int(before[1]), before.start()
        if count is None and (after := _AFTER.match(folded, end)):
            count, end = int(after[1]), after.end()
        found.append(Card(_name(match), start, end, count or _counted(folded, start), memory))
    return found


def _name(match: re.Match[str]) -> str:
    """The name as the schema spells it."""
    if match["cpu"]:
        return "CPU"
    if match["pro"] or match["ada"]:
        digits = re.sub(r"\D", "", match["pro"] or match["ada"])
        return f"RTX PRO {digits}" if match["pro"] else f"RTX {digits} Ada"
    if match["gtx"]:
        return f"GTX {_spaced(match['gtx'])}"
    if match["rtx"]:
        return f"RTX {_spaced(match['rtx'].removeprefix('rtx').strip(' -'))}"
    return re.sub(r"^RTX ?|[ ]", "", match["lettered"].upper())


def _spaced(text: str) -> str:
    """`4070 Ti`, `4080 SUPER`."""
    number, rest = text[:4], text[4:].strip()
    return " ".join((number, *(w.upper() if w == "super" else w.title() for w in rest.split())))


def _counted(folded: str, start: int) -> int | None:
    """A word before the card that says how many; number words are read by `fields`."""
    before = folded[max(0, start - 24) : start].rstrip(" -")
    return next(
        (n for words, n in _COUNT_WORDS.items() if re.search(rf"(?<!\w){words}$", before)), None
    )
