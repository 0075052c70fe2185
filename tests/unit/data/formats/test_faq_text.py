# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats import faq_text
from support.readings import Pass, numbered, talk


def gathered(text, **how):
    found = list(faq_text.gather_text(numbered(text), Pass().reading, **how))
    return [(record.line, *(content for _, content in talk(record))) for record in found]


def test_labels_part_questions_from_answers():
    text = "Our FAQ\n\nQ: When?\nA: Now.\n\n- at once\n\nQ: Where\nexactly?\nA: Here.\n"
    assert faq_text.fits_text(text)
    assert gathered(text) == [(3, "When?", "Now.\n\n- at once"), (8, "Where\nexactly?", "Here.")]


def test_lines_set_under_the_label_lose_their_indent():
    assert (
        gathered("Q: Where?\nA: To:\n   - Austria\n     - Linz\n")[0][2]
        == "To:\n- Austria\n  - Linz"
    )


def test_labels_on_lines_of_their_own():
    assert gathered("Question 1:\nWhen?\nAnswer:\nNow.") == [(1, "When?", "Now.")]


def test_items_of_an_answer_are_no_answers():
    assert gathered("Q: Which?\nA: These:\nA. one\nB. two") == [
        (1, "Which?", "These:\nA. one\nB. two")
    ]


def test_a_question_without_an_answer_has_an_empty_one():
    assert gathered("Q: When?\n\nQ: Where?\nA: Here.") == [(1, "When?", ""), (3, "Where?", "Here.")]


@pytest.mark.parametrize(
    "topic", ["SHIPPING", "## Shipping", "[Shipping]", "----------", "SHIPPING\n========"]
)
def test_a_topic_belongs_to_no_answer(topic):
    text = f"Q: When?\nA: Now.\n\n{topic}\n\nQ: Where?\nA: Here."
    assert [answer for _, _, answer in gathered(text)] == ["Now.", "Here."]


def test_short_last_lines_of_an_answer_stay():
    text = "Q: Whom do I call?\nA: Us.\n\n+00 000\n\nQ: Where?\nA: Here."
    assert gathered(text)[0][2] == "Us.\n\n+00 000"


def test_lines_that_layout_broke_are_joined():
    text = (
        "Q: How do I reset the password of my account when I have\n"
        "lost my phone?\n"
        "A: Open the page of your profile, choose Security and then press\n"
        "Reset. Do this:\n"
        "- first the self-\n"
        "service page\n"
        "- then the rest\n"
    )
    assert gathered(text, unwrap=True) == [
        (
            1,
            "How do I reset the password of my account when I have lost my phone?",
            "Open the page of your profile, choose Security and then press Reset. Do this:\n"
            "- first the self-service page\n- then the rest",
        )
    ]


def test_broken_lines_of_chinese_join_without_blanks():
    assert gathered("問：何時\n開く\n答：今\n日", unwrap=True) == [(1, "何時開く", "今日")]


UNLABELLED = (
    "Frequently asked questions\n"
    "How do I reset the password of my account when I have lost the\n"
    "phone?\n"
    "Open the page of your profile, choose Security and then press Reset\n"
    "there.\n"
    "When are you open?\n"
    "From nine to five.\n"
    "Where are you?\n"
    "In Linz.\n"
)


def test_questions_on_lines_of_their_own():
    assert faq_text.fits_text(UNLABELLED)
    assert gathered(UNLABELLED, unwrap=True) == [
        (
            2,
            "How do I reset the password of my account when I have lost the phone?",
            "Open the page of your profile, choose Security and then press Reset there.",
        ),
        (6, "When are you open?", "From nine to five."),
        (8, "Where are you?", "In Linz."),
    ]


@pytest.mark.parametrize(
    "question",
    ["Ist der Kerzenständer Nr. 20035 wieder lieferbar?", "Do you ship to St. Gallen?", "mug no. 7?",
     "Was kostet er inkl. MwSt. und Versand?", "I lost it. Can I get another?", "iPhone 3.5 in stock?", "Lieferzeit?"],
)  # fmt: skip
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_line_that_asks_behind_a_blank_one_is_a_question(question, at):
    pairs = [("Do you sell mugs?", "Yes. And bowls."), ("Where are you?", "In Linz.\nCome in.")]
    pairs.insert(at, (question, "It is so."))
    text = "\n\n".join(f"{asked}\n{answer}" for asked, answer in pairs)
    assert faq_text.fits_text(text)
    assert [(asked, answer) for _, asked, answer in gathered(text)] == pairs


