"""Who of a chat or mailbox is the assistant: as somebody said, else by rule and shown.

Takes people and how much each answers. Knows no format.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

from podtune.core.dataset import Choice
from podtune.core.errors import DatasetError
from podtune.data.record import Reading

SHOWN: Final = 10
"""People who are named as candidates."""

NAME_LENGTH: Final = 40
"""Characters of a name that are shown."""

OPTION: Final = "--speaker NAME"
OPTION_OF_SEVERAL: Final = "--speaker NAME (several with commas)"
"""How to say who is the assistant: of two people one is, of more a whole team may be."""

CLOSE: Final = 0.2
"""Share of both scores within which two people fit about as well."""

SUPPORT: Final = re.compile(
    r"(?<![^\W_])(?:customer ?(?:care|service|support)|support|service ?desk|service|help ?desk|help|kundenservice|"
    r"kundendienst|kundenbetreuung|assistance|soporte|suporte|assistenza|klantenservice|info|care|staff|"
    r"agents?|mods?|moderators?|admins?|team)(?![^\W_])",
    re.IGNORECASE,
)
"""Words in names, local parts and roles of those whose work is to answer."""


def fold(name: str) -> str:
    """A name as it is compared: no case, no invisible marks, blanks collapsed, no leading ~ or @."""
    visible = "".join(c for c in name[:400] if unicodedata.category(c) != "Cf")
    return " ".join(visible.split()).lstrip("~@ ").casefold()


def shown(name: str) -> str:
    """A name as it may be shown to the owner of the chat."""
    visible = " ".join("".join(c for c in name[:400] if c.isprintable()).split())
    return visible if len(visible) <= NAME_LENGTH else visible[: NAME_LENGTH - 1] + "…"


def parts(wanted: str) -> list[str]:
    """The names of what was asked for, where it is taken for several with commas between them.

    >>> parts("Tom, Jana,")
    ['Tom', 'Jana']
    """
    return [part.strip() for part in wanted.split(",") if part.strip()] or [wanted]


def named(wanted: str, known: Iterable[str]) -> list[str]:
    """What was asked for as one name where somebody goes by all of it, else as several.

    Args:
        wanted: A name, or several with commas between them.
        known: Names of people who speak.
    """
    whole = fold(wanted)
    return [wanted] if any(fold(name) == whole for name in known) else parts(wanted)


def keys(wanted: str | None) -> frozenset[str]:
    """Every name that may be meant, folded; none where nobody was asked for."""
    names = (wanted or "", *parts(wanted or ""))
    return frozenset(key for name in names if (key := fold(name)))


def stated(wanted: str, people: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """The people who were asked for, by any of their names.

    Args:
        wanted: A name, id or address, or several with commas between them.
        people: Person -> every name they go by, the one to show first.

    Raises:
        DatasetError: nobody has one of the names.
    """
    called: dict[str, str] = {}
    for person, names in people.items():
        for name in names:
            called.setdefault(fold(name), person)
    called.pop("", None)
    shown_first = [next(iter(names), person) for person, names in people.items()]
    found: set[str] = set()
    for name in named(wanted, called):
        if fold(name) not in called:
            raise unknown(name, shown_first)
        found.add(called[fold(name)])
    return frozenset(found)


def unknown(wanted: str, names: Iterable[str]) -> DatasetError:
    """The error where nobody goes by a name."""
    candidates = [shown(name) for name in names][:SHOWN]
    listed = ", ".join(repr(name) for name in candidates) or "nobody speaks in it"
    return DatasetError(
        f"nobody here is called {shown(wanted)!r}",
        code="unknown_speaker",
        hint=f"say who is the assistant with {OPTION_OF_SEVERAL}; who speaks: {listed}",
        context={"candidates": candidates},
    )


def by_rule(reading: Reading, scores: Mapping[str, float], names: Mapping[str, str]) -> str | None:
    """The person who answers most, and the choice on record.

    Args:
        reading: Gets the choice.
        scores: Person -> how much they answer rather than ask, in the order they first spoke.
        names: Person -> the name to show.

    Returns:
        None where fewer than two people speak.
    """
    if len(scores) < 2:
        return None
    order = {person: at for at, person in enumerate(scores)}
    # of equals the one who did not speak first: answers follow questions
    ranked = sorted(scores, key=lambda p: (-scores[p], order[p] == 0, order[p]))
    best, second = ranked[:2]
    margin = CLOSE * (abs(scores[best]) + abs(scores[second]))
    named = [bool(SUPPORT.search(names[person])) for person in (best, second)]
    reading.choices["speaker"] = Choice(
        value=shown(names[best]),
        others=tuple(shown(names[person]) for person in ranked[1 : SHOWN + 1]),
        close=scores[best] - scores[second] <= margin and named != [True, False],
        option=OPTION if len(scores) == 2 else OPTION_OF_SEVERAL,
    )
    return best
