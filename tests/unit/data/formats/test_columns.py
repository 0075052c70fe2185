"""Which column asks and which answers: as somebody said, by name, by what stands in it."""

# ruff: noqa: RUF001 - letters of other scripts are meant

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.dataset import Confidence
from podtune.core.errors import DatasetError
from podtune.data.formats import columns

ASKS = ["How do I reset it?", "Where is my order?", "Can I pay later?"]
TELLS = ["Hold the button.", "It is on its way.", "Yes, in three parts."]


def mapped(header, wanted=None):
    found = columns.by_names(header, wanted or {})
    return found.columns if found else None


# By name


@pytest.mark.parametrize(
    ("header", "prompt", "completion"),
    [
        (["prompt", "completion"], "prompt", "completion"),
        (["id", " Question ", "ANSWER"], " Question ", "ANSWER"),
        (["ticket_id", "customer_message", "agent_reply", "status"], "customer_message", "agent_reply"),
        (["Frage", "Antwort"], "Frage", "Antwort"),
        (["Kundenfrage", "Antwort"], "Kundenfrage", "Antwort"),
        (["Antwort", "Frage"], "Frage", "Antwort"),
        (["Question", "Réponse"], "Question", "Réponse"),
        (["Question du client", "Réponse de l'agent"], "Question du client", "Réponse de l'agent"),
        (["pregunta", "respuesta"], "pregunta", "respuesta"),
        (["Domanda", "Risposta"], "Domanda", "Risposta"),
        (["pergunta", "resposta"], "pergunta", "resposta"),
        (["vraag", "antwoord"], "vraag", "antwoord"),
        (["Pytanie", "Odpowiedź"], "Pytanie", "Odpowiedź"),
        (["fråga", "svar"], "fråga", "svar"),
        (["spørgsmål", "svar"], "spørgsmål", "svar"),
        (["kysymys", "vastaus"], "kysymys", "vastaus"),
        (["otázka", "odpověď"], "otázka", "odpověď"),
        (["soru", "cevap"], "soru", "cevap"),
        (["вопрос", "ответ"], "вопрос", "ответ"),
        (["Запитання", "Відповідь"], "Запитання", "Відповідь"),
        (["質問", "回答"], "質問", "回答"),
        (["お客様の質問", "回答"], "お客様の質問", "回答"),
        (["问题", "答案"], "问题", "答案"),
        (["질문", "답변"], "질문", "답변"),
        (["السؤال", "الإجابة"], "السؤال", "الإجابة"),
        (["שאלה", "תשובה"], "שאלה", "תשובה"),
        (["प्रश्न", "उत्तर"], "प्रश्न", "उत्तर"),
        (["câu hỏi", "câu trả lời"], "câu hỏi", "câu trả lời"),
        (["pertanyaan", "jawaban"], "pertanyaan", "jawaban"),
        (["ερώτηση", "απάντηση"], "ερώτηση", "απάντηση"),
        (["Subject", "Body", "Agent reply"], "Body", "Agent reply"),
        (["input", "output"], "input", "output"),
        (["Q", "A"], "Q", "A"),
        (["inputText", "outputText"], "inputText", "outputText"),
        (["x", "y"], None, None),
        (["question_id", "answer_id"], None, None),
        (["question"], None, None),
        ([], None, None),
    ],
)  # fmt: skip
def test_columns_by_their_names(header, prompt, completion):
    found = mapped(header)
    if prompt is None:
        assert found is None
    else:
        assert found == {"prompt": prompt, "completion": completion}


def test_a_system_column_only_where_it_is_called_so():
    header = ["system", "instruction", "output"]
    assert mapped(header) == {"prompt": "instruction", "completion": "output", "system": "system"}
    assert "system" not in (mapped(["operating system", "question", "answer"]) or {})


@pytest.mark.parametrize(
    ("header", "wanted", "expected"),
    [
        (["a", "b"], {"prompt": "b", "completion": "a"}, {"prompt": "b", "completion": "a"}),
        (["a", "b"], {"prompt": "B", "completion": " a "}, {"prompt": "b", "completion": "a"}),
        (["x", "answer"], {"prompt": "x"}, {"prompt": "x", "completion": "answer"}),
        (
            ["question", "answer", "note"],
            {"completion": "note"},
            {"prompt": "question", "completion": "note"},
        ),
        (["a", "A"], {"prompt": "A", "completion": "a"}, {"prompt": "A", "completion": "a"}),
        (["prompt", "answer"], {"prompt": "nowhere"}, {"prompt": "prompt", "completion": "answer"}),
    ],
)
def test_what_somebody_said_goes_first(header, wanted, expected):
    assert mapped(header, wanted) == expected


