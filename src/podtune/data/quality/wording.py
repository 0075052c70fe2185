"""Text that is damaged: wrongly decoded, cut off, or with a template's markers in it.

Takes the text of a message, gives yes or no. Cautious: an answer that merely ends without a full
stop is none of these. What it does not know: whether what a text says is right.
"""

import re
from collections.abc import Mapping
from typing import Final

from podtune.data.quality.languages import language

# UTF-8 read as Windows-1252: a lead byte (C2-F4) as a letter, then continuation bytes (80-BF) as
# what Windows-1252, or Latin-1 where it has nothing, shows for them.
_HIGH: Final = "".join(
    bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(0x80, 0xC0)
)
_TELL_TALE: Final = re.compile(
    rf"[\u00c2-\u00df][{re.escape(_HIGH)}\x80-\x9f]"
    rf"|[\u00e0-\u00ef][{re.escape(_HIGH)}\x80-\x9f]{{2}}"
    rf"|[\u00f0-\u00f4][{re.escape(_HIGH)}\x80-\x9f]{{3}}"
)
_BYTE_OF: Final[Mapping[int, int]] = {
    ord(character): byte for byte, character in enumerate(_HIGH, 0x80)
}
_SIGNS: Final = "\u00d7\u00d8\u00df"  # a product, a diameter, the end of a German word
# what may stand behind a letter in correct text: "\u00d6\u201c" in quotes, "\u00e9\u00a0\u00bb" in French
_CLOSING: Final = frozenset(
    "\u2018\u2019\u201a\u201c\u201d\u201e\u2039\u203a\u00ab\u00bb\u2026\u2013\u2014\u00a0\u00ba\u00aa\u00b0\u2122\u00ae\u00a9\u00b7\u00b4\u00b2\u00b3\u00b9"
)
_REPLACEMENT: Final = "\ufffd"

_ENDS: Final = frozenset(".!?")
_FENCE: Final = re.compile(r"^[ ]{0,3}(?:```|~~~)", re.MULTILINE)
_LAST_WORD: Final = re.compile(r"(?:^|\s)([^\W\d_]+)(?:\s?(?:\.{3}|\u2026))?\Z")
_HYPHENATED: Final = re.compile(r"(?<![^\W\d_]-)\b[^\W\d_]{2,}-\Z")
_MARKED_CUT: Final = re.compile(r"[\[(<](?:\.\.\.|\u2026|truncated|cut off)[\])>]\Z", re.IGNORECASE)
_OPEN: Final = re.compile(r"[\w ][(\[]([^()\[\]]{0,200})\Z")
_NOT_PROSE: Final = re.compile(
    r"^\s*(?:[|>#]|\d+[.)]\s|[-*\u2022]\s)|[{};=<>|\\]|https?://|www\.|`"
)
_FEWEST_WORDS: Final = 5
# words that need another one behind them, in writing; not those that also stand at the end
# (an English "in" or "for", a German "das" or "mit")
_UNFINISHED: Final[Mapping[str, frozenset[str]]] = {
    code: frozenset(words.split())
    for code, words in {
        "en": "the an and or but because of your my their our if than although whose every",
        "de": "und oder aber weil dass eine einen einem eines einer dem des zum zur vom beim ihre"
        " deine unsere sowie falls wenn obwohl denn",
        "fr": "le la les un une des du et ou mais parce que aux votre vos notre nos leurs car dont si",
        "es": "el la los las una unas unos y o pero del al porque su sus que nuestra nuestro con de",
        "it": "il la lo gli una uno e o ma del della dei delle alla al nel nella che perché con di",
        "pt": "os uma um e ou mas do da dos das ao porque seu sua que com de em",
        "nl": "de het een en of maar omdat uw onze deze van",
        "sv": "och eller men ett av att eftersom ditt din vårt",
        "da": "og eller men et af fordi dit din vores",
        "pl": "i oraz lub ale w z że ponieważ",
        "cs": "a nebo ale v s že protože",
    }.items()
}

_MARKER: Final = re.compile(
    r"<\|[a-z_0-9]{2,40}\|>"  # ChatML, Llama 3, GPT, Phi
    r"|<\uff5c[^\uff5c\n]{1,40}\uff5c>"  # DeepSeek
    r"|\[/?INST\]|<</?SYS>>"  # Llama 2, Mistral
    r"|<(?:start|end)_of_turn>"  # Gemma
    r"|<\|(?:START|END)_OF_TURN_TOKEN\|>"  # Cohere
)


def is_mojibake(text: str) -> bool:
    """Whether UTF-8 was read as another encoding on the way here, or bytes were lost.

    >>> is_mojibake("CafÃ© crÃ¨me"), is_mojibake("Itâ€™s"), is_mojibake("São João, Ção à »")
    (True, True, False)
    """
    if text.isascii():
        return False
    return _REPLACEMENT in text or any(map(_is_damage, _TELL_TALE.finditer(text)))


def _is_damage(found: re.Match[str]) -> bool:
    """Whether the characters are UTF-8 in disguise and make no sense as they stand."""
    run = found[0]
    try:
        bytes(_BYTE_OF.get(ord(c), ord(c)) for c in run).decode()
    except ValueError:
        return False
    if run[0] in _SIGNS and not _TELL_TALE.match(found.string, found.end()):
        return False
    if any(character not in _CLOSING for character in run[1:]):
        return True
    before = found.string[max(0, found.start() - 1) : found.start()]
    return run[0] in "\u00c2\u00c3" and not before.isupper()


def looks_cut(text: str) -> bool:
    """Whether an answer stops in the middle of a sentence or of a block of code.

    >>> looks_cut("Open the settings, choose the account and"), looks_cut("Yes, on Monday")
    (True, False)
    """
    text = text.rstrip()
    if ("```" in text or "~~~" in text) and len(_FENCE.findall(text)) % 2:
        return True
    last = text.rpartition("\n")[2]
    if last[-1:] in _ENDS and not last.endswith("..."):
        return False
    if _MARKED_CUT.search(last[-20:]):
        return True
    if _NOT_PROSE.search(last) or len(last.split()) < _FEWEST_WORDS:
        return False
    if last.endswith(",") or _HYPHENATED.search(last[-60:]) or _opens_bracket(last):
        return True
    word = _LAST_WORD.search(last[-60:])
    return bool(word) and word[1] in _UNFINISHED.get(language(text) or "", ())


def _opens_bracket(line: str) -> bool:
    found = _OPEN.search(line[-210:])
    return found is not None and found[1][-1:] not in (".", "!", "?", ":", ";")


def chat_markers(text: str) -> str | None:
    """The first special token of a chat template that stands in a text as characters.

    >>> chat_markers("<|im_start|>user"), chat_markers("### Instruction:")
    ('<|im_start|>', None)
    """
    if "<" not in text and "INST]" not in text:
        return None
    found = _MARKER.search(text)
    return found[0] if found else None
