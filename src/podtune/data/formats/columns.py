"""Which column of a table, or key of a record, is the question and which the answer.

By what somebody said, then by the names people give them in some twenty languages, then by what
stands in the columns. A reading by rule is always shown; where two are about as good it is asked.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from podtune.core.dataset import Choice, Confidence
from podtune.core.errors import DatasetError
from podtune.data.formats.column_names import NAMES

ROLES: Final = ("prompt", "completion", "system")

LABEL: Final = "label"
TEXT: Final = "text"
BESIDE: Final = (LABEL, TEXT)
"""Roles that only somebody's word gives: the rating of an answer, and plain text."""

ALIASES: Final = {
    "prompt": "prompt", "question": "prompt", "user": "prompt", "input": "prompt",
    "completion": "completion", "response": "completion", "answer": "completion",
    "assistant": "completion", "output": "completion", "system": "system",
    "label": LABEL, "rating": LABEL, "text": TEXT, "document": TEXT,
}  # fmt: skip
"""What people write before the `=` of `--map`."""

_BESIDE: Final = re.compile(
    r"(?:^|[ _-])(?:id|nr|no|num|number|date|datum|fecha|data|time|created|updated|timestamp|url|link|"
    r"lang|language|sprache|category|kategorie|categoría|tag|tags|status|priority|channel|kanal|score|"
    r"rating|email|mail|phone|author|source|index)(?:$|[ _-])"
)
"""Columns that are about a row and not its text."""

_QUESTION_MARKS: Final = ("?", "\uff1f", "\u061f", ";")
_SENTENCE_ENDS: Final = ("?", "!", ".", "\uff1f", "\u3002")

_MOST_WORDS: Final = 3
"""Words of the longest known name."""

MAX_COLUMNS: Final = 16_384
"""Columns of a table, as of an Excel sheet."""

_UNSPACED: Final = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\uffef]")
"""Letters of scripts that put no blanks between words."""

SAMPLE: Final = 50
"""Rows looked at to tell what stands in a column."""


class Mapped(NamedTuple):
    """Role -> column, how sure that is, and what else could be meant."""

    columns: dict[str, str]
    confidence: Confidence
    others: dict[str, tuple[str, ...]]
    """Role -> columns that fit about as well."""

    def choices(self) -> dict[str, Choice]:
        """The choice of columns as it is shown."""
        names = {"prompt": "prompt_column", "completion": "response_column"}
        return {
            names[role]: Choice(
                value=column,
                others=self.others.get(role, ()),
                close=bool(self.others.get(role)),
                option=f"--map {role}=NAME",
            )
            for role, column in self.columns.items()
            if role in names
        }


def normalise(name: str) -> str:
    """A name without case, accents of layout and separators.

    >>> normalise(" Customer_Message "), normalise("kundenFrage"), normalise("Q:")
    ('customer message', 'kunden frage', 'q')
    """
    text = unicodedata.normalize("NFKC", name)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return " ".join(re.split(r"[\s_\-./:()\[\]*#]+", text.casefold())).strip()


def wanted_columns(wanted: Mapping[str, str]) -> dict[str, str]:
    """What `--map` said, by our roles; unknown roles stay, to be refused by who reads them."""
    return {ALIASES.get(role.strip().lower(), role): column for role, column in wanted.items()}


def score(role: str, name: str) -> int:
    """How much a name speaks for a role: 3, 2 or 1 by its tier, 0 for none.

    >>> score("prompt", "Kundenfrage"), score("completion", "reply_text_1"), score("prompt", "id")
    (3, 2, 0)
    """
    return _score(role, normalise(name))


def _score(role: str, plain: str) -> int:
    known, inside = _known(role), _inside(role)
    tier = max(known.get(plain, (0, 0))[0], known.get(plain.replace(" ", ""), (0, 0))[0])
    if tier or not inside or _BESIDE.search(plain):
        return tier
    return next((tier for tier, names in inside.items() if _holds(plain, names)), 0)


@cache
def _known(role: str) -> Mapping[str, tuple[int, int]]:
    """Known name -> its tier (3, 2 or 1) and where it stands; the earlier are the likelier."""
    tiers = [
        (name, tier) for tier, names in zip((3, 2, 1), NAMES[role], strict=True) for name in names
    ]
    return {name: (tier, at) for at, (name, tier) in reversed([*enumerate(tiers)])}


@cache
def _inside(role: str) -> Mapping[int, tuple[str, ...]]:
    """Score -> names of the first two tiers that are looked for in longer ones."""
    return {
        tier: found
        for tier, names in zip((2, 1), NAMES[role][:2], strict=True)
        if (found := tuple(n for n in names if len(n) > 3 or not n.isascii()))
    }


