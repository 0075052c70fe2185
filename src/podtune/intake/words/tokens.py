"""A folded text -> its tokens: numbers with values, words with concepts, breaks, and what was taken out.

Takes text in which literals, models and cards are blanked already. Knows nothing of fields.
"""

import re
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from podtune.intake.words import mistyped
from podtune.intake.words.lexicon import SMALL_WORDS, Concept, phrases
from podtune.intake.words.literals import HEAD, TAIL
from podtune.intake.words.numbers import (
    DIGITS,
    HALVES,
    MIXED,
    OF_A_WHOLE,
    PARTS,
    Number,
    read_digits,
    read_words,
)
from podtune.intake.words.patterns import Pattern

MODEL_HEAD: Final = "\ue003"
CARD_HEAD: Final = "\ue005"
LONGEST_PHRASE: Final = 6


class Sort(StrEnum):
    """What kind of thing a token is."""

    NUMBER = "number"
    WORD = "word"
    SIGN = "sign"
    BREAK = "break"
    LITERAL = "literal"
    MODEL = "model"
    CARD = "card"


class Token(NamedTuple):
    """One piece of the text."""

    sort: Sort
    text: str
    start: int
    end: int
    number: Number | None = None
    concept: Concept | None = None
    is_spelled: bool = False
    """A number in words."""

    @property
    def is_break(self) -> bool:
        """Whether a clause ends here."""
        return self.sort is Sort.BREAK


_CJK: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_SIGNS: Final = {HEAD: Sort.LITERAL, MODEL_HEAD: Sort.MODEL, CARD_HEAD: Sort.CARD}
_LEX: Final = Pattern(
    rf"(?P<taken>[{HEAD}{MODEL_HEAD}{CARD_HEAD}]{TAIL}*)"
    r"|(?P<percent>\b(?:per ?cent|prozent|pour ?cent|por ?ciento|per ?cento|por ?cento)\b)"
    rf"|(?P<number>{DIGITS})"
    r"|(?P<break>[,;!?\n()\[\]]|\.(?!\d)|(?<=\s)-(?=\s))"
    rf"|(?P<cjk>[{_CJK}]+)"
    rf"|(?P<word>[^\W\d_{_CJK}]+)"
    r"|(?P<sign>(?<=[\w])[\-'_/](?=[^\W\d_])|[^\s])"
)
_CJK_WORDS: Final = frozenset(
    ["美元", "美金", "欧元", "英镑", "日元", "韩元", "人民币", "块钱", "ドル", "ユーロ", "ポンド"]
)
"""Currencies, which must not be read as their last character."""

_MULTIPLES: Final = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 1_000_000}
"""What `half a` may stand before."""

_ONES: Final = frozenset(["a", "an", "one", "un", "une", "ein", "eine", "una", "uno", "um", "uma"])
_GLUE: Final = frozenset("-'_")
_KANA: Final = Pattern("[\u3040-\u30ff]")
_HAN: Final = Pattern("[\u4e00-\u9fff]")


def language_of(folded: str) -> str:
    """ISO 639-1 by the commonest small words; `en` where nothing tells."""
    if _KANA.search(folded):
        return "ja"
    if _HAN.search(folded):
        return "zh"
    counts: Counter[str] = Counter()
    for word in re.findall(r"[a-z]{1,20}", folded[:4000]):
        counts.update(code for code, words in SMALL_WORDS.items() if word in words)
    best = max(counts.values(), default=0)
    return "en" if counts["en"] == best else next(c for c in SMALL_WORDS if counts[c] == best)


def tokenise(folded: str, language: str) -> list[Token]:
    """The tokens of a text, numbers and phrases put together. Linear in the length."""
    return _numbered(_phrased(_pieces(folded, language), language), language)


