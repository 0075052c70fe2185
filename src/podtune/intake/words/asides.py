"""Numbers that no field word claims: memory and number of cards, held-out shares, row limits."""

from typing import Final

from podtune.intake.words.candidates import Candidate
from podtune.intake.words.clauses import is_negated, is_replaced
from podtune.intake.words.document import Document
from podtune.intake.words.lexicon import Concept
from podtune.intake.words.patterns import Pattern
from podtune.intake.words.tokens import Sort, Token

_WHOLE: Final = frozenset(
    ("max_steps", "batch_size", "effective_batch_size", "grad_accum", "lora_rank", "max_seq_len", "warmup_steps", "seed", "dataset_max_rows", "gpu_count", "gpu_vram_gb", "eval_rows", "epochs", "lora_alpha")
)  # fmt: skip
_COUNTS: Final = _WHOLE - {"epochs", "lora_alpha", "gpu_count", "gpu_vram_gb"}
"""What is counted in ones, often in thousands."""
_EVAL: Final = Pattern(
    r"hold|held|valid|eval|test|split|holdout|prufung|pruf|reserve|retien|garde|aparta|reserva|trattieni|tieni|separe|separa|验证|保留|測試|测试|評価|zuruckhalten|zuruck|beiseite"
)
_FIRST: Final = Pattern(
    r"(?:\b(?:first|only|just|at most|limit(?:ed)?(?: it)?(?: to)?|use|(?<!we )(?<!they )take|pick|sample|subset(?: of)?|random(?:ly)?|up to|max(?:imum)?|no more than|top|premieres?|premiers?|ersten|erste|nur|primeras|primeros|solo|solamente|prime|primi|primeiras|primeiros|apenas|somente|seulement)"
    r"(?: (?:the|the first|of|les|die|las|los|le|i|as|os|a|de|about|to|it to|random|a random|random sample of|premieres|ersten|primeras|prime|primeiras))*|前|只用|最多|仅用|最初の) *$"
)
_RAM: Final = frozenset(["ram", "disk", "disc", "of", "data", "dataset", "file", "files", "ssd", "storage", "logs", "arbeitsspeicher", "worth"])  # fmt: skip
_ON: Final = Pattern(r"\b(?:on|with|using|auf|mit|anhand|sur|avec|con|su|com|em) ?$")
_OF: Final = frozenset(("of", "from", "in", "out", "aus", "von", "de", "du", "di", "da", "do", "d"))
"""`on 100 rows of rows.csv` is an order; `on the 12,000 rows` says how many there are."""
_THEM: Final = frozenset(("them", "those", "these", "denen", "diesen", "ellos", "ellas", "loro"))
_TO: Final = frozenset(("to", "bis", "a", "ate", "hasta"))
"""What stands between the ends of a range."""
_AFTER_CARDS: Final = frozenset("台张枚块張")
"""What follows the number of cards where it comes after their name."""
_COUNTED: Final = frozenset(("x", "*", "nvidia", "of", "the", "new", "fast", "张", "台", "块"))


WAS_DONE: Final = Pattern(
    r"(?<!if )(?<!when )(?<!once )(?<!as )\b(?:we|i|they|he|she) (?:already |first |only |just )?(?:tried|used|did|ran|trained|took|went with|started with)\b(?![^.;]{0,40}\b(?:now|but|this time)\b)|\b(?:i|we) (?:first |at first |originally |initially |had |once )?(?:thought(?: about| of)?|considered|had in mind|was (?:thinking|considering)|were (?:thinking|considering))\b|\bhatte (?:ich )?(?:erst |zuerst )?gedacht\b|\b(?:ich|wir) (?:dachten?|wollten?) (?:erst|zuerst|ursprunglich)\b|\b(?:originally|initially|ursprunglich|zuerst|au depart|al principio|all inizio|no inicio) \w{0,10} ?$|\b(?:hatten wir|wir hatten|haben wir (?:zuletzt|letzt\w*|schon))\b|\b(?:nous avons|on a|j ai) (?:deja )?(?:essaye|fait|utilise|pris)\b|\b(?:probamos|hicimos|usamos|use|probe)\b(?=[^.;]{0,30}$)(?<!\buse)|\babbiamo (?:gia )?(?:provato|fatto|usato)\b|\b(?:tentamos|fizemos|testamos)\b"
)
"""What opens a remark on what was done or thought of before."""


