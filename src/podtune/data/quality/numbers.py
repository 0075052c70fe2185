"""Card, account and phone numbers in text.

Takes a text, gives spans. A digit run alone proves nothing: cards and accounts have check digits,
phones have a form and words around them. What it does not know: whether a number is in use.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

DIGITS: Final = 8
"""No number with fewer digits is looked for: a phone number without its area code has 6 or 7 and
looks like an order number."""

_AS_KINDS: Final = bytes(
    48 if 48 <= byte <= 57 else 97 if 65 <= byte & 0xDF <= 90 else 32 for byte in range(256)
)
_CARD_DIGITS: Final = 14
_CARD: Final = re.compile(
    r"[0-9]{14,19}+|[0-9]{4}(?:([ \-])[0-9]{4}(?:\1[0-9]{4}){2}(?:\1[0-9]{1,3})?|([ \-])[0-9]{6}\2[0-9]{4,5})"
)
_CARD_FORMS: Final = re.compile(
    # ISO/IEC 7812 issuer numbers and lengths as the networks publish them
    r"4(?:[0-9]{15}|[0-9]{18})"  # Visa; 13 digits are history, and those of a bar code
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}"  # Diners Club
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12}"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12}"  # JCB
    r"|62[0-9]{14}"  # UnionPay
    r"|(?:5018|5020|5038|6304|6759|676[1-3])[0-9]{12}"  # Maestro
)
_NOT_A_CARD: Final = re.compile(
    r"(?:\b(?:order|tracking|invoice|serial|imei|shipment|parcel|ticket|isbn|ean|sku|bestell\w*"
    r"|sendungs\w*|rechnungs\w*|serien\w*|commande|colis|suivi|facture|pedido|seguimiento|factura"
    r"|ordine|fattura)\b|\bid\b|#)"
    r"[ \-]?(?:number|nummer|nr|no|num[eé]ro|id|code)?\.?[ ]?(?:is|ist|est|es)?[ ]?[:#=\"]{0,2}[ ]?$",
    re.IGNORECASE,
)

_IBAN_LENGTHS: Final = {
    # as in the SWIFT IBAN registry (ISO 13616); a country's length does not change
    length: set(countries.split())
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FK FI FO GL NL SD", 19: "MK SI",
        20: "AT BA EE KZ XK LT LU MN", 21: "HR LV LI CH", 22: "BH BG CR GE DE IE ME RS GB VA",
        23: "TL GI IQ IL OM SO AE", 24: "AD CZ MD PK RO SA SK ES SE TN VG",
        25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MR MC SM", 28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
}  # fmt: skip
_LENGTH_OF: Final = {country: n for n, all_of_it in _IBAN_LENGTHS.items() for country in all_of_it}
_IBAN: Final = re.compile(  # begins with the digits: a search for them is fast
    r"[0-9]{2}(?<![A-Za-z0-9]..[0-9]{2})(?<=[A-Za-z]{2}[0-9]{2})(?:[ \-\u00a0]?[A-Za-z0-9]){11,30}"
)

# a letter (not of a script without blanks between words) or what joins numbers and codes
_JOINED_BEFORE: Final = re.compile(r"(?:[^\W\u2e80-\U0010ffff]|[_=%\\]|\w[\-/]|[0-9][.,:])\Z")
_JOINED_AFTER: Final = re.compile(r"[^\W\u2e80-\U0010ffff]|[\-/]\w|[.,:][0-9]")

_RUN: Final = re.compile(
    r"[0-9](?:[ \u00a0\u202f]?[().\-/\u2010-\u2013]{0,2}[ \u00a0\u202f]?[0-9])++"
)
_BARE_DIGITS: Final = range(9, 12)  # of a number without + and without blanks
_PHONE_DIGITS: Final = range(DIGITS, 16)  # ITU-T E.164: at most 15
_FORMS: Final = re.compile(
    # groups of digits that are written like this for phones only, whatever stands around them
    r"(?:1[ \-])?[2-9][0-9]{2}([ .\-\u2011])[0-9]{3}\1[0-9]{4}"  # North America
    r"|(?:1[ \-])?\([2-9][0-9]{2}\)[ ]?[0-9]{3}[ .\-\u2011][0-9]{4}"
    r"|0[1-9](?:([ .])[0-9]{2})(?:\2[0-9]{2}){3}"  # France
    r"|\(0?[1-9][0-9]{1,4}\)[ ]?[0-9]{3,5}[ \-]?[0-9]{4,5}"  # area code in brackets
    r"|0[0-9]{1,3}-[0-9]{3,4}-[0-9]{4}"  # Japan, Korea
    r"|00[1-9][0-9]{0,2}[ ][0-9][0-9 ]{6,14}[0-9]"  # international with 00
)
_WORD: Final = re.compile(r"[^\W\d_]+|[#$\u20ac\u00a3\u00a5]")
# What a word before a number says of it, in the languages of `languages.py`: whole words, and
# beginnings of words (of 4 letters or more, so that "tell" and "hotel" say nothing).
_WORDS: Final = {
    word: kind
    for kind, words in {
        "phone": "tel tél tlf telf phone phones cell mobile móvil móviles mobil mobiel cel sms fax gsm"
        " whatsapp portable handy hotline festnetz тел cellulare celular telemóvel telefoon",
        "near": "call ring text dial reach contact anruf anrufen ruf rufen ruft joindre joignable"
        " ligar ligue liga bel bellen ringa ringe zadzwoń chiama chiamami chiamate chiamare zavolejte"
        " ara rückruf",
        "number": "number nummer numéro numero número numer numara numaram номер",
        "other": "order tracking invoice serial shipment parcel ticket case customer account article"
        " item part model version isbn ean sku ref reference rma imei vat tax iban id between page date"
        " price total commande colis suivi facture client dossier série serie pedido seguimiento factura"
        " cliente ordine fattura spedizione encomenda fatura bestelling factuur # $ \u20ac \u00a3 \u00a5",
    }.items()
    for word in words.split()
}
_STEMS: Final = {
    "phone": ("telef", "télép", "telep", "smartphone", "iphone", "handyn", "mobiln", "mobilt", "komórk", "teléf", "télef", "телеф", "мобил"),
    "near": ("erreich", "appel", "llám", "llama", "zavol", "позвон", "звони"),
    "number": ("rufnummer",),
    "other": (
        "bestell", "auftrag", "sendung", "rechnung", "kunden", "seriennu", "artikel", "vorgang", "konto",
        "zamówi", "faktur", "objedn", "sipari", "заказ",
    ),
}  # fmt: skip
# scripts without blanks between words, or with endings and articles grown on
_PARTS_OF_WORDS: Final = (
    "電話", "电话", "手机", "手機", "携帯", "전화", "연락", "휴대", "هاتف", "جوال", "טלפון", "נייד",
    "फोन", "मोबाइल",
)  # fmt: skip
_WINDOW: Final = 40  # characters before a number that may say what it is


class Number(NamedTuple):
    """Where a number stands, what it is, and what may be shown of it."""

    code: str
    start: int
    end: int
    masked: str


def find(text: str) -> Iterator[Number]:
    """Every card, account and phone number in a text; accounts before cards before phones."""
    if b"aa00" in text.encode("utf-8", "replace").translate(_AS_KINDS):  # ten times as fast
        yield from _accounts(text)
    runs = [run.span() for run in _RUN.finditer(text) if run.end() - run.start() >= DIGITS]
    for start, end in runs:
        if end - start >= _CARD_DIGITS:
            yield from _cards(text, start, end)
    for start, end in runs:
        yield from _phones(text, start, end)


def _accounts(text: str) -> Iterator[Number]:
    for found in _IBAN.finditer(text):
        start = found.start() - 2
        country = text[start : start + 2].upper()
        length = _LENGTH_OF.get(country)
        end = length and _end_of_iban(text, start, length)
        if end:
            yield Number("pii_iban", start, end, f"{country}** *** {text[end - 2 : end]}")


def _end_of_iban(text: str, start: int, length: int) -> int:
    """Where an IBAN of so many characters ends; 0 when the check digits are wrong (ISO 13616)."""
    taken: list[str] = []
    end = start
    while end < len(text) and len(taken) < length:
        character = text[end]
        if character.isascii() and character.isalnum():
            taken.append(character.upper())
        elif character not in " -\u00a0":
            return 0
        end += 1
    code = "".join(taken)
    after = text[end : end + 1]
    if len(code) < length or sum(map(str.isdigit, code)) < DIGITS or after.isalnum():
        return 0
    turned = "".join(str(int(character, 36)) for character in code[4:] + code[:4])
    return end if int(turned) % 97 == 1 else 0


def _cards(text: str, first: int, last: int) -> Iterator[Number]:
    for found in _CARD.finditer(text, first, last):
        start, end = found.span()
        digits = re.sub("[^0-9]", "", found[0])
        if _CARD_FORMS.fullmatch(digits) and _luhn(digits) and _stands_alone(text, start, end):
            if found[0] == digits and _NOT_A_CARD.search(text[max(0, start - _WINDOW) : start]):
                continue
            yield Number("pii_card", start, end, f"**** **** {digits[-2:]}")


def _luhn(digits: str) -> bool:
    """The check digit of ISO/IEC 7812-1, annex B.

    >>> _luhn("4111111111111111"), _luhn("4111111111111112")
    (True, False)
    """
    doubled = sum(sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (doubled + sum(map(int, digits[-1::-2]))) % 10 == 0


def _stands_alone(text: str, start: int, end: int) -> bool:
    """Not a part of a longer number, a code or a word."""
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return not _JOINED_BEFORE.search(before) and not _JOINED_AFTER.match(after)


def _phones(text: str, first: int, last: int) -> Iterator[Number]:
    may_be_bare = last - first in _BARE_DIGITS or text[first - 1 : first] == "+"
    if not may_be_bare and text[first:last].isdigit():
        return
    for part in _parts(text, first, last):
        start, end = _with_brackets(text, *part)
        if _is_phone(text, start, end):
            yield Number("pii_phone", start, end, _mask(text[start:end]))


def _parts(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Two numbers with a blank or a slash between them are two where together they are too long."""
    if sum(map(str.isdigit, text[start : min(end, start + 200)])) in _PHONE_DIGITS:
        yield start, end
    elif end - start <= 200:  # longer ones are tables or noise
        at = start
        for gap in re.finditer(r"[ /][ /]{0,2}(?=[(0])", text[start:end]):
            yield at, start + gap.start()
            at = start + gap.end()
        yield at, end