def _pieces(folded: str, language: str) -> list[Token]:
    """Single words, digits and signs; hyphens and apostrophes inside words are gone."""
    found: list[Token] = []
    for match in _LEX.finditer(folded):
        text, start, end, kind = match[0], match.start(), match.end(), match.lastgroup
        if kind == "taken":
            found.append(Token(_SIGNS[text[0]], text[0], start, end))
        elif kind == "number":
            number = read_digits(text, language)
            found.append(Token(Sort.NUMBER, text, start, end, number))
        elif kind == "percent":
            found.append(Token(Sort.SIGN, "%", start, end))
        elif kind == "break":
            found.append(Token(Sort.BREAK, text, start, end))
        elif kind == "cjk":
            found += _cjk(text, start, language)
        elif kind == "word":
            found.append(Token(Sort.WORD, text, start, end))
        elif text not in _GLUE or not _is_inside(folded, start):
            found.append(Token(Sort.SIGN, text, start, end))
    return found


def _is_inside(folded: str, at: int) -> bool:
    """Whether a hyphen joins two words or a number and a unit."""
    return 0 < at < len(folded) - 1 and folded[at - 1].isalnum() and folded[at + 1].isalpha()


def _cjk(text: str, start: int, language: str) -> list[Token]:
    """A run without blanks, cut at the longest phrases that are known."""
    table, found, at = phrases(language), list[Token](), 0
    while at < len(text):
        longest = min(8, len(text) - at)
        pieces = ((n, text[at : at + n]) for n in range(longest, 0, -1))
        size = next((n for n, piece in pieces if piece in table or piece in _CJK_WORDS), 1)
        if text[at] in "零一二三四五六七八九十两百千":
            numerals = re.match("[零一二三四五六七八九十两百千]+", text[at:])
            size = len(numerals[0]) if numerals else 1
        piece = text[at : at + size]
        found.append(Token(Sort.WORD, piece, start + at, start + at + size))
        at += size
    return found


def _phrased(pieces: Sequence[Token], language: str) -> list[Token]:
    """Words that make a known phrase, as one token with its concept."""
    table, found, at = phrases(language), list[Token](), 0
    pieces = [
        p._replace(text=mistyped.meant(p.text))
        if p.sort is Sort.WORD and p.text not in table
        else p
        for p in pieces
    ]
    while at < len(pieces):
        piece = pieces[at]
        known = table.get(piece.text)
        if known is None or piece.sort not in (Sort.WORD, Sort.SIGN):
            found.append(piece)
            at += 1
            continue
        words = tuple(p.text for p in pieces[at : at + LONGEST_PHRASE] if not p.is_break)
        size = next((n for n in range(len(words), 0, -1) if words[:n] in known), 0)
        whole = pieces[at : at + max(size, 1)]
        text = " ".join(p.text for p in whole)
        concept = known.get(words[:size]) if size else None
        found.append(Token(piece.sort, text, piece.start, whole[-1].end, concept=concept))
        at += max(size, 1)
    return found


def _numbered(tokens: Sequence[Token], language: str) -> list[Token]:
    """Number words and halves, as one token with a value."""
    found: list[Token] = []
    at = 0
    while at < len(tokens):
        token, size = _half(tokens, at) or _spelled(tokens, at, language) or (tokens[at], 1)
        if token.number is not None and found and _adds_half(tokens, at, size):
            before = found.pop()
            if before.number is not None:
                token = token._replace(start=before.start, number=Number(before.number.value + 0.5))
        found.append(token)
        at += size
    return _with_halves(found)


def _adds_half(tokens: Sequence[Token], at: int, size: int) -> bool:
    """`1 1/2`: a fraction right behind a number."""
    if size != 3 or at == 0 or tokens[at - 1].number is None:
        return False
    return tokens[at].start - tokens[at - 1].end <= 1


