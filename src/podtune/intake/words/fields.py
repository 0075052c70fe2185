"""Numbers -> fields. A number belongs to a field only with a field word on one of its sides."""

from collections.abc import Sequence
from typing import Final

from podtune.intake.words import derived
from podtune.intake.words.asides import Asides
from podtune.intake.words.candidates import Candidate
from podtune.intake.words.clauses import is_corrected_here
from podtune.intake.words.document import Document
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.patterns import Pattern

_TO: Final = frozenset(("to", "bis", "hasta", "ate", "until"))
"""What opens the end of a range whose field stands before it."""
_MOVED: Final = frozenset(
    ("raise", "increase", "lower", "decrease", "reduce", "from", "von", "de", "da")
)
_UNITS: Final = frozenset((Concept.EPOCHS, Concept.STEPS, Concept.WARMUP_STEPS))
"""Words that mostly follow their number."""
_NAMED: Final = frozenset(
    (
        Concept.RATE, Concept.BATCH, Concept.WHOLE_BATCH, Concept.ACCUMULATION, Concept.RANK, Concept.ALPHA, Concept.DROPOUT,
        Concept.LENGTH, Concept.WARMUP, Concept.WARMUP_RATIO, Concept.DECAY, Concept.SEED,
    )
)  # fmt: skip
"""Words that mostly stand before their number."""
_FILLERS: Final = frozenset(
    [
        "of",
        "=",
        ":",
        "is",
        "to",
        "at",
        "a",
        "the",
        "von",
        "auf",
        "de",
        "di",
        "da",
        "em",
        "en",
        "con",
        "ist",
        "bei",
        "mit",
        "sur",
        "del",
        "al",
        "d",
        "l",
        "e",
        "set",
        "be",
        "use",
        "value",
        "should",
        "为",
        "是",
        "设",
        "成",
        "到",
        "用",
        "を",
        "に",
        "は",
        "设为",
        "on",
        "equals",
        "with",
        "=",
        ">",
        "size",
        '"',
        "'",
        "auf",
        "a",
    ]
)
_BETWEEN: Final = frozenset(["个", "k", "%", "x", "full", "complete", "total", "ganze", "single", "only", "einzige", "einzigen", "seule", "seul", "sola", "solo", "unica", "unico", "so", "more", "additional", "extra", "further", "weitere"])  # fmt: skip
"""What may stand between a number and its field word."""
_EVERY: Final = frozenset(["every", "each", "alle", "jede", "jeden", "tous les", "tous", "toutes", "chaque", "cada", "ogni", "每", "每隔"])  # fmt: skip
_MINUS: Final = frozenset(("minus", "-", "moins", "menos", "meno", "negative"))
_EPOCHS_SHUFFLED: Final = frozenset(("".join(sorted("epochs")), "".join(sorted("epoch"))))
"""The letters of a word that is often mistyped."""
_CUT: Final = Pattern(r"truncat|cut|sequen|shorten|kurz|tronqu|recort|taglia|trunca|long|lang|截")


_WILL_DO: Final = Pattern(
    r" (?:(?:is|are|will|would|should|might|may|could|ist|sind|reich(?:t|en)|est|sont|son|es|sono|e|sao|basta\w*|suffi\w*|chega\w*)(?: (?:be|do|just|more than|quite|plenty|already|schon|auch|bien|mas que|piu che|mais que))* ?)?(?:enough|fine|ok|okay|plenty|better|safer|wiser|do|suffice|sufficient|best|please|genug|genugt|besser|bitte|assez|mieux|mejor|suficiente\w*|meglio|abbastanza|melhor|stattdessen)\b|"
    r" (?:reich(?:t|en)|genug(?:t|en)|suffi(?:t|sent|ra)|basta\w*|chega\w*|should do|will do|would do)\b"
)
"""`wait, 4 is enough`: the number ends there, whatever is said of it."""
_DID_NOT_DO: Final = Pattern(
    r" ?(?:overfit\w*|did ?n t|failed|(?:was|were|is|are|seems?|ist|sind|war|waren|est|sont|etait|es|son|era|e|sao) (?:far |way |much |clearly |deutlich |viel |bien )?(?:too|zu|trop|demasiad\w+|tropp\w+|demais)\b)"
)
"""`5 epochs were too many`."""
_WHICH: Final = frozenset("哪下第每这上")


