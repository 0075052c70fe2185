"""Names of models in a text or an id: family, version, size, variant.

An exact name first; only where none stands, a near miss of five letters or more with the same beginning.
Knows nothing of releases beyond what `families` needs to read a name.
"""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import Final, NamedTuple

from podtune.intake.words.families import ALIASES, DECORATIONS, FAMILIES, VARIANTS
from podtune.intake.words.patterns import Pattern

LEAST_RATIO: Final = 0.85
"""How alike a near miss must be (difflib). Below it `qwem` would be found, and `lambda` as well."""

_NO_MISS: Final = frozenset(
    [
        "ollama",
        "stable",
        "small",
        "smaller",
        "smallest",
        "smollest",
        "mini",
        "lambda",
        "grant",
        "grants",
        "granted",
        "granita",
        "falcons",
        "fallon",
        "lamas",
        "mistrust",
        "minister",
        "ministerial",
        "mistakes",
        "mineral",
        "germane",
        "gamma",
        "gemini",
        "llamar",
        "llamara",
        "llamado",
        "llama",
        "granit",
        "granito",
        "gemmae",
        "deepest",
        "minimal",
        "minimum",
        "maximum",
    ]
) - {"llama"}
"""Words that are near a family and mean something else."""


class Model(NamedTuple):
    """A model as it was named."""

    words: str
    start: int
    end: int
    family: str | None
    version: str | None = None
    size_b: float | None = None
    """Total parameters in billions."""
    variant: str | None = None
    is_guess: bool = False
    """Found by a near miss."""


@cache
def _names() -> Pattern:
    """Every exact name, the longest first."""
    known = sorted({*FAMILIES, *ALIASES}, key=len, reverse=True)
    spelled = "|".join(re.escape(n).replace(r"\ ", "[ -]?").replace(r"\-", "[ -]?") for n in known)
    return Pattern(rf"(?<![a-z0-9])(?:meta[ -])?({spelled})(?=[^a-z]|v\d|$)")


_PIECE: Final = Pattern(
    r"(?P<gap>[ _\-]{0,2}|: ?)(?:(?P<experts>\d{1,3}x\d{1,4}(?:\.\d)?b)|(?P<size>\d{1,4}(?:\.\d{1,3})?) ?(?P<unit>[bm])(?![a-z0-9])"
    r"|(?P<active>[ae]\d{1,3}(?:\.\d)?b)|v?(?P<version>\d{1,4}(?:\.\d{1,2})?n?)(?![\d.%]*[a-z%\d])|(?P<word>[a-z]{1,14}\d?(?:\.\d)?)(?![a-z0-9]))"
)
_BEFORE: Final = Pattern(
    r"(?<![\w.])(\d{1,4}(?:\.\d{1,3})?) ?([bm])(?: ?-? ?parameters?)?[ \-](?:instruct |chat |base |version of |model of )?$"
)
_SIZE: Final = Pattern(
    r"(?<![\w.,$€£])(\d{1,4}(?:[.,]\d{1,3})?)(?:[ -]?(b)(?:illion)?(?![a-z])[ -]?(?:param(?:eter)?s?)?|[ -]?(m)(?:illion)?[ -]?(?:param(?:eter)?s?)(?![a-z])"
    r"| (milliarden|milliards|mil millones|miliardi|bilhoes) (?:de |di )?param)"
)  # fmt: skip
_OR_ELSE: Final = Pattern(r"[ ,]{1,3}(?:or|oder|ou|o|oppure)[ ,]{1,3}(?:else )?| ?/ ?")
_BEGINS_PHRASE: Final = Pattern(r" (?:for|in|out|to)\b")
"""`opt for`."""
_UNIT_NEXT: Final = Pattern(
    r" ?(?:-|x )?(?:epo|e?poch|steps?|schritt|etape|paso|pass|hours?|hrs?|h\b|stund|heur|hora|ora|ore|minut|mins?\b|days?|tage?|%|k\b|gb|gpu|dollar|usd|eur|bucks|rows|examples|zeilen|lignes|filas|righe|linhas|"
    r"轮|步|元|小时|[\"$€£¥]|x ?[ahlt]\d|[ahlbt]\d{1,3}|rtx|gigs|rounds?|cards?|times|files?)"
)