def _half(tokens: Sequence[Token], at: int) -> tuple[Token, int] | None:
    """`half a`, `eine halbe`, `1/2`."""
    token = tokens[at]
    if token.sort is Sort.WORD and token.text in MIXED:
        return token._replace(
            sort=Sort.NUMBER, number=Number(MIXED[token.text]), is_spelled=True
        ), 1
    if token.sort is Sort.WORD and token.text in HALVES:
        more = 1 if at + 1 < len(tokens) and tokens[at + 1].text in ("a", "an", "of") else 0
        value = 0.5
        if at + more + 1 < len(tokens):
            multiple = _MULTIPLES.get(tokens[at + more + 1].text)
            value, more = (value * multiple, more + 1) if multiple else (value, more)
        return token._replace(
            sort=Sort.NUMBER, end=tokens[at + more].end, number=Number(value), is_spelled=True
        ), 1 + more
    three = tokens[at : at + 3]
    if (
        len(three) == 3
        and token.text in _ONES
        and three[1].text in PARTS
        and three[2].text in OF_A_WHOLE
    ):
        value, size = Number(PARTS[three[1].text]), _of_an_epoch(tokens, at + 2) or 2
        end = tokens[at + size - 1].end
        return token._replace(sort=Sort.NUMBER, end=end, number=value, is_spelled=True), size
    if len(three) == 3 and three[1].text == "/" and three[0].end == three[1].start:
        above, below = three[0].number, three[2].number
        if above and below and above.value in (1, 3) and below.value in (2, 4):
            value = Number(above.value / below.value)
            return token._replace(end=three[2].end, number=value), 3
    return None


def _of_an_epoch(tokens: Sequence[Token], at: int) -> int:
    """`a quarter of an epoch`: how many tokens there are up to the epoch; 0 where none is named."""
    rest = tokens[at : at + 4]
    until = next((n for n, t in enumerate(rest) if t.concept is Concept.EPOCHS), 0)
    is_one = until and all(
        t.text in _ONES or t.text in OF_A_WHOLE or t.text == "'" for t in rest[:until]
    )
    return 2 + until if is_one else 0


def _spelled(tokens: Sequence[Token], at: int, language: str) -> tuple[Token, int] | None:
    """`thirty two`, `a hundred`."""
    token = tokens[at]
    if token.sort is not Sort.WORD or token.concept not in (None, Concept.THOUSAND, Concept.AND):
        return None
    if token.concept is not None and token.text not in ("mille", "mil", "thousand", "tausend"):
        return None
    words: list[str] = []
    for each in tokens[at : at + 12]:
        if each.sort is not Sort.WORD:
            break
        words.append(each.text)
    read = read_words(words, language)
    if read is None or (token.text in ("mille", "mil") and at and tokens[at - 1].number):
        return None
    value, size = read
    last = tokens[at + size - 1]
    return Token(
        Sort.NUMBER, token.text, token.start, last.end, Number(value), is_spelled=True
    ), size


def _with_halves(tokens: Sequence[Token]) -> list[Token]:
    """`one and a half`, `eine und eine halbe`, `2 y media`: the half is added to what stands before."""
    found: list[Token] = []
    for token in tokens:
        is_half = token.number is not None and token.number.value == 0.5 and token.is_spelled
        at = len(found) - 1
        while (
            is_half
            and at >= 0
            and (
                found[at].concept is Concept.AND
                or found[at].text in ("a", "an", "eine", "ein", "une", "una")
            )
            and not (
                found[at].number is not None and found[at].text not in ("eine", "ein", "une", "una")
            )
        ):
            at -= 1
        before = found[at] if is_half and at >= 0 else None
        joins = any(t.concept is Concept.AND for t in found[at + 1 :])
        if before is not None and before.number is not None and joins:
            whole = Number(before.number.value + 0.5)
            found[at:] = [before._replace(end=token.end, number=whole)]
        elif (
            is_half and found and found[-1].text in ("eine", "ein", "une", "una", "einer", "einen")
        ):
            found[-1] = token._replace(start=found[-1].start)
        else:
            found.append(token)
    return found