def _with_brackets(text: str, start: int, end: int) -> tuple[int, int]:
    """The span with the `+` and `(` that belong to it, and without a closing one that does not."""
    for sign in ("(", "+", "("):
        if start and text[start - 1] == sign:
            start -= 1
    if text[start] == "(" and text.count("(", start, end) > text.count(")", start, end):
        start += 1  # "(+43 660 1234567)": the bracket is the sentence's
    return start, end


def _is_phone(text: str, start: int, end: int) -> bool:
    number = text[start:end]
    groups = re.findall("[0-9]+", number)
    digits = "".join(groups)
    if len(digits) not in _PHONE_DIGITS or not _stands_alone(text, start, end):
        return False
    if number.lstrip("(").startswith("+"):
        return _is_international(number, groups, digits)
    if len(groups) == 1:
        return len(digits) in _BARE_DIGITS and _is_called_phone(text, start)
    if _is_something_else(number, groups):
        return False
    word = _nearest_word(text, start)
    if _is_amount(number, groups) and word != "phone":
        return False
    if _FORMS.fullmatch(number):
        return word != "other"
    national = digits[0] == "0" and len(groups[0]) > 1 and 9 <= len(digits) <= 13
    if national:
        return word in ("phone", "near") or _word_behind(text, end) == "phone"
    return word == "phone" and len(digits) <= 13 and len(groups) <= 5