@pytest.mark.parametrize(
    ("header", "close", "confidence"),
    [
        (["question", "answer"], {}, Confidence.CERTAIN),
        (["question", "answer", "comment"], {}, Confidence.CERTAIN),
        (["input", "output"], {}, Confidence.LIKELY),
        (["question", "prompt", "answer"], {"prompt": ("question",)}, Confidence.LIKELY),
        (["question", "answer", "reply"], {"completion": ("reply",)}, Confidence.LIKELY),
        (
            ["question", "query", "answer", "reply"],
            {"prompt": ("query",), "completion": ("reply",)},
            Confidence.LIKELY,
        ),
    ],
)
def test_two_that_are_about_as_good_are_asked_for(header, close, confidence):
    found = columns.by_names(header, {})
    assert found is not None
    assert found.others == close
    assert found.confidence is confidence
    choices = found.choices()
    assert choices["prompt_column"].close == ("prompt" in close)
    assert choices["response_column"].close == ("completion" in close)
    assert choices["prompt_column"].option == "--map prompt=NAME"


def test_what_somebody_said_is_not_asked_again():
    found = columns.by_names(["question", "prompt", "answer"], {"prompt": "prompt"})
    assert found is not None
    assert found.others == {}
    assert not any(choice.close for choice in found.choices().values())


def test_a_choice_is_of_question_and_answer_and_no_more():
    found = columns.by_names(["system", "question", "answer"], {})
    assert found is not None
    assert set(found.choices()) == {"prompt_column", "response_column"}


@pytest.mark.parametrize(
    "name",
    ["id", "answer_id", "question date", "ticket nr", "reply time", "response_url", "answer score",
     "customer email", "prompt-index", "réf"],
)  # fmt: skip
def test_columns_about_a_row_are_not_its_text(name):
    assert columns.score("prompt", name) == columns.score("completion", name) == 0


@pytest.mark.parametrize(("said", "role"), columns.ALIASES.items())
def test_other_words_for_the_roles(said, role):
    assert columns.wanted_columns({f" {said.upper()} ": "x"}) == {role: "x"}


def test_an_unknown_role_stays_to_be_refused():
    assert columns.wanted_columns({"promt": "x"}) == {"promt": "x"}


@given(st.text())
def test_normalising_twice_is_normalising(name):
    once = columns.normalise(name)
    assert columns.normalise(once) == once


@given(st.lists(st.text(max_size=20), max_size=6, unique=True))
def test_whatever_the_header_columns_are_of_it_and_differ(header):
    found = columns.by_names(header, {})
    if found is not None:
        assert set(found.columns.values()) <= set(header)
        assert len(set(found.columns.values())) == len(found.columns)


# By content


def rows(*columns_):
    return [list(row) for row in zip(*columns_, strict=True)]


@pytest.mark.parametrize(
    ("cells", "prompt", "completion", "confidence"),
    [
        ((ASKS, TELLS), "column 1", "column 2", Confidence.LIKELY),
        ((TELLS, ASKS), "column 2", "column 1", Confidence.LIKELY),
        ((["1", "2", "3"], ASKS, TELLS), "column 2", "column 3", Confidence.LIKELY),
        ((ASKS, ["open", "open", "open"], TELLS), "column 1", "column 3", Confidence.LIKELY),
        ((TELLS, TELLS[::-1]), "column 1", "column 2", Confidence.GUESS),
        ((ASKS, TELLS, TELLS[::-1]), "column 1", "column 2", Confidence.GUESS),
        ((["どうすればいいですか？", "注文はどこですか？"], ["ボタンを押してください。", "配送中でございます。"]),
         "column 1", "column 2", Confidence.LIKELY),
    ],
)  # fmt: skip
def test_columns_by_what_stands_in_them(cells, prompt, completion, confidence):
    found = columns.by_content(columns.numbered(len(cells)), rows(*cells), {})
    assert found is not None
    assert found.columns == {"prompt": prompt, "completion": completion}
    assert found.confidence is confidence
    assert any(c.close for c in found.choices().values()) == (confidence is Confidence.GUESS)


@pytest.mark.parametrize(
    "cells", [(ASKS,), (["1", "2"], ["3", "4"]), (["a", "b"], ["c", "d"]), (["", ""], ["", ""]), ()]
)
def test_no_columns_of_prose(cells):
    assert columns.by_content(columns.numbered(len(cells)), rows(*cells), {}) is None


def test_rows_that_are_too_short_say_nothing():
    found = columns.by_content(
        ["a", "b"], [["Why is it so?", "It is so."], [], ["Why not now?"]], {}
    )
    assert found is not None