def test_a_question_at_the_end_of_an_answer_hides_no_list():
    text = "How do I return it?\nSend it.\n\nNot happy? Want more?\n\nWhere are you?\nIn Linz.\n"
    assert faq_text.fits_text(text)


def test_abbreviations_end_no_sentence_without_a_blank_line_either():
    text = "Do you sell mugs?\nYes.\nDo you ship to St. Gallen?\nWe do. Why?\nIst Nr. 7 da?\nJa."
    assert gathered(text) == [
        (1, "Do you sell mugs?", "Yes."),
        (3, "Do you ship to St. Gallen?", "We do. Why?"),
        (5, "Ist Nr. 7 da?", "Ja."),
    ]


@pytest.mark.parametrize("mark", ["{}. ", "{}) ", "Q{} ", "Q{}. ", "Q{}: ", "Frage {}: ", "Q: "])
@pytest.mark.parametrize("between", ["\n", "\n\n"])
def test_questions_may_have_numbers(mark, between):
    pairs = [("Do you sell mugs?", "Yes."), ("Where?", "In Linz."), ("do you ship?", "We do.")]
    text = between.join(
        f"{mark.format(n)}{asked}\n{answer}" for n, (asked, answer) in enumerate(pairs, start=1)
    )
    assert faq_text.fits_text(text)
    assert [(asked, answer) for _, asked, answer in gathered(text)] == pairs


def test_steps_of_an_answer_are_no_questions():
    text = "1. What can I do?\nCheck this:\n1. Is it on?\n- Is it red?\n2. Where are you?\nIn Linz."
    assert [number for number, _, _ in gathered(text)] == [1, 5]


def test_names_of_products_are_no_numbers_of_questions():
    text = "F1 tickets in stock?\nYes.\n\n20 mugs in stock?\nNo."
    assert [asked for _, asked, _ in gathered(text)] == ["F1 tickets in stock?", "20 mugs in stock?"]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A: first\nQ: second\nA: third",
        "Once upon a time there was a lamp.\nIt was dark. Why?\nNobody knew.\n" * 3,
        "Is this one question?\nYes.",
        'It was late.\n\nWho was there?\n\nNobody.\n\n"Who is it?"\n\nA cat.\n\nWas it?\n\nYes.',
        "Dear team,\n\nthanks for the mail. Could you send it?\n\nAnna\n\nhave you got it? Or is it lost?\n",
        "How?\n\nWhy?\n\nWhen?\n\nNow.",
        "Option A: this\nOption B: that",
        "How?\nWhy?\nWhen?",
    ],
)
def test_other_texts_do_not_fit(text):
    assert not faq_text.fits_text(text)


def test_long_lists_stream():
    lines = ((at, "Q: When?" if at % 2 else "A: Now.") for at in range(1, 200_001))
    stream = faq_text.gather_text(lines, Pass().reading)
    assert next(stream).line == 1
    assert sum(1 for _ in stream) == 99_999


PIECES = st.sampled_from(
    ["Q: ", "A: ", "Why?", "\n", "\n\n", "Because.", "- ", "## ", "---", "質問", "x " * 20]
)


@given(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=200), st.booleans())
def test_any_text_is_read(text, unwrap):
    faq_text.fits_text(text)
    for _, question, answer in gathered(text, unwrap=unwrap):
        assert isinstance(question, str)
        assert isinstance(answer, str)


@pytest.mark.parametrize(
    "piece", ["Why?\n", "Q: x\n", "Q: ", "?", " ", "- ", "Ab cd\n", "=", "x" * 60 + "\n"]
)
def test_long_texts_take_no_long_time(piece):
    before = time.process_time()
    gathered(piece * (300_000 // len(piece)), unwrap=True)
    faq_text.fits_text(piece * (300_000 // len(piece)))
    assert time.process_time() - before < 10
