"""Amounts of money in a text, whatever they are for: numbers with a currency on either side.

A currency is never assumed; of a range the upper end counts.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from podtune.intake.words.document import Document
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.tokens import Sort, Token

_SIGNS: Final = {"$": "USD", "€": "EUR", "£": "GBP", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "TRY", "zł": "PLN", "¥": "", "฿": "THB", "₫": "VND", "₪": "ILS", "₴": "UAH"}  # fmt: skip
_DOLLARS: Final = {"us": "USD", "r": "BRL", "c": "CAD", "ca": "CAD", "a": "AUD", "au": "AUD", "hk": "HKD", "nz": "NZD", "s": "SGD", "mx": "MXN"}  # fmt: skip
"""What stands glued before a dollar sign."""
_WORDS: Final = {
    word: code
    for code, words in {
        "USD": "usd dollar dollars dolar dolares dollari dollaro dollaros buck bucks dlls 美元 美金 ドル",
        "EUR": "eur euro euros eurs 欧元 ユーロ",
        "GBP": "gbp pound pounds quid pfund livres libras sterline sterling 英镑 ポンド",
        "CNY": "cny rmb yuan yuans renminbi 元 块 块钱 人民币",
        "JPY": "jpy yen yens 円 日元",
        "CHF": "chf franken francs",
        "BRL": "brl reais real",
        "INR": "inr rupees rupee rupien rupias rs",
        "CAD": "cad", "AUD": "aud", "SEK": "sek", "NOK": "nok", "DKK": "dkk", "PLN": "pln zloty zl",
        "MXN": "mxn", "KRW": "krw won 韩元", "SGD": "sgd", "RUB": "rub rubles",
    }.items()
    for word in words.split()
}  # fmt: skip
_CENTS: Final = frozenset(("cent", "cents", "¢", "centavos", "centimes", "centesimi", "centimos"))
_ARTICLES: Final = frozenset(
    ("a", "an", "one", "un", "une", "una", "uno", "ein", "einen", "eine", "einem", "um")
)
_RANGE: Final = frozenset(["-", "to", "bis", "a", "ate", "and", "or", "y", "et", "e", "und", "o", "ou", "oder", "~", "到", "至", "hasta"])  # fmt: skip
_ENDS: Final = (
    Concept.AT_MOST,
    Concept.ABOUT,
    Concept.BUDGET,
    Concept.AND,
    Concept.OR,
    Concept.PER,
    Concept.BUT,
)
"""What may follow an amount in two parts: `5 € 50 maximum`."""
_PAID: Final = frozenset(("ausgeben", "kosten", "bezahlen", "zahlen"))


class Money(NamedTuple):
    """An amount in the text."""

    amount: float
    currency: str | None
    first: int
    """Index of its first token."""
    last: int
    is_range: bool = False
    is_doubtful: bool = False


def find(document: Document) -> Iterator[Money]:
    """Numbers with a currency on either side, ranges as their upper end, and bare budgets."""
    tokens, free = document.tokens, 0
    for at, token in enumerate(tokens):
        if at < free:
            continue
        found = _amount(document, at) or _one(tokens, at) or _bare(tokens, at)
        if found is not None:
            upper = _upper(document, found)
            free = upper.last + 1
            yield upper
        elif token.number is not None and (whole := _lower(document, at)) is not None:
            free = whole.last + 1
            yield whole


def _amount(document: Document, at: int) -> Money | None:
    """`$1.2k`, `12,50 €`, `R$ 40`, `5 dollars`, at the token where it begins."""
    tokens = document.tokens
    before, number_at = _currency_before(document, at)
    if number_at >= len(tokens):
        return None
    number = tokens[number_at].number
    if number is None:
        return None
    value, last = number.value, number_at
    if last + 1 < len(tokens) and (factor := _factor(tokens[last + 1], tokens[last])):
        value, last = value * factor, last + 1
    rest = tokens[last + 1 : last + 4]
    cents = rest[1].number if len(rest) == 3 and rest[0].text == "con" else None
    if cents is not None and 10 <= cents.value < 100 and _currency_of(document, last + 3):
        value, last = value + cents.value / 100, last + 2  # `12 con 50 euros`
    after = _currency_of(document, last + 1) if last + 1 < len(tokens) else None
    if last + 1 < len(tokens) and tokens[last + 1].text in _CENTS and before is None:
        return Money(
            value / 100,
            "EUR"
            if document.language not in ("en", "zh", "pt")
            else "USD"
            if document.language == "en"
            else None,
            at,
            last + 1,
        )
    if before is None and after is None:
        return None
    if after is not None:
        last += 1
    value, last = _small_change(tokens, value, last)
    currency = after if before is None or (before == "USD" and after) else before
    return Money(round(value, 6), currency or None, at, last, is_doubtful=number.is_doubtful)


def _currency_before(document: Document, at: int) -> tuple[str | None, int]:
    """The currency that begins at a token, and where its number would be."""
    tokens = document.tokens
    token = tokens[at]
    if (
        token.text in _DOLLARS
        and at + 1 < len(tokens)
        and tokens[at + 1].text == "$"
        and tokens[at + 1].start == token.end
    ):
        return _DOLLARS[token.text], at + 2
    if token.sort in (Sort.SIGN, Sort.WORD) and token.text not in (
        "real",
        "元",
        "块",
        "won",
        "rub",
        "pound",
        "pounds",
        "bucks",
        "rs",
    ):
        code = _currency_of(document, at)
        if code is not None:
            return code, at + 1
    return None, at


def _currency_of(document: Document, at: int) -> str | None:
    """The currency of a token; empty where the sign is of several."""
    token = document.tokens[at]
    if token.text in ("¥", "￥"):
        return {"zh": "CNY", "ja": "JPY"}.get(document.language, "")
    if token.text in _SIGNS:
        return _SIGNS[token.text]
    if (
        token.text in _DOLLARS
        and at + 1 < len(document.tokens)
        and document.tokens[at + 1].text == "$"
        and token.text != "a"
    ):
        return None
    return _WORDS.get(token.text)


def _factor(token: Token, before: Token) -> int | None:
    if token.concept is Concept.THOUSAND or token.text == "万":
        return 10_000 if token.text == "万" else 1000
    if (
        token.text
        in ("m", "mio", "million", "millions", "millionen", "millones", "milioni", "milhoes")
        and token.start - before.end <= 1
    ):
        return 1_000_000
    return None


def _small_change(tokens: Sequence[Token], value: float, last: int) -> tuple[float, int]:
    """`eight dollars fifty`, `8 € 50`, `8 dollars and 50 cents`."""
    rest = tokens[last + 1 : last + 4]
    if rest and rest[0].concept is Concept.AND:
        rest = rest[1:]
        if len(rest) > 1 and rest[0].number and rest[1].text in _CENTS:
            return value + rest[0].number.value / 100, last + 3
        return value, last
    if rest and rest[0].number and 10 <= rest[0].number.value < 100 and value == int(value):
        follows = rest[1] if len(rest) > 1 else None
        if tokens[last].sort in (Sort.WORD, Sort.SIGN) and (
            follows is None
            or follows.is_break
            or follows.text in _CENTS
            or follows.concept in _ENDS
            or follows.text in _PAID
        ):
            cents = 1 if follows is not None and follows.text in _CENTS else 0
            return value + rest[0].number.value / 100, last + 1 + cents
    return value, last


def _one(tokens: Sequence[Token], at: int) -> Money | None:
    """`a dollar`, `un euro`."""
    if at + 1 >= len(tokens) or tokens[at].text not in _ARTICLES:
        return None
    code = _WORDS.get(tokens[at + 1].text)
    if code is None or tokens[at + 1].sort is not Sort.WORD:
        return None
    more = tokens[at + 2 : at + 4]
    if len(more) == 2 and more[0].concept is Concept.MORE_THAN and more[1].number is not None:
        is_refused = at > 0 and tokens[at - 1].concept is Concept.NOT  # `not a dollar over 15`
        amount, is_odd = more[1].number.value, more[1].number.is_doubtful or not is_refused
        return Money(amount, code, at, at + 3, is_doubtful=is_odd)
    value, last = _small_change(tokens, 1.0, at + 1)
    return Money(value, code, at, last)


def _bare(tokens: Sequence[Token], at: int) -> Money | None:
    """`budget 10`, `budget of 10`: an amount without its currency."""
    number = tokens[at].number
    if number is None or (at + 1 < len(tokens) and not tokens[at + 1].is_break):
        follows = tokens[at + 1] if at + 1 < len(tokens) else None
        if (
            number is None
            or follows is None
            or follows.concept not in (Concept.AT_MOST, Concept.AND, Concept.ABOUT)
        ):
            return None
    for back in range(at - 1, max(-1, at - 5), -1):
        token = tokens[back]
        if token.concept is Concept.BUDGET or (
            token.text in ("spend", "ausgeben", "depenser", "gastar", "spendere", "花")
            and back < at - 1
        ):
            return Money(number.value, None, at, at, is_doubtful=number.is_doubtful)
        if token.is_break or token.concept not in (
            Concept.AT_MOST,
            Concept.LESS_THAN,
            Concept.ABOUT,
            None,
        ):
            return None
        if token.concept is None and token.text not in (
            "of",
            "is",
            ":",
            "=",
            "to",
            "de",
            "von",
            "di",
            "ist",
            "是",
            "only",
            "my",
        ):
            return None
    return None


def _upper(document: Document, money: Money) -> Money:
    """The other end of a range that goes on: `$5-$10`."""
    tokens, at = document.tokens, money.last + 1
    if (
        at + 1 >= len(tokens)
        or tokens[at].text not in _RANGE
        or (tokens[at].concept is Concept.AND and not _is_between(tokens, money.first))
    ):
        return money
    other = _amount(document, at + 1)
    number = tokens[at + 1].number
    if (
        other is None
        and number is not None
        and tokens[at].text != "or"
        and (at + 2 >= len(tokens) or tokens[at + 2].concept is None)
    ):
        other = Money(number.value, money.currency, at + 1, at + 1, is_doubtful=number.is_doubtful)
    if (
        other is None
        or other.amount <= money.amount
        or other.currency not in (money.currency, None)
    ):
        return money
    return other._replace(first=money.first, is_range=True)


def _lower(document: Document, at: int) -> Money | None:
    """A range of which only the upper end has the currency: `5 to 10 dollars`."""
    tokens = document.tokens
    if at + 2 >= len(tokens) or tokens[at + 1].text not in _RANGE:
        return None
    upper = _amount(document, at + 2)
    number = tokens[at].number
    if (
        upper is None
        or number is None
        or upper.amount <= number.value
        or tokens[at + 2].number is None
    ):
        return None
    if (
        tokens[at + 1].concept in (Concept.AND, Concept.OR)
        and not _is_between(tokens, at)
        and tokens[at + 1].concept is Concept.AND
    ):
        return None
    return upper._replace(first=at, is_range=True)


def _is_between(tokens: Sequence[Token], at: int) -> bool:
    before = tokens[at - 1].text if at else ""
    return before in ("between", "zwischen", "entre", "tra", "fra")
