"""Which amount of money is a budget: total, an hour's or a card's hour, at most or about.

An amount is a budget only where the words around it say so; everything else that looks like money is left
alone.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from podtune.intake.words import amounts
from podtune.intake.words.amounts import Money
from podtune.intake.words.candidates import Candidate
from podtune.intake.words.clauses import is_corrected_here, is_negated
from podtune.intake.words.document import Document
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.tokens import Sort, Token

_TOTALS: Final = frozenset(("run", "job", "training", "total", "lauf", "insgesamt", "all", "in"))


_PAST: Final = Pattern(
    r"\b(?:cost (?:me|us)|paid|spent|was|were|billed|charged|saved?|revenue|salary|worth|wasted|last time|previously|(?:products?|subscriptions?|plans?|items?|services?|licen[cs]es?|memberships?|tools?|apps?|devices?|orders?) (?:costs?|is|are|sells? for)|priced at|sells for|refund(?:ed|s)?|invoice[sd]?|"
    r"gekostet|bezahlt|kostete|a coute|paye|costo|pague|gaste|ha pagato|pagato|pagou|paguei)\b"
)


_HOURLY: Final = Pattern(
    r"\b(?:hourly|per hour|stundlich\w*|stundensatz|stundenpreis|pro stunde|horaire|par heure|(?<!\d )1 ?時間|時間 ?(?:あたり|当たり)|horari[ao]|por hora|orari[ao])\b"
)


_BY_THE_HOUR: Final = Pattern(r" ?(?:ph|die stunde|for (?:each|every) (?:gpu )?hour)\b")
_OTHER_SPAN: Final = Pattern(
    r" ?(?:(?:/|an?|per|each|every|(?:for |in )?(?:the|this|our|my|next|a whole)|(?:fur )?(?:diese[nrsm]?|den|das)|(?:pour )?(?:cette|ce)|pro|je|im|am|die|der|par|por|al|(?:para |por |per )?(?:este|esta|questo|questa)|a la|alla|l'|la|le|el|il) ?)?(?:days?|daily|weeks?|weekly|months?|monthly|quarters?|quarterly|years?|yearly|annually|"
    r"tag|taglich|woche|wochentlich|monat|monatlich|quartal|trimestre|trimester|jahr|jahrlich|jours?|semaines?|mois|annee|dias?|semanas?|mes|mensual\w*|ano|giorn[oi]|settiman[ae]|mese|mensil\w*|anno)\b|"
    r" ?(?:/|per|pro|por|par|a) ?\d| ?(?:每|/)?(?:天|周|月|年)|(?:一天|一个?月)"
)
"""A cap for a day or a month, or for so many rows, is none that podtune could keep: it is asked about."""


_RAISED: Final = Pattern(
    r"\b(?:raise|increase|lift|bump|extend|double|remove|ignore|override|bypass|erhohe|anheben|augmente[rz]?|releve|sube|aumenta[r]?|alza|aumente|eleve)\b[^.;]{0,30}\b(?:cap|limit|budget|ceiling|"
    r"obergrenze|plafond|limite|tope|presupuesto|tetto|teto|orcamento)"
)


_PAYING: Final = (Concept.SPEND, Concept.BUDGET)
_BEGIN: Final = frozenset(["start", "run", "begin", "train", "launch", "proceed", "starten", "anfangen", "lancer", "demarrer", "empezar", "iniciar", "iniziare", "avviare", "comecar"])  # fmt: skip
"""What is not to be done where it would cost more."""
_GOODS: Final = frozenset(["orders", "order", "purchases", "purchase", "invoices", "transactions", "refunds", "products", "claims", "payments", "sales", "items", "bestellungen", "rechnungen", "commandes", "factures", "pedidos", "facturas", "ordini", "fatture", "compras"])  # fmt: skip


_PRICED: Final = _GOODS | {"prices", "price", "values", "value", "amounts", "worth", "costing", "tickets", "deals", "houses", "preise", "preis", "betrage", "prix", "montants", "precios", "importes", "prezzi", "importi", "precos", "valores"}  # fmt: skip
"""What a range is of where it is no budget: `prices between $10 and $500`."""

_VAGUE: Final = Pattern(
    r"\b(?:(?:a )?(?:few|couple(?: of)?|handful of|some) (?:dollars|bucks|euros?|quid|pounds)|some money|tenner|fiver|unlimited|money is no (?:object|issue)|no (?:budget|spending|cost|price) (?:limit|cap|constraints?)|"
    r"(?:budget|cost|spending|price) (?:limit|cap|ceiling) ?[:=]? ?(?:is )?(?:none|off|unlimited|infinite)|(?:remove|lift|drop|disable|ignore|bypass|override|raise|increase) (?:the |my |our |any )?(?:budget|cost|spending|price) (?:cap|limit|ceiling)|no limit on (?:cost|spend\w*|budget|money)|whatever it (?:costs|takes)|(?:price|cost|money) (?:doesn t|does not|isn t|is not|is irrelevant|no)(?: matter| an? (?:object|issue|problem))?|"
    r"spare no expense|(?:small|tight|limited|low|modest|tiny|reasonable|big|huge|decent) budget|(?:budget is|budget s) (?:(?:very|quite|rather|pretty|really|a bit) )?(?:small|tight|limited|low|tiny|modest|little|flexible|open|big|huge|unclear)|pocket (?:money|change)|not (?:too )?(?:much|expensive)|don t spend (?:too )?much|not break the bank|"
    r"ein paar (?:euro|dollar|franken)|geld spielt keine rolle|egal was es kostet|kleines budget|nicht (?:zu )?(?:viel|teuer)|quelques (?:euros|dollars)|peu importe le (?:prix|cout)|petit budget|"
    r"unos (?:pocos|cuantos) (?:euros|dolares|pesos)|el dinero no (?:es|importa)|cueste lo que cueste|presupuesto (?:ajustado|limitado|pequeno)|qualche (?:euro|dollaro)|costi quel che costi|senza badare a spese|budget limitato|"
    r"alguns (?:euros|reais|dolares)|dinheiro nao e problema|custe o que custar|orcamento (?:apertado|limitado|pequeno))\b|钱不是问题|不差钱|预算不限|不限预算|几块钱|几十块|几美元"
)

_RENT: Final = Pattern(
    r"(?:\b(?:gpus?|cards?|machines?|pods?|instances?|karten?|maschinen?|cartes?|tarjetas?|schede?|placas?)|\ue005\ue002{0,20}) (?:currently |usually |normally |already |typically )?(?:costs?|rents? (?:for|at)|goes? for|is|are|kostet|kosten|coutent?|cuestan?|costano?|custam?)\b"
)
"""What a machine is said to cost is no budget, unless it is said to be a limit."""
_SHARE: Final = Pattern(
    r"\b(?:half|a third|a quarter|two thirds|three quarters|\d{1,2} ?(?:%|percent)|the rest|part) of (?:it|that|this|them|those|(?:the|my|our|your|this) (?:money|budget|sum|\d)|(?:(?:my|our|the|your|those|these) )?(?:[$€£¥]|\d))|\b(?:die halfte|ein drittel|ein viertel|\d{1,2} ?%) (?:davon|dessen)\b|"
    r"\b(?:la moitie|un tiers|un quart) (?:de (?:cela|ca|cette somme|ce budget))\b|\b(?:la mitad|un tercio|un cuarto) (?:de (?:eso|ello|esa suma|ese presupuesto))\b|\bla meta (?:di (?:questo|quello|quella somma))\b|\bmetade (?:disso|desse valor|desse orcamento)\b"
)
"""An amount that is a part of another."""


class Budget(NamedTuple):
    """What was found of a budget."""

    candidates: list[Candidate]
    """Whole budgets, as one candidate each: `amount|currency|scope|kind` under the field `budget`."""
    used: set[int]
    """Tokens that are amounts and nothing else."""
    is_unusable: bool
    """Whether an amount is hinted at of which nothing can be made."""


def read(document: Document) -> Budget:
    """The budgets a request states."""
    tokens = document.tokens
    candidates: list[Candidate] = []
    weak: list[Candidate] = []
    used: set[int] = set()
    is_unclear = False
    is_unusable = _VAGUE.search(_loose(document.folded)) is not None
    is_share = _SHARE.search(_loose(document.folded)) is not None
    for money in amounts.find(document):
        used.update(range(money.first, money.last + 1))
        scope, last = _scope(tokens, money)
        kind = _kind(document, money, last)
        if kind is None:
            continue
        after = document.folded[tokens[money.last].end : tokens[money.last].end + 30]
        by_the_hour = _BY_THE_HOUR.match(after) if scope == "total" else None
        if by_the_hour is not None:
            scope = "per_gpu_hour" if "gpu" in by_the_hour[0] else "per_hour"
        is_other = scope == "total" and _OTHER_SPAN.match(after) is not None
        if kind == "unusable" or scope is None or money.is_doubtful or is_other:
            is_unusable = True
            is_unclear |= kind == "unusable"
            continue
        used.update(range(money.last + 1, last + 1))
        value = f"{money.amount!r}|{money.currency or ''}|{scope}|{kind.rstrip('?')}"
        is_unusable |= money.currency is None
        candidates.append(Candidate("budget", value, tokens[money.first].start, tokens[last].end))
        weak += candidates[-1:] if kind == "max?" else []
    if is_unclear:  # `ideally $5, $8 if need be`: a bare amount beside one that may mean as much
        candidates = [c for c in candidates if c not in weak]
    if candidates and is_share:  # `I have $20, spend half of it`: what the cap is has to be asked
        return Budget([], used, is_unusable=True)
    return Budget(candidates, used, is_unusable)


def _loose(folded: str) -> str:
    return folded.replace("'", " ").replace("-", " ")


def _scope(tokens: Sequence[Token], money: Money) -> tuple[str | None, int]:
    """Total, an hour or a card's hour, and the last token that says so; None for other spans."""
    at, is_hourly, is_each, last = money.last + 1, False, False, money.last
    while at < min(len(tokens), money.last + 7) and not tokens[at].is_break:
        token = tokens[at]
        if token.concept is Concept.HOUR:
            is_hourly, last = True, at
        elif token.concept is Concept.EACH or (
            token.concept is Concept.GPU and tokens[at - 1].concept in (Concept.PER, Concept.AND)
        ):
            is_each, last = True, at
        elif token.concept is Concept.AND and _says(tokens, at + 1, is_hourly=is_hourly):
            pass  # `pro Stunde und Karte`, `per card and hour`
        elif token.concept is Concept.PER or token.text in (
            "an",
            "a",
            "the",
            "all",
            "l",
            "la",
            "de",
            "gpu",
            "-",
            "card",
            "o",
            "every",
        ):
            after = tokens[at + 1] if at + 1 < len(tokens) else None
            is_other = after is not None and after.concept not in (
                Concept.HOUR,
                Concept.EACH,
                Concept.GPU,
                Concept.PER,
            )
            if (
                token.concept is Concept.PER
                and is_other
                and after is not None
                and after.sort is Sort.WORD
            ):
                return ("total", at + 1) if after.text in _TOTALS else (_unless_spent(token), last)
        elif token.concept not in (Concept.AT_MOST, Concept.ABOUT):
            break
        at += 1
    before = tokens[max(0, money.first - 3) : money.first]
    is_hourly |= _HOURLY.search(_clause_before(tokens, money.first)) is not None
    is_hourly |= any(
        t.text in ("hourly", "stundlich")
        or (t.concept is Concept.HOUR and t.sort is Sort.WORD and b.concept is Concept.PER)
        for b, t in zip([*before[:1], *before], before, strict=False)
    )
    if is_each and not is_hourly:
        return None, last
    return ("per_gpu_hour" if is_each else "per_hour" if is_hourly else "total"), last


