"""The language of a text, and whether a file mixes several.

Takes a text, gives an ISO 639-1 code, or None when unsure. By script, then by the small words that
every sentence needs. What it does not know: languages outside the tables (it says None, or the
nearest relative), dialects, and text in Latin letters that is shorter than a sentence.
"""

import re
from collections.abc import Mapping
from typing import Final

_LENGTH: Final = 1_000  # characters looked at: some 30 small words, many more than needed
_FEWEST_LETTERS: Final = 12
_FEWEST_LETTERS_WITHOUT_BLANKS: Final = 4  # a Chinese sentence may have no more

# Common small words of each language, chosen by hand. Relatives share many; `_latin` compares by
# those that only one of two has.
_SMALL_WORDS: Final[Mapping[str, frozenset[str]]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the and is are you your of that this it have with not be can from will was what how my"
        " we they which would there when please do does an has if i or at by",
        "de": "der die das und ist nicht sie ich ein eine den dem mit auf für zu wie wir auch werden kann"
        " haben ihr ihre im von sich oder bei wird einen einer aber nach es",
        "fr": "le la les et est vous que une des du pour pas dans je sur votre nous avec ce qui il sont"
        " être au cette mon ou mais comment ne vos aux un",
        "es": "el los las y que en una por para con es su del no se lo como está puede más pero usted"
        " mi sus al tiene cuando son hay desde un qué cómo",
        "it": "il che di è per non una con del della sono gli nel si come più anche può alla questo suo"
        " ma mi dei delle le ho hai essere un al",
        "pt": "o os que não uma para com você em da do seu por mais como na no está pode dos das mas ao"
        " são isso também ou sua meu foi um é",
        "nl": "de het een en van is niet dat u je op te voor met zijn ik aan deze ook kan kunt wordt uw"
        " om naar er hebben bij of maar wij als",
        "sv": "och att det är som en på inte du för med har den kan av om jag ett till din vi eller från"
        " ska när hur men var mig ditt",
        "da": "og at det er som en på ikke du for med har den kan af jeg et til din vi eller fra skal når"
        " hvordan men mig hvad blev også efter",
        "no": "og å det er som en på ikke du for med har den kan av jeg et til din vi eller fra skal når"
        " hvordan men meg hva ble også etter noe",
        "fi": "ja on ei se että hän ovat ole mutta kun niin voi tai myös joka tämä sinun minun miten kuin"
        " olen jos voit sen",
        "pl": "i w nie na się że z do jest to o jak po co ale tak czy przez od już może tego pan proszę"
        " jestem można lub dla są",
        "cs": "a je se na že to v s z do pro ale jak jsem není si jsou nebo který může pokud při vám byl"
        " které jako také prosím",
        "ro": "și de la nu este în că o cu pe un pentru să din mai sunt care dar ce vă poate dumneavoastră"
        " am fi acest",
        "hu": "a az és hogy nem is van egy ez meg de ha csak mint már vagy el lehet kell volt kérjük"
        " hogyan önnek",
        "tr": "ve bir bu için ne de da ile çok daha gibi değil var olarak ben sen siz lütfen ama"
        " kadar olan sonra",
        "vi": "và là của có không được cho trong một với này các người bạn tôi để những như khi về từ"
        " hãy đã sẽ",
        "id": "yang dan di ini itu dengan untuk tidak dari dalam akan pada saya anda ke bisa ada atau juga"
        " sudah apa kami adalah",
    }.items()
}  # fmt: skip
_FEWEST_SMALL_WORDS: Final = 3
_AHEAD: Final = (
    2  # of the words that only one of the two likeliest has, so many times those of the other
)

