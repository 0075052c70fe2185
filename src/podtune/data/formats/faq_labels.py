"""The labels that questions and answers bear in lists of them, in many languages.

Takes lines, tells labels. Knows nothing of how answers go on.
"""

# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final, NamedTuple

_PAIRS: Final = (
    ("Q", "A"),
    ("F", "A"),
    ("Q", "R"),
    ("P", "R"),
    ("D", "R"),
    ("V", "A"),
    ("P", "O"),
    ("F", "S"),
    ("S", "C"),
    ("K", "V"),
    ("В", "О"),
    ("П", "В"),
    ("Ε", "Α"),
    ("問", "答"),
    ("问", "答"),
    ("Q", "答"),
    ("문", "답"),
    ("س", "ج"),
    ("ש", "ת"),
)
"""Letters for question and answer: English, German, French, Spanish with Portuguese, Italian, Dutch,
Polish, Swedish with Danish, Turkish, Finnish, Russian, Ukrainian, Greek, Japanese, Chinese, Korean,
Arabic, Hebrew. A letter means one thing here and another there, so one pair holds for a whole text."""

_QUESTION_WORDS: Final = (
    "question", "frage", "pregunta", "pergunta", "domanda", "vraag", "pytanie", "fråga", "spørgsmål", "spørsmål",
    "soru", "kysymys", "вопрос", "питання", "ερώτηση", "otázka", "kérdés", "întrebare", "質問", "問題", "问题", "提问",
    "질문", "سؤال", "السؤال", "שאלה", "प्रश्न", "câu hỏi", "pertanyaan", "soal",
)  # fmt: skip
_ANSWER_WORDS: Final = (
    "answer", "ans", "antwort", "réponse", "reponse", "respuesta", "resposta", "risposta", "antwoord", "odpowiedź",  # codespell:ignore ans,reponse
    "svar", "cevap", "yanıt", "vastaus", "ответ", "відповідь", "απάντηση", "odpověď", "odpoveď", "válasz", "răspuns",
    "回答", "答え", "答案", "答复", "답변", "대답", "جواب", "الجواب", "الإجابة", "תשובה", "उत्तर", "trả lời", "jawaban",
)  # fmt: skip
"""Whole words mean the same everywhere."""

MAX_LABEL: Final = 64
"""Characters of a line within which a label and what is round it stand."""


class Labelled(NamedTuple):
    """A line that begins a question or an answer."""

    is_question: bool
    text: str
    """What stands behind the label."""


def pair_of(lines: Iterable[str]) -> tuple[str, str] | None:
    """The letters a text uses for its questions and answers; None where it has no labels.

    Whole words count for every pair, so that a text with words only gets the first one.
    """
    counts = {pair: [0, 0] for pair in _PAIRS}
    for line in lines:
        start = line[:MAX_LABEL]
        if not start.strip():
            continue
        for pair, found in counts.items():
            labelled = labelled_as(line, pair)
            if labelled is not None:
                found[not labelled.is_question] += 1
    best = max(_PAIRS, key=lambda pair: (min(counts[pair]), sum(counts[pair])))
    return best if min(counts[best]) else None


def labelled_as(line: str, pair: tuple[str, str]) -> Labelled | None:
    """A line's label and text; None where it bears none."""
    match = _pattern(pair).match(line[:MAX_LABEL])
    if match is None:
        return None
    return Labelled(match["question"] is not None, line[match.end() :].strip())


@cache
def _pattern(pair: tuple[str, str]) -> re.Pattern[str]:
    question, answer = (
        _any_of((letter, *words))
        for letter, words in zip(pair, (_QUESTION_WORDS, _ANSWER_WORDS), strict=True)
    )
    return re.compile(
        r"[ \t\u3000]{0,8}(?:[-*•>#]{1,6}[ ]{1,3})?(?:\d{1,4}[.)][ ]{0,3})?(?:\*\*|__)?[\[【(（《]?"
        rf"(?:(?P<question>{question})|(?:{answer}))"
        r"(?:[ ]{0,2}(?:no\.?|nr\.?|n[°º]|№|\#)?[ ]{0,2}[\d０-９]{1,4})?"
        r"(?:[ ]{0,2}[\]】)）》]?[ ]{0,2}[:：.．、)]|[ ]{0,2}[\]】）》]|[ ]{1,2}[-–—](?=[ ])|(?<=[\d０-９])[ ]|\u3000)"
        r"(?:\*\*|__)?[ \t\u3000]{0,4}",
        re.IGNORECASE,
    )


def _any_of(words: Sequence[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