def _says(tokens: Sequence[Token], at: int, *, is_hourly: bool) -> bool:
    """Whether a token is the other half of `per card and hour`."""
    wanted = Concept.GPU if is_hourly else Concept.HOUR
    return at < len(tokens) and tokens[at].concept is wanted


def _clause_before(tokens: Sequence[Token], at: int) -> str:
    """The words of a clause before a token, eight at most."""
    first = at
    while first > max(0, at - 8) and not tokens[first - 1].is_break:
        first -= 1
    return " ".join(token.text for token in tokens[first:at])


def _unless_spent(token: Token) -> str | None:
    """`por` and `par` also begin what is bought; there the amount is a total."""
    return "total" if token.text in ("por", "par") else None


def _kind(document: Document, money: Money, last: int) -> str | None:
    """`max`, `approx`, `max?` of a bare amount, `unusable`, or None where it is no budget at all."""
    tokens = document.tokens
    left = _around(tokens, money.first - 1, -1)
    right = _around(tokens, last + 1, 1)
    concepts = [t.concept for t in (*left, *right)]
    start = tokens[max(0, money.first - 12)].start
    before = document.folded[start : tokens[money.first].start]
    if _RAISED.search(before):
        return "unusable"
    clause = before[max(before.rfind(c) for c in ",.;!?\n") + 1 :]
    if _PAST.search(clause):
        return None
    limit = next(
        (n for n, t in enumerate(left) if t.concept in (Concept.LESS_THAN, Concept.AT_MOST)), None
    )
    if limit is not None and any(t.text in _GOODS for t in left[limit + 1 : limit + 2]):
        return None
    if Concept.MORE_THAN in concepts[: len(left)] or Concept.AT_LEAST in concepts:
        at = (
            money.first
            - 1
            - next((n for n, t in enumerate(left) if t.concept is Concept.MORE_THAN), 0)
        )
        negated = Concept.MORE_THAN in concepts and (
            is_negated(tokens, at) or _is_refused_after(tokens, last)
        )
        return "max" if negated else "unusable"
    if Concept.AT_MOST in concepts or Concept.LESS_THAN in concepts:
        return "max"
    if money.is_range and not any(t.text in _PRICED for t in left):
        return "max"
    if Concept.ABOUT in concepts:
        return "approx"
    if _RENT.search(clause) or tokens[money.first - 1].concept is Concept.TWICE:
        return None if _RENT.search(clause) else "unusable"
    says = {Concept.BUDGET, Concept.SPEND} & set(concepts) or any(
        t.text in ("por", "par") for t in left[:2]
    )
    says = says or is_corrected_here(tokens, money.first)
    alone = len(left) + len(right) <= 2
    previous = _previous_clause_ends(tokens, money.first, Concept.BUDGET)
    return "max" if says or previous else "max?" if alone else "unusable"


def _is_refused_after(tokens: Sequence[Token], last: int) -> bool:
    """`mehr als 12 Euro darf es nicht kosten`, `if it is more than $11, do not start`."""
    for at in range(last + 1, min(len(tokens), last + 7)):
        if tokens[at].concept is Concept.NOT:
            after = tokens[at + 1 : at + 3]
            return any(t.concept in _PAYING or t.text in _BEGIN for t in after)
    return False


def _around(tokens: Sequence[Token], at: int, step: int) -> list[Token]:
    """Up to six tokens to one side, as far as the clause goes; the nearest first."""
    found: list[Token] = []
    while 0 <= at < len(tokens) and len(found) < 6:
        token = tokens[at]
        if (
            token.is_break
            or token.sort in (Sort.LITERAL, Sort.MODEL, Sort.CARD)
            or token.number is not None
        ):
            break
        found.append(token)
        at += step
    return found


def _previous_clause_ends(tokens: Sequence[Token], at: int, concept: Concept) -> bool:
    back = at - 1
    while back >= 0 and not tokens[back].is_break and at - back < 4:
        back -= 1
    return back >= 1 and tokens[back].is_break and tokens[back - 1].concept is concept