def _holds(plain: str, names: tuple[str, ...]) -> bool:
    """Whether a longer name has a known one at its end or as words of its own."""
    if plain.endswith(names):
        return True
    words = plain.split(" ")
    if len(words) == 1:
        return not plain.isascii() and any(n in plain for n in names if not n.isascii())
    return any(
        " ".join(words[at : at + length]) in names
        for length in range(1, min(len(words), _MOST_WORDS) + 1)
        for at in range(len(words) - length + 1)
    )


def by_names(header: Sequence[str], wanted: Mapping[str, str]) -> Mapped | None:
    """The mapping that the names tell; None where they do not tell question and answer.

    Names that are only possible (`note`, `title`) leave the question open; so do two as good ones.
    """
    given = _given(header, wanted)
    columns: dict[str, str] = dict(given)
    plain = {name: normalise(name) for name in header}
    others: dict[str, tuple[str, ...]] = {}
    weakest = 3
    for role in ("completion", "prompt", "system"):
        if role in given:
            continue
        free = {name: text for name, text in plain.items() if name not in columns.values()}
        scores = {name: _score(role, text) for name, text in free.items()}
        ranked = sorted(free, key=lambda n: (-scores[n], _position(role, free[n])))
        best = scores[ranked[0]] if ranked else 0
        if not best or (role == "system" and best < 3):
            continue
        columns[role] = ranked[0]
        weakest = min(weakest, best)
        if role != "system":
            close = tuple(n for n in ranked[1:] if scores[n] == best)
            if best == 1:
                close += tuple(n for n in ranked[1:] if not scores[n] and _may_be_text(free[n]))
            if close:
                others[role] = close
    if "prompt" not in columns or "completion" not in columns:
        return None
    confidence = Confidence.CERTAIN if weakest == 3 and not others else Confidence.LIKELY
    if weakest == 1:
        confidence = Confidence.GUESS
    return Mapped({r: columns[r] for r in ROLES if r in columns}, confidence, others)


def _given(header: Sequence[str], wanted: Mapping[str, str]) -> dict[str, str]:
    """The columns of question, answer and system text that somebody named."""
    named = {role: _named(header, asked) for role, asked in wanted.items() if role in ROLES}
    return {role: column for role, column in named.items() if column is not None}


def _may_be_text(plain: str) -> bool:
    """Whether a column of an unknown name may hold what people wrote."""
    return not _BESIDE.search(plain) and not any(_score(role, plain) for role in ROLES)


def _position(role: str, plain: str) -> int:
    known = _known(role)
    return known[plain][1] if plain in known else len(known)


def _named(header: Sequence[str], asked: str) -> str | None:
    exact = next((name for name in header if name == asked), None)
    return exact or next((n for n in header if normalise(n) == normalise(asked)), None)


def missing(header: Sequence[str], wanted: Mapping[str, str]) -> list[str]:
    """Columns that somebody named and that are not there."""
    return [asked for asked in wanted.values() if _named(header, asked) is None]


def by_content(
    header: Sequence[str], rows: Sequence[Sequence[str]], wanted: Mapping[str, str]
) -> Mapped | None:
    """The mapping that the texts suggest: two columns of prose, the asking one first.

    Columns that somebody named are taken as they are. Returns None where there are no two.
    """
    given = _given(header, wanted)
    if given:
        return _completed(header, rows, given)
    prose = [i for i in range(len(header)) if _is_prose([r[i] for r in rows if i < len(r)])]
    if len(prose) < 2:
        return None
    asking = {i: _asks([r[i] for r in rows if i < len(r)]) for i in prose}
    prompt = max(prose, key=lambda i: (round(asking[i], 1), -i))
    rest = [i for i in prose if i != prompt]
    completion = next((i for i in rest if i > prompt), rest[0])
    columns = {"prompt": header[prompt], "completion": header[completion]}
    clear = asking[prompt] >= 0.5 and asking[completion] <= 0.2 and len(prose) == 2
    others = {} if clear else {"prompt": tuple(header[i] for i in rest)}
    return Mapped(columns, Confidence.LIKELY if clear else Confidence.GUESS, others)


def _completed(
    header: Sequence[str], rows: Sequence[Sequence[str]], given: dict[str, str]
) -> Mapped | None:
    """Named columns, and for the lacking side the one other column of prose."""
    if "prompt" in given and "completion" in given:
        return Mapped(given, Confidence.CERTAIN, {})
    lacking = "completion" if "prompt" in given else "prompt"
    free = [
        name
        for i, name in enumerate(header)
        if name not in given.values() and _is_prose([r[i] for r in rows if i < len(r)])
    ]
    if not free:
        return None
    others = {lacking: tuple(free[1:])} if len(free) > 1 else {}
    return Mapped({**given, lacking: free[0]}, Confidence.GUESS, others)


