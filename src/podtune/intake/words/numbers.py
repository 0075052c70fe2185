"""Numbers as people write them: digits of several habits, powers of ten, words of six languages.

What `1.500` means depends on the language; where that does not decide, the number says so and money is
not read from it.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final, NamedTuple

from podtune.intake.words.patterns import Pattern

COMMA_LANGUAGES: Final = frozenset(("fr", "de", "es", "it", "pt"))
"""Where 1,5 is one and a half and 1.500 is one thousand five hundred."""

DIGITS: Final = (
    r"(?<![0-9.])(?:(?<![^ =:(])[+\-])?(?:[1-9]\d{0,2}(?:[,.'](?:\d{2,3}[,.']){0,4}\d{3})(?!\d)(?:[.,]\d{1,9})?|\d{1,15}(?:[.,]\d{1,12})?|\.\d{1,12})"
    r"(?:e[+\-]?\d{1,3}(?![a-z0-9]))?(?:\s?[x*]\s?10\s?(?:\^|\*\*)?\s?\(?[+\-]?\d{1,2}\)?(?!\d))?"
)
"""One number in digits; what follows it (k, %, a unit) is the next token."""


class Number(NamedTuple):
    """A number that stands in a text."""

    value: float
    is_doubtful: bool = False
    """Whether another habit of writing reads it otherwise."""


_POWER: Final = Pattern(r"(.+?)\s?[x*]\s?10\s?(?:\^|\*\*)?\s?\(?([+\-]?\d{1,2})\)?$")


def read_digits(text: str, language: str) -> Number:
    """The value of what `DIGITS` found."""
    power = _POWER.match(text)
    if power is not None:
        mantissa = read_digits(power[1], language)
        return Number(float(f"{mantissa.value!r}e{int(power[2])}"), mantissa.is_doubtful)
    mantissa, mark, exponent = text.partition("e")
    plain, is_doubtful = _plain(mantissa.replace("'", ""), language)
    return Number(float(plain + (f"e{exponent}" if mark else "")), is_doubtful)


def _plain(text: str, language: str) -> tuple[str, bool]:
    """Digits with a point before the fraction, and whether that was a guess."""
    points, commas = text.count("."), text.count(",")
    if not points + commas:
        return text, False
    if points and commas:
        fraction = "." if text.rfind(".") > text.rfind(",") else ","
        other = "," if fraction == "." else "."
        return text.replace(other, "").replace(fraction, "."), text.count(fraction) > 1
    sign = "." if points else ","
    if points + commas > 1:
        return text.replace(sign, ""), False
    before, after = text.lstrip("+-").split(sign)
    if len(after) != 3 or before in ("", "0") or len(before) > 3:
        return text.replace(",", "."), False
    groups = (sign == ".") == (language in COMMA_LANGUAGES)
    expected = sign == "," if language not in COMMA_LANGUAGES else sign == "."
    return (text.replace(sign, "") if groups else text.replace(",", ".")), not expected


_ENGLISH: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen", "twenty thirty forty fifty sixty seventy eighty ninety",
)  # fmt: skip
_GERMAN: Final = (
    "null ein zwei drei vier funf sechs sieben acht neun zehn elf zwolf dreizehn vierzehn funfzehn sechzehn "
    "siebzehn achtzehn neunzehn", "zwanzig dreissig vierzig funfzig sechzig siebzig achtzig neunzig",
)  # fmt: skip
_FRENCH: Final = (
    "zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix+sept "
    "dix+huit dix+neuf", "vingt trente quarante cinquante soixante soixante+dix quatre+vingt quatre+vingt+dix",
)  # fmt: skip
_SPANISH: Final = (
    "cero un dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis "
    "diecisiete dieciocho diecinueve", "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
)  # fmt: skip
_ITALIAN: Final = (
    "zero un due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici "
    "sedici diciassette diciotto diciannove", "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
)  # fmt: skip
_PORTUGUESE: Final = (
    "zero um dois tres quatro cinco seis sete oito nove dez onze doze treze quatorze quinze dezesseis "
    "dezessete dezoito dezenove", "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
)  # fmt: skip
_TABLES: Final[Mapping[str, tuple[str, str]]] = {
    "en": _ENGLISH, "de": _GERMAN, "fr": _FRENCH, "es": _SPANISH, "it": _ITALIAN, "pt": _PORTUGUESE,
}  # fmt: skip
_MORE: Final[Mapping[str, str]] = {
    "en": "a=1 an=1 single=1 both=2 dozen=12 hundred=100 thousand=1000 million=1000000",
    "de": "eine=1 einen=1 einem=1 einer=1 eins=1 fuenf=5 zwoelf=12 fuenfzehn=15 dreißig=30 dreiunddreissig=33 "
    "fuenfzig=50 hundert=100 tausend=1000 million=1000000 millionen=1000000 dutzend=12",
    "fr": "une=1 quatre+vingts=80 cent=100 cents=100 mille=1000 million=1000000 millions=1000000",
    "es": "una=1 uno=1 veintiuno=21 veintidos=22 veintitres=23 veinticuatro=24 veinticinco=25 veintiseis=26 "
    "veintisiete=27 veintiocho=28 veintinueve=29 cien=100 ciento=100 doscientos=200 trescientos=300 "
    "quinientos=500 mil=1000 millon=1000000",
    "it": "uno=1 una=1 cento=100 duecento=200 trecento=300 cinquecento=500 mille=1000 mila=1000 duemila=2000 "
    "tremila=3000 cinquemila=5000 diecimila=10000 milione=1000000",
    "pt": "uma=1 duas=2 catorze=14 dezasseis=16 dezassete=17 dezanove=19 cem=100 cento=100 duzentos=200 "
    "quinhentos=500 mil=1000 milhao=1000000",
}  # fmt: skip
HALVES: Final = frozenset(
    [
        "half",
        "halbe",
        "halben",
        "halber",
        "halb",
        "demi",
        "demie",
        "media",
        "medio",
        "mezza",
        "mezzo",
        "meia",
        "meio",
    ]
)
PARTS: Final = {
    word: 1 / below
    for below, words in {
        3: "third drittel tiers tercio terzo terco", 4: "quarter viertel quart cuarto quarto", 5: "fifth funftel cinquieme quinto",
        8: "eighth achtel", 10: "tenth zehntel dixieme decimo",
    }.items()
    for word in words.split()
}  # fmt: skip
"""`a tenth of the rows`: parts of a whole, behind an article."""
OF_A_WHOLE: Final = frozenset(["of", "von", "der", "des", "vom", "davon", "zur", "fur", "de", "du", "des", "d", "di", "del", "dei", "delle", "della", "dell", "da", "do", "dos", "das", "for", "as", "aside", "away", "held", "goes", "go", "para", "pour", "per"])  # fmt: skip
MIXED: Final = {"anderthalb": 1.5, "eineinhalb": 1.5, "zweieinhalb": 2.5, "dreieinhalb": 3.5}
"""Words that are a number and a half at once."""

_AMBIGUOUS: Final = frozenset(["once", "elf", "due", "sei", "cent", "cents", "cem", "cien", "mil", "mille", "mila", "six", "dix", "sept", "un", "une", "una", "uno", "um", "uma", "ein", "eine", "einen", "einem", "einer", "eins", "a", "an", "million"])  # fmt: skip
"""Number words that are other words, or other numbers, in another of the languages."""

_AND: Final = frozenset(("and", "und", "et", "y", "e"))
_CJK: Final = {c: n for n, c in enumerate("零一二三四五六七八九十")} | {"两": 2, "百": 100, "千": 1000}  # fmt: skip


@cache
def words_of(language: str) -> Mapping[tuple[str, ...], int]:
    """Number words of a language (as tokens), 0 to 99 and the large ones."""
    small, tens = _TABLES[language]
    table: dict[tuple[str, ...], int] = {
        tuple(word.split("+")): n for n, word in enumerate(small.split())
    }
    ones = {n: word for word, n in table.items() if 0 < n < 20}
    for index, ten in enumerate(tens.split()):
        value, spelled = 20 + 10 * index, tuple(ten.split("+"))
        table[spelled] = value
        for n in range(1, 20 if language == "fr" and value in (60, 80) else 10):
            for joined in _joined(language, spelled, ones[n]):
                table[joined] = value + n
    table |= {
        tuple(w.split("+")): int(n)
        for w, _, n in (p.partition("=") for p in _MORE[language].split())
    }
    return table


def _joined(language: str, ten: tuple[str, ...], one: tuple[str, ...]) -> Sequence[tuple[str, ...]]:
    """`thirty two`, `zweiunddreissig`, `treinta y dos`, `trentadue`: all ways of a language."""
    if language == "de":
        whole = f"{one[0]}und{ten[0]}"
        return (whole,), (whole.replace("dreissig", "dreißig"),), (whole.replace("funf", "fuenf"),)
    if language == "it":
        end = ten[0][:-1] if one[0][0] in "uo" else ten[0]
        return ((end + one[0],),)
    return (*ten, *one), (*ten, {"es": "y", "pt": "e", "fr": "et"}.get(language, "and"), *one)


def read_words(words: Sequence[str], language: str) -> tuple[float, int] | None:
    """The number that a row of words begins with, and how many of them it takes.

    English is understood in every language, but for words that mean something else there.
    """
    ours = language if language in _TABLES else "en"
    others = () if not words or words[0] in _AMBIGUOUS else _TABLES
    for known in dict.fromkeys((ours, "en", *others)):
        found = _read(words, words_of(known), known)
        if found is not None:
            return found
    if words and 0 < len(words[0]) < 9 and all(c in _CJK for c in words[0]):
        return _read_cjk(words[0]), 1
    return None


def _read(
    words: Sequence[str], table: Mapping[tuple[str, ...], int], language: str
) -> tuple[float, int] | None:
    """`two hundred and five`: each part is added, or multiplies what stands before it."""
    total, part, used = 0, 0, 0
    while used < min(len(words), 12):
        skip = 1 if used and words[used] in _AND and used + 1 < len(words) else 0
        size = _longest(words[used + skip : used + skip + 4], table)
        if not size:
            break
        value = table[tuple(words[used + skip : used + skip + size])]
        if used and words[used + skip] != "dozen" and not _goes_on(part or total, value, skip):
            break
        if value == 100 or words[used + skip] == "dozen":
            part = max(part, 1) * value
        elif value >= 1000:
            total, part = total + max(part, 1) * value, 0
        else:
            part += value
        used += skip + size
    if not used:
        return None
    if used == 1 and words[0] in ("a", "an"):
        return None  # an article, until its noun is known: `tokens` reads those
    return float(total + part), used


def _longest(words: Sequence[str], table: Mapping[tuple[str, ...], int]) -> int:
    """How many of these words are one entry of the table, the most first; 0 for none."""
    return next((n for n in range(len(words), 0, -1) if tuple(words[:n]) in table), 0)


def _goes_on(before: int, value: int, skipped: int) -> bool:
    """Whether a number word continues the number: `five hundred` does, `five six` does not."""
    if value == 100:
        return before < 100
    if value >= 1000:
        return before < 1000 and not skipped
    return before >= 100 and before % 100 == 0


def _read_cjk(text: str) -> float:
    total, digit = 0, 0
    for character in text:
        value = _CJK[character]
        if value >= 10:
            total, digit = total + max(digit, 1) * value, 0
        else:
            digit = digit * 10 + value if digit else value
    return float(total + digit)