def find(folded: str) -> list[Model]:
    """The models a text names, in order. Literals must be blanked."""
    found: list[Model] = []
    for match in _names().finditer(folded):
        if found and match.start() < found[-1].end:
            continue  # the inside of a name, as of deepseek's distillates
        model = _read(folded, match, guess=False)
        if model is None and _is_other_choice(folded, match, found):
            model = _read(folded, match, guess=False, alone=True)
        if model is not None:
            found.append(model)
    return found or list(_misses(folded))


def _is_other_choice(folded: str, match: re.Match[str], found: Sequence[Model]) -> bool:
    """`olmo or yi`: what is also an everyday word is a model where another stands right before its `or`."""
    if not found or _BEGINS_PHRASE.match(folded, match.end()):
        return False
    return _OR_ELSE.fullmatch(folded[found[-1].end : match.start()][:20]) is not None


def parse_id(name: str) -> Model | None:
    """The model that the part of an id behind its slash names, if it names one at its beginning."""
    folded = name.lower().replace("_", "-")
    match = re.match(r"(?:meta-|nous-|open|unsloth-)?", folded)
    start = match.end() if match else 0
    for at in dict.fromkeys((0, start)):
        named = _names().match(folded, at)
        if named is not None:
            return _read(folded, named, guess=False, alone=True)
    return None


def sizes(folded: str) -> list[tuple[float, int, int]]:
    """Sizes that stand by themselves (`a 7b model`), in billions, with their places."""
    return [
        (_billions(m[1].replace(",", "."), "m" if m[3] else "b"), m.start(), m.end())
        for m in _SIZE.finditer(folded)
    ]


def _read(folded: str, match: re.Match[str], *, guess: bool, alone: bool = False) -> Model | None:
    """What stands behind (and before) a family's name, as far as it belongs to it."""
    name = match[1].replace("-", " ")
    family = ALIASES.get(name) or next((f for f in FAMILIES if f.replace("-", " ") == name), None)
    family = family or ALIASES.get(name.replace(" ", "")) or _unspaced(name)
    if family is None:
        return None
    parts = _Parts(family)
    at = match.end()
    while piece := _PIECE.match(folded, at):
        if not parts.take(piece, folded, alone=alone):
            break
        at = piece.end()
    start = match.start()
    before = _BEFORE.search(folded, max(0, start - 40), start)
    if before is not None and parts.size_b is None:
        parts.size_b, start = _billions(before[1], before[2]), before.start()
    if (
        FAMILIES[family].is_word
        and parts.is_bare
        and not alone
        and not _is_called_model(folded, at)
    ):
        return None
    return Model(
        folded[start:at], start, at, family, parts.version(), parts.size_b, parts.variant, guess
    )


def _unspaced(name: str) -> str | None:
    plain = name.replace(" ", "")
    return next((f for f in FAMILIES if f.replace("-", "") == plain), None)


def _is_called_model(folded: str, end: int) -> bool:
    return (
        re.match(r"[ -](?:model|llm|lora|modell|modele|modelo|modello)\b", folded[end : end + 12])
        is not None
    )