def _is_prose(cells: Sequence[str]) -> bool:
    """Whether a column holds sentences: mostly letters, several words or signs, not all alike."""
    filled = [c for c in cells[:SAMPLE] if c.strip()]
    if not filled:
        return False
    wordy = sum(
        sum(ch.isalpha() for ch in c) > 0.5 * len(c.strip())
        and (" " in c.strip() or (not c.isascii() and len(c.strip()) > 4))
        for c in filled
    )
    return wordy >= 0.5 * len(filled) and (len(set(filled)) > 1 or len(filled) == 1)


def _asks(cells: Sequence[str]) -> float:
    filled = [c.rstrip() for c in cells[:SAMPLE] if c.strip()]
    return sum(c.endswith(_QUESTION_MARKS) for c in filled) / max(1, len(filled))


def has_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns.

    A known name decides. Else a header has short cells that are all different, are no numbers and
    ask nothing, over a column whose cells are of another kind: words above numbers or sentences.
    Longer cells beneath alone say nothing: the first row may be a short one.
    """
    names = [cell.strip() for cell in first]
    plain = [normalise(n) if len(n) <= 60 else "" for n in names]
    if all(len(n) <= 60 for n in names) and any(_score(r, p) == 3 for p in plain for r in ROLES):
        return True
    filled = [n for n in names if n]
    if not filled or len(set(filled)) < len(filled):
        return False
    if any(
        len(n) > 40 or len(n.split()) > 4 or n.endswith(_SENTENCE_ENDS)
        or n.replace(".", "").replace(",", "").isdigit() for n in filled
    ):  # fmt: skip
        return False
    if any(_score(role, p) for p in plain for role in ROLES):
        return True
    return any(
        _differs(n, [r[i].strip() for r in rest[:SAMPLE] if i < len(r)])
        for i, n in enumerate(names)
        if n
    )


def is_named(header: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Whether a first row is a header beyond doubt, so that its cells may be shown as names.

    One of its names is a usual one, or a word stands above numbers, dates or addresses only.
    """
    plain = [normalise(name) for name in header if len(name) <= 60]
    if any(_BESIDE.search(p) or any(_score(role, p) for role in ROLES) for p in plain):
        return True
    for i, name in enumerate(header):
        beneath = {_kind(r[i].strip()) for r in rest[:SAMPLE] if i < len(r) and r[i].strip()}
        if _kind(name) == "word" and beneath and beneath <= {"number", "address"}:
            return True
    return False


def _differs(name: str, cells: Sequence[str]) -> bool:
    """Whether hardly any cell of a column is of the kind of the one above it."""
    kinds = [_kind(cell) for cell in cells if cell]
    return bool(kinds) and kinds.count(_kind(name)) * 10 <= len(kinds)


def _kind(cell: str) -> str:
    """`number`, `address`, `words` or `word`."""
    if 4 * sum(map(str.isalpha, cell[:200])) <= sum(map(str.isdigit, cell[:200])):
        return "number"  # also a date with its `T`; and what has neither letters nor digits
    if "@" in cell or "://" in cell:
        return "address"
    several = len(cell.split(None, 3)) > 3 or (len(cell) > 8 and _UNSPACED.search(cell))
    return "words" if several else "word"


def numbered(width: int) -> list[str]:
    """Names for the columns of a table without a header."""
    return [f"column {i}" for i in range(1, width + 1)]


def unique(header: Sequence[str]) -> list[str]:
    """Header cells as keys: blanks round them gone, empty and repeated ones numbered.

    Raises:
        DatasetError: more of them than `MAX_COLUMNS`.

    >>> unique(["a", " a", ""])
    ['a', 'a (2)', 'column 3']
    """
    if len(header) > MAX_COLUMNS:
        raise too_many(len(header))
    names: dict[str, None] = {}
    seen: Counter[str] = Counter()
    for index, cell in enumerate(header, start=1):
        name = cell.strip().lstrip("\ufeff") or f"column {index}"
        repeated = cell.strip() or "column"
        while name in names:
            seen[repeated] += 1
            name = f"{repeated} ({seen[repeated] + 1})"
        names[name] = None
    return list(names)


def too_many(count: int) -> DatasetError:
    """The error for a table that is wider than any."""
    return DatasetError(
        f"its rows have {count:,} columns; at most {MAX_COLUMNS:,} are read",
        code="too_many_columns",
        hint="keep the columns with questions and answers",
    )