def _is_international(number: str, groups: list[str], digits: str) -> bool:
    """`+`, a country code and a number (ITU-T E.164)."""
    if digits[0] == "0" or re.fullmatch(r"\+[0-9]+\.[0-9]+", number):  # coordinates
        return False
    if digits[0] == "1":  # the North American plan
        return len(digits) == 11 and digits[1] in "23456789"
    return len(set(digits[2:])) > 1 or len(groups) > 1


def _is_something_else(number: str, groups: list[str]) -> bool:
    """Dates, spans of years, addresses of computers, versions."""
    if len(groups[0]) == 1 and groups[0] == "0":
        return True
    if re.match(r"[0-9]{4}[.\-/ ][0-9]{1,2}[.\-/ ][0-9]{1,2}(?![0-9])", number):
        return True
    if re.match(r"[0-9]{1,2}[.\-/ ]{1,2}[0-9]{1,2}[.\-/ ]{1,2}(?:19|20)[0-9]{2}(?![0-9])", number):
        return True
    if len(groups) == 4 and number.count(".") == 3:
        return True
    return bool(re.fullmatch(r"(?:19|20)[0-9]{2} ?[\-/\u2013] ?(?:19|20)[0-9]{2}", number))


def _is_amount(number: str, groups: list[str]) -> bool:
    """Digits in threes: 1 234 567."""
    thousands = groups[0][0] != "0" and all(len(group) == 3 for group in groups[1:])
    return thousands and len(groups[0]) <= 3 and bool(re.fullmatch(r"[0-9. \u00a0\u202f]+", number))


def _nearest_word(text: str, start: int) -> str | None:
    """What the last telling word before a number says: `phone`, `near` or `other`."""
    last = None
    for word in _WORD.findall(text, max(0, start - _WINDOW), start):
        kind = _kind(word)
        if kind:  # "order number" is about an order
            last = (last or "near") if kind == "number" else kind
    return last


def _is_called_phone(text: str, start: int) -> bool:
    """A bare run of digits is a phone number only right behind a word for one."""
    words = _WORD.findall(text, max(0, start - 24), start)
    return "phone" in map(_kind, words[-2:]) and "other" not in map(_kind, words[-2:])


def _word_behind(text: str, end: int) -> str | None:
    word = _WORD.search(text, end, end + 16)
    return _kind(word[0]) if word else None


def _kind(word: str) -> str | None:
    """What a word says of the number behind it."""
    word = word.lower()
    kind = _WORDS.get(word)
    if kind or (word.isascii() and len(word) < 4):
        return kind
    for kind, stems in _STEMS.items():
        if word.startswith(stems):
            return kind
    return "phone" if not word.isascii() and any(p in word for p in _PARTS_OF_WORDS) else None


def _mask(number: str) -> str:
    """`+43 *** 12`: where it is from, and the last two digits."""
    code = re.match(r"\+([0-9]{1,3})(?![0-9])", number)
    return f"{code[0] if code else ''} *** {number[-2:]}".strip()