class Asides:
    """What numbers mean by the things beside them.

    Args:
        document: What is read.
        used: Tokens that others have taken (money, spans); grows.
    """

    def __init__(self, document: Document, used: set[int]) -> None:
        self._document = document
        self._tokens = document.tokens
        self._used = used
        self.found: list[Candidate] = []

    def aside(self, at: int, *, is_claimed: bool) -> bool:
        """Take a number for cards or their memory.

        Args:
            at: Its token.
            is_claimed: Whether a field word stands before it: then it is no number of cards.
        """
        return self._memory(at) or self._cards(at, is_claimed=is_claimed)

    def amount_of_rows(self, at: int) -> bool:
        """Take a number for a share or a limit of rows."""
        return self._share(at) or self._rows(at)

    def _add(self, field: str, value: float, start: int, end: int, at: int) -> None:
        if (is_negated(self._tokens, at) and not self._is_bounded(at)) or is_replaced(
            self._tokens, at
        ):
            return
        if self._is_range_start(at):
            return
        number = self._tokens[at].number
        if field in _COUNTS and value != int(value) and number is not None and number.is_doubtful:
            value *= 1000  # `1.500 rows`: nobody counts halves of rows
        whole = value == int(value) and field in _WHOLE
        clean = float(f"{value:.12g}")
        self.found.append(Candidate(field, int(value) if whole else clean, start, end))

    def _is_bounded(self, at: int) -> bool:
        """`don't train more than 3 epochs`: the negation is of `more`."""
        return any(
            t.concept in (Concept.MORE_THAN, Concept.AT_MOST)
            for t in self._tokens[max(0, at - 3) : at]
        )

    def _is_range_start(self, at: int) -> bool:
        """`3-5 epochs`, `three to four`: two numbers for one field are none."""
        two = self._tokens[at - 2 : at] if at > 1 else ()
        if len(two) < 2 or two[0].number is None:
            return False
        if two[1].text == "-":
            return two[0].end == two[1].start
        if two[1].end == self._tokens[at].start:
            return False  # `r16 a32` is a rank and an alpha
        is_changed = any(
            t.concept is Concept.CHANGE or t.sort is Sort.CARD
            for t in self._tokens[max(0, at - 6) : at - 2]
        )
        return not is_changed and (two[1].concept is Concept.OR or two[1].text in _TO)

    def _follows(self, at: int, text: str) -> bool:
        return at + 1 < len(self._tokens) and self._tokens[at + 1].text == text

    def _is_thousand(self, at: int) -> bool:
        return at + 1 < len(self._tokens) and self._tokens[at + 1].concept is Concept.THOUSAND

    def _unit_end(self, at: int) -> int:
        """The last token of a number: its `%` or `k` belongs to what was read."""
        return at + 1 if self._follows(at, "%") or self._is_thousand(at) else at

    def _memory(self, at: int) -> bool:
        """`48 gigs of vram`, `a 48GB card`, `A100 80GB`."""
        tokens = self._tokens
        if at + 1 >= len(tokens) or tokens[at + 1].concept is not Concept.GIGABYTE:
            return False
        after = list(tokens[at + 2 : at + 5])
        near = (
            after[1:2]
            if after and after[0].text in ("of", "de", "di", "or", "+", "-")
            else after[:1]
        )
        says = any(t.concept in (Concept.MEMORY, Concept.GPU) or t.sort is Sort.CARD for t in near)
        says |= (
            len(after) > 1
            and after[0].concept is Concept.AT_LEAST
            and after[1].concept in (Concept.MEMORY, Concept.GPU)
        )
        before = tokens[max(0, at - 4) : at]
        says |= any(t.concept is Concept.MEMORY for t in before) and not any(
            t.is_break for t in before[-1:]
        )
        if not says and (not near or near[0].text not in _RAM):
            back = at - 1
            while back >= 0 and (
                tokens[back].is_break
                or tokens[back].text in ("with", "mit", "avec", "con", "com")
                or tokens[back].concept in (Concept.AT_LEAST, Concept.ABOUT)
            ):
                back -= 1
            says = (
                bool(near)
                and near[0].concept is Concept.EACH
                and any(t.concept is Concept.GPU for t in tokens[max(0, at - 4) : at])
            )
            is_card = back >= 0 and (
                tokens[back].sort is Sort.CARD
                or tokens[back].concept is Concept.GPU
                or tokens[back].text in ("anything", "something", "whatever")
            )
            says |= is_card and at - back <= 4
        if says:
            value = tokens[at].number
            if value is not None and not is_negated(tokens, at):
                self._add("gpu_vram_gb", value.value, tokens[at].start, tokens[at + 1].end, at)
        return says

    def _cards(self, at: int, *, is_claimed: bool) -> bool:
        """`2 GPUs`, `two H100s`, `4 x L40S`."""
        if self._after_cards(at):
            return True
        where = at + 1
        if [t.concept for t in self._tokens[where + 1 : where + 2]] == [Concept.GIGABYTE]:
            where += 2  # `one 80 GB card`
        while where < len(self._tokens) and self._tokens[where].text in _COUNTED and where - at < 6:
            where += 1
        if where >= len(self._tokens):
            return False
        token = self._tokens[where]
        if [t.concept for t in self._tokens[where + 1 : where + 2]] == [Concept.HOUR]:
            return True  # `4 GPU hours`
        if token.sort is not Sort.CARD and token.concept is not Concept.GPU:
            return False
        if token.sort is Sort.CARD and is_claimed:
            return False
        if not self._is_past(at):
            self._add("gpu_count", self._value(at), self._tokens[at].start, token.end, at)
        return True

    def _is_past(self, at: int) -> bool:
        """`we tried 5 epochs last month`: what was done is no wish."""
        start, _ = self._document.clause(at)
        return (
            WAS_DONE.search(self._document.loose[start : self._tokens[at].start][-60:]) is not None
        )

    def _after_cards(self, at: int) -> bool:
        """`H100 を2台`: the number comes after the card."""
        before = self._tokens[max(0, at - 2) : at]
        counter = self._tokens[at + 1 : at + 2]
        if not counter or counter[0].text not in _AFTER_CARDS:
            return False
        if not any(t.sort is Sort.CARD for t in before):
            return False
        self._add("gpu_count", self._value(at), self._tokens[at].start, counter[0].end, at)
        return True

    def _value(self, at: int) -> float:
        number = self._tokens[at].number
        return number.value if number is not None else 0.0

    def _share(self, at: int) -> bool:
        """`hold out 10%`, `validation split 0.1`, `a 90/10 split`, `evaluate on 200 rows`."""
        start, end = self._document.clause(at)
        clause = self._document.folded[start:end]
        if not _EVAL.search(clause) or is_negated(self._tokens, at):
            return False
        value, percent = self._value(at), self._follows(at, "%")
        following = self._tokens[at + 1 : at + 3]
        if (
            len(following) == 2
            and following[0].text in ("/", "-")
            and following[1].number is not None
            and value + following[1].number.value == 100
        ):
            self._used.add(at + 2)
            value, percent = following[1].number.value, True
        if percent and 50 <= value < 100 and "train" in clause:
            return True
        if percent or 0 < value < 1:
            self._add(
                "eval_fraction",
                value / 100 if percent else value,
                self._tokens[at].start,
                self._tokens[self._unit_end(at)].end,
                at,
            )
            return True
        if any(t.concept is Concept.ROWS for t in self._ahead(at, 4)) and value >= 1:
            self._add(
                "eval_rows",
                value * (1000 if self._is_thousand(at) else 1),
                self._tokens[at].start,
                self._tokens[at].end,
                at,
            )
            return True
        return False

    def _ahead(self, at: int, reach: int) -> list[Token]:
        """What follows a number up to the clause's end or the next number."""
        found: list[Token] = []
        for token in self._tokens[at + 1 : at + 1 + reach]:
            if token.is_break or token.number is not None:
                break
            found.append(token)
        return found

    def _is_of_a_file(self, at: int) -> bool:
        """`... rows of rows.csv`."""
        two = self._tokens[at : at + 2]
        return len(two) == 2 and two[0].text in _OF and two[1].sort is Sort.LITERAL

    def _is_of_them(self, where: int) -> bool:
        """`take 5,000 of them`."""
        two = [t.text for t in self._tokens[where : where + 2]]
        return len(two) == 2 and two[0] in _OF and two[1] in _THEM

    def _behind_a_total(self, where: int) -> int:
        """`2k of the 40k rows`: how many there are is no second number."""
        ahead = self._tokens[where : where + 5]
        total = next((n for n, t in enumerate(ahead) if t.number is not None), 0)
        if not 0 < total < 4 or ahead[0].text not in _OF or any(t.is_break for t in ahead[:total]):
            return where
        self._used.add(where + total)
        return where + total + (2 if self._is_thousand(where + total) else 1)

    def _rows(self, at: int) -> bool:
        """`just the first 1,500 rows`; a remark on the data's size is left alone."""
        where = self._behind_a_total(at + (2 if self._is_thousand(at) else 1))
        ahead = self._tokens[where : where + 3]
        until = next((n for n, t in enumerate(ahead) if t.concept is Concept.ROWS), None)
        if until is None and self._is_of_them(where):
            until = 1
        if until is None or any(t.is_break or t.number is not None for t in ahead[:until]):
            return False
        token = self._tokens[at]
        before = self._document.folded[max(0, token.start - 50) : token.start].rstrip(" ~")
        after = self._tokens[where + until + 1 : where + until + 2]
        near = self._tokens[max(0, at - 2) : at]
        if (
            _FIRST.search(before)
            or (_ON.search(before) and self._is_of_a_file(where + until + 1))
            or any(t.concept is Concept.AT_MOST for t in near)
            or (after and after[0].concept is Concept.AT_MOST)
        ):
            value = self._value(at) * (1000 if self._is_thousand(at) else 1)
            self._add("dataset_max_rows", value, token.start, ahead[until].end, at)
        return True