class Reader(Asides):
    """Goes through a document's numbers once.

    Args:
        document: What is read.
        used: Tokens that others have taken (money, spans); grows.
        budgets: What was read of money.
    """

    def __init__(
        self, document: Document, used: set[int], budgets: Sequence[Candidate] = ()
    ) -> None:
        super().__init__(document, used)
        self._budgets = budgets
        self._taken: set[int] = set()
        """Field words that belong to a number already."""
        self.left_over: list[int] = []
        """Numbers that belong to nothing."""

    def read(self) -> None:
        """Fill `found` and `left_over`."""
        for at, token in enumerate(self._tokens):
            if token.number is None or at in self._used:
                continue
            if not (
                self.aside(at, is_claimed=self._left(at)[0] is not None)
                or self._field(at)
                or self.amount_of_rows(at)
                or self._inherited(at)
                or self._power_of_ten(at)
            ):
                self.left_over.append(at)
        self.found += derived.multiples(self._tokens, self.found, self._taken)
        self.found += derived.declined(self._tokens, self._taken)

    def _field(self, at: int) -> bool:
        right, right_at = self._right(at)
        left, left_at = self._left(at)
        if self._is_multiple(at, left):
            return True
        if left is Concept.WARMUP and right is Concept.STEPS:
            left, left_at, right = None, -1, Concept.WARMUP_STEPS
        if right is Concept.TOKENS:
            return self._tokens_long(at, left, right_at)
        if left is not None and right is None and self._opens_range(at, left, left_at):
            return True
        if (
            right is not None
            and right in _UNITS
            and not (left in _UNITS and self._is_assigned(at, left_at))
            and not (left is not None and self._owns_next(right_at))
        ):
            return self._put(at, right, right_at)
        if left is not None:
            return self._put(at, left, left_at)
        if right is not None and not self._owns_next(right_at):
            return self._put(at, right, right_at)
        return False

    def _power_of_ten(self, at: int) -> bool:
        """A bare `2e-5` can only be a learning rate."""
        token = self._tokens[at]
        value = token.number.value if token.number else 0.0
        is_rate = 1e-7 <= value <= 1e-2 and ("e-" in token.text or "^" in token.text)
        if not is_rate or any(t.concept is Concept.RATE for t in self._tokens):
            return False
        self._add("learning_rate", value, token.start, token.end, at)
        return True

    def _right(self, at: int) -> tuple[Concept | None, int]:
        """The field word behind a number, over `k`, `%` and `x`."""
        where = at + 1
        while where < len(self._tokens) and (
            self._tokens[where].text in _BETWEEN or self._tokens[where].concept is Concept.THOUSAND
        ):
            where += 1
        if where >= len(self._tokens) or where in self._taken:
            return None, where
        token = self._tokens[where]
        if token.text == "pas" and self._document.language == "fr":
            return Concept.STEPS, where
        if token.concept is None and "".join(sorted(token.text)) in _EPOCHS_SHUFFLED:
            return Concept.EPOCHS, where
        wanted = token.concept in _UNITS | _NAMED or token.concept is Concept.TOKENS
        return (token.concept if wanted else None), where

    def _left(self, at: int) -> tuple[Concept | None, int]:
        """The field word before a number, over small words."""
        for back in range(at - 1, max(-1, at - 5), -1):
            token = self._tokens[back]
            if token.concept in _UNITS | _NAMED:
                return (None, -1) if back in self._taken else (token.concept, back)
            if token.text == "a" and self._is_short_alpha(back):
                return Concept.ALPHA, back
            if token.text in ("r", "x") and token.concept is None:
                return None, -1
            skipped = token.concept in (
                Concept.ABOUT,
                Concept.AT_MOST,
                Concept.CHANGE,
                Concept.CORRECTION,
                Concept.AT_LEAST,
                Concept.SPEND,
            )
            if not skipped and token.text not in _FILLERS:
                return None, -1
        return None, -1

    def _is_short_alpha(self, at: int) -> bool:
        """`a=32`, and `a32` or `r 16, a 32` where a rank is named too."""
        after, *rest = self._tokens[at + 1 : at + 3]
        is_next = any(t.concept is Concept.RANK for t in self._tokens[max(0, at - 4) : at])
        is_last = not rest or rest[0].is_break
        is_glued = after.start == self._tokens[at].end or (is_next and is_last)
        is_glued = is_glued and after.number is not None
        return after.text == "=" or (
            is_glued and any(t.concept is Concept.RANK for t in self._tokens)
        )

    def _is_assigned(self, at: int, left_at: int) -> bool:
        """`epochs = 3`, `steps: 500`."""
        return any(t.text in ("=", ":") for t in self._tokens[left_at + 1 : at])

    def _owns_next(self, at: int) -> bool:
        """Whether a field word has a number of its own behind it."""
        rest = self._tokens[at + 1 : at + 3]
        return bool(rest) and (
            rest[0].number is not None
            or (rest[0].text in ("=", ":", "of") and len(rest) > 1 and rest[1].number is not None)
        )

    def _put(self, at: int, concept: Concept, where: int) -> bool:
        """Take a number for a field word."""
        self._taken.add(where)
        token = self._tokens[at]
        value = token.number.value if token.number else 0.0
        field = str(concept)
        percent, thousand = self._follows(at, "%"), self._is_thousand(at)
        if concept is Concept.RATE:
            value *= self._power(at)
        if concept is Concept.WARMUP:
            field = "warmup_ratio" if percent or 0 < value < 1 else "warmup_steps"
        if percent and field in ("warmup_ratio", "lora_dropout", "weight_decay"):
            value /= 100
        if thousand:
            value *= 1024 if concept is Concept.LENGTH else 1000
        failed = _DID_NOT_DO.match(self._document.loose, self._tokens[max(at, where)].end)
        if (
            failed
            or self._is_past(at)
            or self._is_which(at, concept)
            or self._is_period(at, concept, where)
        ):
            return True
        first, last = min(at, where), max(self._unit_end(at), where)
        self._add(field, value, self._tokens[first].start, self._tokens[last].end, at)
        return True

    def _is_period(self, at: int, concept: Concept, where: int) -> bool:
        """`save every 100 steps` is no number of steps, `one more epoch than last time` no number of epochs."""
        if concept not in _UNITS:
            return False
        before = [t.text for t in self._tokens[max(0, at - 2) : at]]
        after = [t.text for t in self._tokens[where + 1 : where + 2]]
        return any(text in _EVERY for text in before) or after in (["than"], ["als"])

    def _is_which(self, at: int, concept: Concept) -> bool:
        """`哪一步`, `下一步`: one of many, no number of them."""
        start = self._tokens[at].start
        return concept in _UNITS and self._document.folded[start - 1 : start] in _WHICH

    def _power(self, at: int) -> float:
        """`five e minus six`: what the words after a number multiply it by."""
        three = self._tokens[at + 1 : at + 4]
        if len(three) < 3 or three[0].text != "e" or three[1].text not in _MINUS:
            return 1.0
        exponent = three[2].number
        if exponent is None or not 0 < exponent.value < 20:
            return 1.0
        self._used.add(at + 3)
        return float(f"1e-{int(exponent.value)}")

    def _tokens_long(self, at: int, left: Concept | None, right_at: int) -> bool:
        """`max length 2048 tokens`, `truncate to 2048 tokens`, `2048-token context`."""
        tokens = self._tokens
        near = [
            t.concept for t in (*tokens[max(0, at - 3) : at], *tokens[right_at + 1 : right_at + 3])
        ]
        start, end = self._document.clause(at)
        cut = _CUT.search(self._document.folded[start:end])
        if left is Concept.LENGTH or Concept.LENGTH in near or Concept.AT_MOST in near or cut:
            return self._put(at, Concept.LENGTH, right_at)
        return False

    def _opens_range(self, at: int, field: Concept, where: int) -> bool:
        """`rank 8 to 16`: two numbers for one field are none; of `raise the rank from 8 to 16` the last counts."""
        after = self._tokens[at + 1 : at + 3]
        if len(after) < 2 or after[1].number is None:
            return False
        is_joined = after[0].text == "-" and after[0].end == after[1].start
        if after[0].text not in _TO and not is_joined:
            return False
        self._used.add(at + 2)
        before = self._tokens[max(0, at - 6) : at]
        if any(t.concept is Concept.CHANGE or t.text in _MOVED for t in before):
            return self._put(at + 2, field, where)
        return True

    def _inherited(self, at: int) -> bool:
        """`3 epochs ... make it 2`: a bare number takes the field of what was said last."""
        token = self._tokens[at]
        ends = (
            at + 1 >= len(self._tokens)
            or self._tokens[at + 1].is_break
            or self._tokens[at + 1].concept in (Concept.AND, Concept.CORRECTION)
            or _WILL_DO.match(self._document.loose, token.end) is not None
        )
        before = [c for c in (*self.found, *self._budgets) if c.end <= token.start]
        if not (ends and is_corrected_here(self._tokens, at)) or not before:
            return False
        last = max(before, key=lambda c: c.end)
        if last.field == "budget":
            _, _, rest = str(last.value).partition("|")
            value = f"{self._value(at)!r}|{rest}"
            self.found.append(Candidate("budget", value, token.start, token.end))
            return True
        self._add(last.field, self._value(at), token.start, token.end, at)
        return True

    def _is_multiple(self, at: int, left: Concept | None) -> bool:
        """`alpha = 2x rank`, `alpha 2r`: read with the multiples, once the rank is known."""
        after = [
            t
            for t in self._tokens[at + 1 : at + 4]
            if t.text not in ("x", "*", "times", "the", "mal", "fois")
        ]
        return (
            left is Concept.ALPHA
            and bool(after)
            and after[0].concept is Concept.RANK
            and after[0].start - self._tokens[at].end < 8
        )
