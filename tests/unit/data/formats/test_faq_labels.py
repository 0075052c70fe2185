# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats.faq_labels import Labelled, labelled_as, pair_of


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("Q: When?", "When?"),
        ("q: when?", "when?"),
        ("Q1. When?", "When?"),
        ("Q1 When?", "When?"),
        ("Q 12) When?", "When?"),
        ("  **Q:** When?", "When?"),
        ("- Q: When?", "When?"),
        ("3. Q: When?", "When?"),
        ("[Q] When?", "When?"),
        ("Q - When?", "When?"),
        ("Question: When?", "When?"),
        ("Question no. 4: When?", "When?"),
        ("Frage: Wann?", "Wann?"),
        ("Pregunta: ¿Cuándo?", "¿Cuándo?"),
        ("質問：いつ", "いつ"),
        ("【質問】いつ", "いつ"),
        ("问题1：何时", "何时"),
        ("Q:", ""),
    ],
)
def test_questions(line, text):
    assert labelled_as(line, ("Q", "A")) == Labelled(True, text)


@pytest.mark.parametrize(
    "line", ["A: Now.", "Answer: Now.", "Antwort: Now.", "Réponse : Now.", "回答：Now."]
)
def test_answers(line):
    assert labelled_as(line, ("Q", "A")) == Labelled(False, "Now.")


@pytest.mark.parametrize(
    "line", ["", "Quite: so", "Queen", "A lamp", "Ask: me", "Answering: is", "Q", "   "]
)
def test_other_lines(line):
    assert labelled_as(line, ("Q", "A")) is None


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("Q: a\nA: b", ("Q", "A")),
        ("F: a\nA: b\nF: c\nA: d", ("F", "A")),
        ("Q: a\nR: b", ("Q", "R")),
        ("P: a\nR: b", ("P", "R")),
        ("D: a\nR: b", ("D", "R")),
        ("S: a\nC: b", ("S", "C")),
        ("В: a\nО: b", ("В", "О")),
        ("問：a\n答：b", ("問", "答")),
        ("Frage: a\nAntwort: b", ("Q", "A")),
        ("Q: a\nQ: b", None),
        ("nothing", None),
    ],
)
def test_one_pair_holds_for_a_text(text, pair):
    assert pair_of(text.split("\n")) == pair


@given(st.text(max_size=80))
def test_any_line_is_looked_at(line):
    found = labelled_as(line, ("Q", "A"))
    assert found is None or found.text in line
