"""How far a word reaches: clauses, what is negated, what is taken back, and which value is the last word.

Works on tokens only; knows no field but by name.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from podtune.intake.words.candidates import Candidate, Value
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.tokens import Sort, Token

_REACH: Final = 14
"""Tokens a negation reaches at most. Chosen: longer than a list of five cards."""

_ASKED: Final = 60
"""Characters that a question which leaves a choice reaches back. Chosen."""

_REASONS: Final = frozenset(["when", "because", "since", "whereas", "wenn", "weil", "denn", "wahrend", "quand", "puisque", "car", "cuando", "porque", "quando", "perche", "dato che"])  # fmt: skip
"""What begins another clause without a comma."""
_OPEN: Final = (Concept.BUT, Concept.AND)
"""What ends a negation inside a clause."""


def is_negated(tokens: Sequence[Token], at: int) -> bool:
    """Whether a `not` of the same clause stands before a token and nothing turns it round again."""
    for back in range(at - 1, max(-1, at - 1 - _REACH), -1):
        token = tokens[back]
        if token.is_break or token.concept in _OPEN or token.text in _REASONS:
            return False
        if token.text == ":" and not _is_list_of_refused(tokens, back):
            return False
        if token.concept is Concept.NOT:
            return not is_exclamation(tokens, back)
    return False


def _is_list_of_refused(tokens: Sequence[Token], at: int) -> bool:
    """`do not use: A100`; the colon of `don't start before I say so: qwen3 8b` ends the negation."""
    return any(token.concept is Concept.NOT for token in tokens[max(0, at - 2) : at])


def is_replaced(tokens: Sequence[Token], at: int) -> bool:
    """Whether `instead of` stands right before a token."""
    for back in range(at - 1, max(-1, at - 4), -1):
        token = tokens[back]
        is_thing = token.sort in (Sort.LITERAL, Sort.MODEL, Sort.CARD)
        if token.is_break or (is_thing and tokens[back + 1].concept is not Concept.OR):
            return False
        if token.concept is Concept.INSTEAD_OF:
            return True
    return False


def is_exclamation(tokens: Sequence[Token], at: int) -> bool:
    """Whether a `no` stands for a whole sentence: `no, make it 2`."""
    return at + 1 < len(tokens) and (tokens[at + 1].is_break or tokens[at + 1].text == ":")


def is_answered(tokens: Sequence[Token], at: int) -> bool:
    """Whether a question mark ends a choice: `spot or on-demand? spot` says it once."""
    if tokens[at].text != "?":
        return False
    for back in range(at - 1, max(-1, at - 1 - _REACH), -1):
        if tokens[back].concept is Concept.OR:
            return True
        if tokens[back].is_break and tokens[back].text != ",":
            return False
    return False


def corrections(tokens: Sequence[Token]) -> list[int]:
    """Where in the text somebody takes back what was said, or answers what they asked themselves."""
    return [
        token.start
        for at, token in enumerate(tokens)
        if token.concept is Concept.CORRECTION
        or (token.concept is Concept.NOT and is_exclamation(tokens, at))
        or is_answered(tokens, at)
    ]


def is_corrected_here(tokens: Sequence[Token], at: int) -> bool:
    """Whether a correction is announced shortly before a token."""
    for back in range(at - 1, max(-1, at - 7), -1):
        token = tokens[back]
        if token.concept is Concept.CORRECTION:
            return True
        if token.concept is Concept.NOT and is_exclamation(tokens, back):
            return True
        if is_answered(tokens, back):
            return True
        if token.sort in (Sort.LITERAL, Sort.MODEL, Sort.CARD):
            return False
    return False


_REFUSED_BEHIND: Final = Pattern(
    r" ?[:=?] ?(?:is )?(?:no|nope|off|false|nein|aus|non|nao|never|nie|0)\b(?! (?:problem|worries|matter|\d))| (?:off|nein danke|no thanks|non merci|no gracias|no grazie)\b(?! \w)| (?:is|are|isn t|would be|ist|sind|geht|kommt|est|n est|es|e|sao|should be|must be) (?:a |an |absolutely |definitely |really |uberhaupt |auch |simply )?(?:not? (?:go|ok|okay|fine|option|good|acceptable|allowed|wanted|needed|desired|possible|an option)|not\b(?! (?:a (?:problem|must)|only|just|required|necessary))|nicht\b(?! (?:schlimm|notig))|pas\b|off\b|out\b|forbidden|unacceptable|excluded|off limits|tabu|verboten|exclu\w*|prohibid\w*|proibid\w*|vietat\w*)"
    r"| (?:(?:is|are) )?not (?:allowed|ok|okay|wanted|permitted|possible|acceptable|an option)\b"
    r"| (?:(?!wenn|falls|sofern|solange|nur|und|aber|oder)\w{1,12} ){0,3}nicht\b(?! (?:nur|schlimm|notig|vergessen|zu))| ?[はを]? ?(?:使わない|使わず|なし|以外|避け)"
)
_REFUSED_BEFORE: Final = Pattern(
    r"\b(?:niente|nix|nichts (?:mit|von|auf)|nada (?:de|con)|nessun\w*|ningun\w*|nenhum\w*|rien (?:de|en|sur)|aucun\w*|senza|sem|sin|sans|ohne|keinerlei)(?: di| de)? $"
)


def is_refused(loose: str, start: int, end: int) -> bool:
    """Whether a wish is refused by the words right beside it: `spot: no`, `spot is a no-go`, `niente spot`.

    Args:
        loose: The text in small letters, with blanks for hyphens and apostrophes.
        start: Where the wish begins.
        end: Where it ends.
    """
    before = loose[max(0, start - 24) : start]
    return bool(_REFUSED_BEHIND.match(loose, end) or _REFUSED_BEFORE.search(before))


def answered_choices(tokens: Sequence[Token]) -> list[int]:
    """Where in the text questions end that leave a choice."""
    return [token.start for at, token in enumerate(tokens) if is_answered(tokens, at)]


def without_asked(found: Sequence[Candidate], asked_at: Sequence[int]) -> list[Candidate]:
    """What is left once a choice that is asked about is answered, or had but one side that is known."""
    kept = list(found)
    for place in asked_at:
        for field in {c.field for c in kept}:
            said = [c for c in kept if c.field == field]
            asked = [c for c in said if place - _ASKED <= c.start < place]
            is_half_known = len({_key(c.value) for c in asked}) == 1
            if asked and (is_half_known or any(c.start > place for c in said)):
                kept = [c for c in kept if c not in asked]
    return kept


class Settled(NamedTuple):
    """One value a field, and the fields of which several are left."""

    chosen: dict[str, Candidate]
    conflicts: list[str]


def settle(candidates: Iterable[Candidate], corrected_at: Sequence[int]) -> Settled:
    """The last word where one was taken back; two different words otherwise are a conflict."""
    by_field: dict[str, list[Candidate]] = {}
    for candidate in sorted(candidates, key=lambda c: c.start):
        by_field.setdefault(candidate.field, []).append(candidate)
    chosen: dict[str, Candidate] = {}
    conflicts: list[str] = []
    for field, found in by_field.items():
        last = found[-1]
        taken_back = [at for at in corrected_at if found[0].end <= at <= last.start]
        if taken_back:
            found = [c for c in found if c.start >= max(taken_back)]
        if len({_key(c.value) for c in found}) > 1:
            conflicts.append(field)
        else:
            chosen[field] = found[0]
    return Settled(chosen, conflicts)


def _key(value: Value) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return repr(value).lower()