_WORD: Final = re.compile(r"[^\W\d_]+")
_NOISE: Final = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*+`|https?://\S++", re.DOTALL
)  # is English-like
_SCRIPTS: Final[Mapping[str, re.Pattern[str]]] = {
    # Unicode blocks (Blocks.txt)
    name: re.compile(f"[{ranges}]")
    for name, ranges in {
        "latin": "A-Za-z\u00c0-\u024f\u1e00-\u1eff",
        "cyrillic": "\u0400-\u052f",
        "greek": "\u0370-\u03ff",
        "arabic": "\u0600-\u06ff\u0750-\u077f",
        "hebrew": "\u0590-\u05ff",
        "devanagari": "\u0900-\u097f",
        "bengali": "\u0980-\u09ff",
        "tamil": "\u0b80-\u0bff",
        "thai": "\u0e00-\u0e7f",
        "hangul": "\u1100-\u11ff\uac00-\ud7af",
        "kana": "\u3040-\u30ff",
        "han": "\u3400-\u9fff",
    }.items()
}
_ONE_LANGUAGE: Final[Mapping[str, str]] = {
    "greek": "el", "hebrew": "he", "devanagari": "hi", "bengali": "bn",
    "tamil": "ta", "thai": "th", "hangul": "ko", "kana": "ja",
}  # fmt: skip
_WITHOUT_BLANKS: Final = frozenset({"kana", "han", "hangul", "thai"})

_SAMPLE: Final = 2_000
_FEWEST_TEXTS: Final = 2
_SMALLEST_SHARE: Final = 0.05


def language(text: str) -> str | None:
    """The language of a text, or None when unsure.

    >>> language("Wie kann ich mein Konto löschen? Ich finde die Einstellung nicht.")
    'de'
    >>> language("OK") is None
    True
    """
    plain = _NOISE.sub(" ", text[: 4 * _LENGTH])[:_LENGTH]
    counts = {name: len(pattern.findall(plain)) for name, pattern in _SCRIPTS.items()}
    counts["kana"] += (
        counts["han"] if 8 * counts["kana"] >= counts["han"] else 0
    )  # Japanese has both
    script = max(counts, key=lambda name: counts[name])
    fewest = _FEWEST_LETTERS_WITHOUT_BLANKS if script in _WITHOUT_BLANKS else _FEWEST_LETTERS
    if counts[script] < fewest or 2 * counts[script] < sum(counts.values()) - counts["han"] * (
        script == "kana"
    ):
        return None
    if script in _ONE_LANGUAGE:
        return _ONE_LANGUAGE[script]
    return _BY_SCRIPT[script](plain)


def _latin(text: str) -> str | None:
    words = _WORD.findall(text.lower())
    scores = {code: sum(map(small.__contains__, words)) for code, small in _SMALL_WORDS.items()}
    first, second = sorted(scores, key=lambda code: -scores[code])[:2]
    for_first = sum(map((_SMALL_WORDS[first] - _SMALL_WORDS[second]).__contains__, words))
    for_second = sum(map((_SMALL_WORDS[second] - _SMALL_WORDS[first]).__contains__, words))
    if scores[first] < _FEWEST_SMALL_WORDS or for_first <= _AHEAD * for_second:
        return None
    return first if 8 * scores[first] >= len(words) else None  # names, lists, code


def _cyrillic(text: str) -> str | None:
    """Letters that only one of the two alphabets has."""
    lowered = text.lower()
    ukrainian = sum(map(lowered.count, "іїєґ"))
    russian = sum(map(lowered.count, "ыэёъ"))
    if not ukrainian and not russian:
        return None
    return "uk" if ukrainian > russian else "ru"


def _arabic(text: str) -> str:
    """Persian and Urdu have letters that Arabic lacks."""
    if any(letter in text for letter in "ٹڈڑےں"):
        return "ur"
    return "fa" if any(letter in text for letter in "پچژگی") else "ar"


def _han(_: str) -> str:
    return "zh"


_BY_SCRIPT: Final = {"latin": _latin, "cyrillic": _cyrillic, "arabic": _arabic, "han": _han}


class Languages:
    """Counts the languages of a file's texts, on an even sample of at most 2,000.

    Every text is looked at until there are 2,000; then every second find is dropped and only
    every second text is looked at from there on, and so forth. So the sample is spread over the
    whole file, needs no random numbers and no knowledge of its length.
    """

    def __init__(self) -> None:
        self._every = 1
        self._texts = 0
        self._found: list[str | None] = []

    def add(self, text: str) -> None:
        """Take note of one text."""
        if self._texts % self._every == 0:
            if len(self._found) == _SAMPLE:
                self._found = self._found[::2]
                self._every *= 2
            if self._texts % self._every == 0:
                self._found.append(language(text))
        self._texts += 1

    def mixed(self) -> dict[str, int] | None:
        """Texts by language where a file mixes several, the commonest first; else None.

        A language counts with 2 texts and 5 % of those whose language is known: one text may be
        a quotation or a mistake of `language`, and 5 % are far more than its mistakes.
        """
        known = [code for code in self._found if code]
        counts = {code: known.count(code) for code in sorted(set(known))}
        enough = max(_FEWEST_TEXTS, _SMALLEST_SHARE * len(known))
        common = {code: count for code, count in counts.items() if count >= enough}
        if len(common) < 2:
            return None
        return dict(sorted(common.items(), key=lambda item: -item[1]))
