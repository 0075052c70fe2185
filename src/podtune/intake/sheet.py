"""What is gathered while a request is understood: what was said, assumed, asked and told, with its words.

Holds and quotes; what becomes of which field is its callers' to decide.
"""

from collections.abc import Mapping
from typing import Final

from podtune.core.errors import SpecError
from podtune.core.request import MAX_WHY
from podtune.intake.quoting import one_line, quotes
from podtune.intake.understood import Option, Question
from podtune.intake.words.candidates import Value
from podtune.intake.words.parse import ParsedRequest

LISTS: Final = frozenset({"gpu_any_of", "gpu_avoid", "export"})
"""Fields that hold several values."""

LONGEST_ANSWER: Final = 1000
"""Characters of an answer, as many as the command line takes."""


class Sheet:
    """One request on its way.

    Args:
        parsed: What the parser found.
        text: The request as it was typed.
        answers: Field of a question -> its answer.

    Raises:
        SpecError: a list where one value belongs, or one value where a list does; code `bad_parse`.
    """

    def __init__(self, parsed: ParsedRequest, text: str, answers: Mapping[str, str]) -> None:
        self.parsed, self.text, self.answers = parsed, text, dict(answers)
        wrong = [f for f, v in parsed.fields.items() if isinstance(v, list) != (f in LISTS)]
        if wrong:
            raise SpecError(
                f"{', '.join(wrong)}: one value and a list are confused",
                code="bad_parse",
                hint="say it in a spec file: podtune plan SPEC.yaml",
            )
        self.fields: dict[str, Value] = dict(parsed.fields)
        """Of the request, and of answers to what it contradicts itself on."""
        self.words = dict(quotes(parsed, text))
        """Field -> words as they may be shown."""
        self.stated: dict[str, object] = {}
        self.assumed: dict[str, tuple[object, str]] = {}
        self.quotes: dict[str, str] = {}
        self.questions: list[Question] = []
        self._told: list[str] = []

    @property
    def must_ask(self) -> frozenset[str]:
        """What the parser wants asked: what is open, and what is contradicted."""
        return frozenset((*self.parsed.must_ask, *self.parsed.conflicts))

    @property
    def told(self) -> tuple[str, ...]:
        """Remarks, each once."""
        return tuple(dict.fromkeys(self._told))

    def say(self, path: str, value: object, *fields: str) -> None:
        """Somebody said so, with the words of the first of the fields that has any."""
        self.stated[path] = value
        self._quote(path, fields)

    def assume(self, path: str, value: object, why: str, *fields: str) -> None:
        """Nobody said so; a reason stands beside it."""
        self.assumed[path] = (value, why[:MAX_WHY])
        self._quote(path, fields)

    def tell(self, *words: str) -> None:
        """Remark on something that is not done, or done otherwise."""
        self._told += [" ".join(text.split())[:MAX_WHY] for text in words]

    def ask(self, question: Question) -> str | None:
        """Put a question; the answer, where there is one.

        Raises:
            SpecError: code `bad_answer`.
        """
        answer = self.answers.get(question.field)
        if answer is None:
            self.questions.append(question)
            return None
        return picked(question.options, answer)

    def open_questions(self) -> tuple[Question, ...]:
        """Each field once; what must be answered first."""
        once: dict[str, Question] = {}
        for question in sorted(self.questions, key=lambda q: not q.must):
            once.setdefault(question.field, question)
        return tuple(once.values())

    def _quote(self, path: str, fields: tuple[str, ...]) -> None:
        words = next((self.words[f] for f in fields if f in self.words), None)
        if words:
            self.quotes[path] = words


def picked(options: tuple[Option, ...], answer: str) -> str:
    """The value that an answer means: an option's number, its label, or what was said itself.

    Raises:
        SpecError: it is empty, too long or holds characters that are not seen; code `bad_answer`.
    """
    answer = answer.strip()
    if not answer or len(answer) > LONGEST_ANSWER or not answer.isprintable():
        raise SpecError(
            "an answer is empty, too long or holds signs that are not seen",
            code="bad_answer",
            hint="a value, the number of an option, or its label",
        )
    if answer.isascii() and answer.isdecimal() and 1 <= int(answer) <= len(options):
        return options[int(answer) - 1].value
    folded = answer.casefold()
    named = (o.value for o in options if folded in (o.label.casefold(), o.value.casefold()))
    return next(named, answer)


def bad(field: str, answer: str, hint: str) -> SpecError:
    """The error for an answer that says nothing."""
    return SpecError(
        f"{field}: {one_line(answer)!r} is no answer to it", code="bad_answer", hint=hint
    )