@pytest.mark.parametrize(
    ("wanted", "expected", "close"),
    [
        ({"prompt": "b", "completion": "a"}, {"prompt": "b", "completion": "a"}, False),
        ({"prompt": "a"}, {"prompt": "a", "completion": "b"}, True),
        ({"completion": "B "}, {"prompt": "a", "completion": "b"}, True),
        ({"prompt": "a", "system": "b"}, {"prompt": "a", "system": "b", "completion": "c"}, False),
    ],
)
def test_columns_that_were_named_are_taken_as_they_are(wanted, expected, close):
    found = columns.by_content(["a", "b", "c", "n"], rows(ASKS, TELLS, TELLS[::-1], "123"), wanted)
    assert found is not None
    assert found.columns == expected
    assert any(choice.close for choice in found.choices().values()) is close


def test_a_side_that_is_lacking_cannot_be_made_up():
    assert columns.by_content(["a", "n"], rows(ASKS, "123"), {"prompt": "a"}) is None


@pytest.mark.parametrize(
    ("wanted", "missing"),
    [
        ({}, []),
        ({"prompt": "a", "completion": " B "}, []),
        ({"prompt": "x", "completion": "b"}, ["x"]),
        ({"prompt": "x", "completion": "y"}, ["x", "y"]),
    ],
)
def test_named_columns_that_are_not_there_are_told(wanted, missing):
    assert columns.missing(["a", "b"], wanted) == missing


# Whether there is a header


@pytest.mark.parametrize(
    ("first", "rest", "expected"),
    [
        (["question", "answer"], [ASKS[:2]], True),
        (["Frage", "Antwort"], [], True),
        (["Frage", ""], [], True),
        (["q1", "a1"], [["why is that so", "because it is"]], True),
        (["input", "output"], [["x", "y"]], True),
        ([ASKS[0], TELLS[0]], [[ASKS[1], TELLS[1]]], False),
        (["1", "2"], [["3", "4"]], False),
        (["a", "a"], [["x" * 9, "y" * 9]], False),
        (["", ""], [["x", "y"]], False),
        (["x", "y"], [["z", "w"]], False),
        (["What is it?", "It."], [["What else would it be?", "Nothing at all."]], False),
        (["the answer is " + "x" * 60, "question"], [], False),
        (["hunter2", "alice"], [["correct-horse-battery", "bartholomew"]] * 3, False),
        (["rot13", "alice"], [["a longer one", "bob builder"], ["qwertz", "bartholomew"]], False),
        (["Thema", "Stand"], [["gut", "2024-01-31"], ["schlecht", "2024-02-01"]], True),
        (["Thema", "Name"], [["x", "a@b.de"]], True),
        (["主题", "说明"], [["如何退货给商店请告诉我", "请在十四天内寄回并附上发票"]], True),
        (["Thema", "Erklärung"], [[TELLS[0], TELLS[1]], ["Ja", TELLS[2]]], True),
    ],
)
def test_whether_the_first_row_names_the_columns(first, rest, expected):
    assert columns.has_header(first, rest) is expected


@pytest.mark.parametrize(
    ("header", "rest", "named"),
    [
        (["Thema", "Status"], [], True),
        (["x", "Antwort"], [], True),
        (["sensor", "made at"], [["cellar-7", "2024-02-01T08:30"]] * 2, True),
        (["hunter2", "alice"], [], False),
        (["hunter2", "alice"], [["a longer one than that is", "bartholomew"]], False),
        (["the answer is " + "x" * 60], [["1"]], False),
        ([], [], False),
    ],
)
def test_a_first_row_is_shown_only_where_it_is_surely_no_data(header, rest, named):
    assert columns.is_named(header, rest) is named


def test_the_widest_table_is_mapped_in_no_time():
    header = [f"col {i} of it" for i in range(columns.MAX_COLUMNS)]
    started = time.process_time()
    assert columns.by_names(header, {}) is None
    assert not columns.has_header(header, [])
    assert columns.unique(["a"] * columns.MAX_COLUMNS)[-1] == f"a ({columns.MAX_COLUMNS})"
    assert time.process_time() - started < 6


def test_a_table_that_is_wider_than_any_is_refused():
    with pytest.raises(DatasetError) as caught:
        columns.unique([""] * (columns.MAX_COLUMNS + 1))
    assert caught.value.code == "too_many_columns"


@pytest.mark.parametrize(
    ("header", "names"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a (2)", "a"], ["a", "a (2)", "a (3)"]),
        ([" a ", "a", "a"], ["a", "a (2)", "a (3)"]),
        (["", "", "x"], ["column 1", "column 2", "x"]),
        (["\ufeffQuestion", "Answer"], ["Question", "Answer"]),
        ([], []),
    ],
)
def test_header_cells_become_keys(header, names):
    assert columns.unique(header) == names


@given(st.lists(st.sampled_from(["a", "a (2)", " a", "", "column 2", "\ufeffa", "b"]), max_size=9))
def test_keys_are_as_many_as_cells_and_all_different(header):
    names = columns.unique(header)
    assert len(names) == len(header)
    assert len(set(names)) == len(names)
    assert all(names)