class _Parts:
    """What is gathered behind a family's name."""

    def __init__(self, family: str) -> None:
        self.family, self.size_b, self.variant = family, None, None
        self.size_b: float | None = None
        self.variant: str | None = None
        self._numbers: list[str] = []
        self._series: list[str] = []
        self.is_bare = True

    def take(self, piece: re.Match[str], folded: str, *, alone: bool) -> bool:
        """Take one more piece; False where the name has ended."""
        taken = self._take(piece, folded, alone=alone)
        if taken:
            self.is_bare &= piece["word"] is not None
        return taken

    def _take(self, piece: re.Match[str], folded: str, *, alone: bool) -> bool:
        if piece["experts"] or piece["active"]:
            return True
        if piece["size"]:
            if self.size_b is None:
                self.size_b = _billions(piece["size"], piece["unit"])
            return True
        if piece["version"]:
            return self._number(piece, folded)
        return self._word(piece, alone=alone)

    def _number(self, piece: re.Match[str], folded: str) -> bool:
        text, gap = piece["version"], piece["gap"]
        has_v = "v" in piece[0]
        if len(text) == 4 and "." not in text:
            return True  # a date, as in -2507
        if gap not in ("", "-", "_") and not has_v:
            known = FAMILIES[self.family].versions
            if _UNIT_NEXT.match(folded, piece.end()) or (
                known and "." not in text and text not in known and not self._series
            ):
                return False
            if not known and self.family not in ("deepseek", "ministral") and "." not in text:
                return False
        if self.family == "deepseek" and has_v:
            self._series.append(f"v{text}")
        else:
            self._numbers.append(text)
        return True

    def _word(self, piece: re.Match[str], *, alone: bool) -> bool:
        word, gap = piece["word"], piece["gap"]
        if not gap and not alone:
            return False
        if word in FAMILIES[self.family].series:
            self._series.append(word)
        elif word in VARIANTS:
            if gap.strip() == "" and self._is_everyday(word):
                return False
            self.variant = self._better(VARIANTS[word])
        elif self.family == "deepseek" and word in ("qwen", "llama") and self._series:
            pass
        elif word not in DECORATIONS or (gap.strip() == "" and word != "model"):
            return False
        return word != "model"

    def _is_everyday(self, word: str) -> bool:
        """Whether a variant behind a blank is likelier the sentence's own word: `llama code`."""
        if word in ("code", "math", "reasoning", "python", "pt", "tiny"):
            return True
        return word in ("base", "chat", "it", "vision") and not (self.size_b or self._numbers)

    def _better(self, variant: str) -> str:
        """`Coder-Instruct` is a coder first."""
        return self.variant if self.variant and variant == "instruct" else variant

    def version(self) -> str | None:
        """`3.1`, `3-next`, `small-3.1`, `r1-distill`, as in the official name."""
        if self.family == "mistral" and self._series:
            return "-".join((*self._series[:1], *self._numbers[:1]))
        if self.family == "deepseek":
            return "-".join(w for w in self._series if w != "llm") or None
        numbers = self._numbers[:1]
        return "-".join((*numbers, *self._series[:1])) or None


def _billions(number: str, unit: str) -> float:
    value = float(number)
    return round(value / 1000, 6) if unit == "m" else value


def _misses(folded: str) -> Iterator[Model]:
    """Names spelled nearly right, the first of each."""
    for match in re.finditer(r"(?<![a-z0-9])([a-z]{4,12})(?=[^a-z]|$)", folded[:4000]):
        word = match[1]
        if word in _NO_MISS or word in VARIANTS:
            continue
        near = _nearest(word)
        if near is None:
            continue
        fixed = folded[: match.start()] + near + folded[match.end() :]
        exact = _names().match(fixed, match.start())
        model = _read(fixed, exact, guess=True) if exact is not None else None
        if model is not None:
            shift = len(word) - len(near)
            end = model.end + shift
            yield model._replace(words=folded[model.start : end], end=end)
            return


def _nearest(word: str) -> str | None:
    """The one family a word is a near miss of; None where two are as near."""
    ratios = sorted(
        (
            (SequenceMatcher(None, word, family).ratio(), family)
            for family, row in FAMILIES.items()
            if not row.is_word and len(family) >= 5 and family[0] == word[0] and abs(len(family) - len(word)) <= 2
        ),
        reverse=True,
    )  # fmt: skip
    good = [(ratio, family) for ratio, family in ratios if ratio >= LEAST_RATIO]
    if not good or (len(good) > 1 and good[0][0] - good[1][0] < 0.05):
        return None
    return good[0][1]
