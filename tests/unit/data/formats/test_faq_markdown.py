import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats import faq_markdown
from support.readings import Pass, numbered, talk


def gathered(text):
    made = Pass()
    found = list(faq_markdown.gather_markdown(numbered(text), made.reading))
    return [
        (record.line, *(content for _, content in talk(record))) for record in found
    ], made.dropped


def test_headings_ask():
    text = "# FAQ\n\n## When?\nNow.\n\n## Where?\n\nHere.\n\n- or *there*\n"
    assert faq_markdown.fits_markdown(text)
    assert gathered(text) == ([(3, "When?", "Now."), (6, "Where?", "Here.\n\n- or *there*")], {})


def test_headings_beside_questions_are_questions_in_other_words():
    text = "## When?\nNow.\n## Where?\nHere.\n## I need a lamp.\nBuy one."
    assert gathered(text)[0][-1] == (5, "I need a lamp.", "Buy one.")


def test_topics_are_no_questions():
    text = "# FAQ\nWelcome.\n## Shipping\nAll about it.\n### When?\nNow.\n### Where?\nHere.\n## Contact\nCall us."
    assert gathered(text)[0] == [(5, "When?", "Now."), (7, "Where?", "Here.")]


def test_headings_below_a_question_belong_to_its_answer():
    text = "## How?\nSo:\n### First\nGo.\n### Then\nStop.\n## When?\nNow."
    assert gathered(text)[0][0] == (1, "How?", "So:\n### First\nGo.\n### Then\nStop.")


def test_questions_below_a_question_are_their_own():
    text = "## Refunds?\n### When?\nNow.\n## Returns?\nYes.\n### Where?\nHere."
    assert gathered(text)[0] == [
        (2, "When?", "Now."),
        (4, "Returns?", "Yes."),
        (6, "Where?", "Here."),
    ]


def test_bold_questions_under_topics():
    text = "# FAQ\n## Shipping\n**When?**\nNow.\n\n**Where?** Here.\n## Contact\nCall us."
    assert faq_markdown.fits_markdown(text)
    assert gathered(text)[0] == [(3, "When?", "Now."), (6, "Where?", "Here.")]


MIXED = (
    "# FAQ\n## Shipping\n### When?\nNow.\n### Where?\nHere.\n"
    "## Payment\n**By card?**\nYes.\n\n**By cheque?** No.\n"
)


def test_headings_ask_in_one_section_and_bold_lines_in_another():
    questions = [(3, "When?", "Now."), (5, "Where?", "Here."), (8, "By card?", "Yes."), (11, "By cheque?", "No.")]  # fmt: skip
    assert gathered(MIXED) == (questions, {})
    turned = "## Payment\n**By card?**\nYes.\n## Shipping\n### When?\nNow."
    assert gathered(turned) == ([(2, "By card?", "Yes."), (5, "When?", "Now.")], {})


def test_a_single_heading_that_asks_hides_no_bold_questions():
    text = "# FAQ\n**When?**\nNow.\n\n**Where?**\nHere.\n## Still questions?\nCall us."
    assert gathered(text)[0] == [(2, "When?", "Now."), (5, "Where?", "Here."), (7, "Still questions?", "Call us.")]  # fmt: skip


def test_folded_details_in_an_answer_are_no_questions():
    folded = "<details><summary>Linux</summary>\napt\n</details>"
    assert len(gathered(f"## How?\nSo:\n{folded}\n## Why?\nSo.")[0]) == 2
    assert gathered(f"{MIXED}\n{folded}")[0][-1][1] == "By cheque?"


def notes(text):
    made = Pass()
    list(faq_markdown.gather_markdown(numbered(text), made.reading))
    return [(problem.code, problem.detail, line) for problem, line in made.notes]


@pytest.mark.parametrize(
    ("text", "detail", "line"),
    [
        ("## When?\nNow.\n# Contact\n\nCall us.\n", "line 5", 5),
        (MIXED + "## Contact\nCall us.\n\nOr mail.\n## Address\nLinz.\n", "lines 13-17", 13),
        ("# FAQ\nWelcome.\n\n## When?\nNow.\n## Where?\nHere.\n# Contact\nUs.", "lines 2, 9", 2),
        ("# A\nx\n## When?\nNow.\n" * 8, "lines 2, 6, 10, 14, 18 and 3 more", 2),
        ("## Shipping\nHow we do it.\n**When?**\nNow.\n", "line 2", 2),
    ],
)
def test_text_that_is_neither_is_noted_once(text, detail, line):
    assert notes(text) == [("text_not_used", detail, line)]


@pytest.mark.parametrize("text", [MIXED, "## When?\nNow.\n### First\nGo.\n", "# FAQ\n\n## When?\n"])
def test_where_all_text_is_used_nothing_is_noted(text):
    assert notes(text) == []


def test_bold_lines_in_answers_stay_where_headings_ask():
    text = "## When?\nNow.\n\n**Not now?**\nLater."
    assert gathered(text)[0] == [(1, "When?", "Now.\n\n**Not now?**\nLater.")]


def test_labels_in_markdown():
    text = "# FAQ\n\nQ: When\nA: Now.\n\nQ: Where\nA: Here."
    assert faq_markdown.fits_markdown(text)
    assert gathered(text)[0] == [(3, "When", "Now."), (6, "Where", "Here.")]


def test_labelled_answers_lose_the_label():
    assert gathered("## Q: When?\nA: Now.\n\n**Q: Where?**\n**A:** Here.")[0][0][1:] == (
        "When?",
        "Now.\n\n**Q: Where?**\n**A:** Here.",
    )
    assert gathered("**Q: Where?**\n\n**A:** Here.")[0] == [(1, "Where?", "Here.")]


def test_short_texts_under_headings_of_one_level():
    text = "# Help\n## Resetting your lost password\nPress it.\n## Changing the delivery address\nWrite us.\n## Paying by bank transfer\nDo so."
    assert faq_markdown.fits_markdown(text)
    assert [question for _, question, _ in gathered(text)[0]] == [
        "Resetting your lost password",
        "Changing the delivery address",
        "Paying by bank transfer",
    ]
    named = "# FAQ\n## Passwords\nPress it.\n## Delivery\nWrite us.\n## Payment\nDo so."
    assert faq_markdown.fits_markdown(named)


def test_a_question_without_an_answer_has_an_empty_one():
    assert gathered("## When?\n\n## Where?\nHere.")[0] == [(1, "When?", ""), (3, "Where?", "Here.")]


def test_html_in_answers_becomes_text():
    found, dropped = gathered("## When?\n<p>Now &amp; then.</p>\n\n## Where?\nHere.")
    assert found[0] == (1, "When?", "Now & then.")
    assert dropped == {"html_stripped": "1 answer"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Only words.",
        "# Tool\n## Install\npip\n## Usage\nrun\n## License\nMIT",
        "# Report of the year\nlong\n## A chapter about lamps\n"
        + "word " * 400
        + "\n## Another one about lamps\nx",
        "## When?\n## Where?",
        "```\n## When?\nNow.\n```",
    ],
)
def test_other_texts_do_not_fit(text):
    assert not faq_markdown.fits_markdown(text)


def test_a_text_without_questions_gives_nothing():
    assert gathered("# Tool\n\nwords")[0] == []


PIECES = st.sampled_from(
    ["# ", "## a?", "### b", "**q?**", "Q: ", "A: ", "\n", "\n\n", "---", "```", "text", "<p>x</p>"]
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=200))
def test_any_text_is_read(text):
    faq_markdown.fits_markdown(text)
    lines = [line for line, *_ in gathered(text)[0]]
    assert lines == sorted(set(lines))


@pytest.mark.parametrize(
    "piece",
    [
        "# a?\n",
        "**",
        "[a](#",
        "<!--",
        "- - ",
        "`",
        "<summary>",
        "<details ",
        "[",
        "# a\nb\n",
        "?" * 900 + "\n",
        "# " + "(" * 300 + "?\n",
    ],
)
def test_long_texts_take_no_long_time(piece):
    before = time.process_time()
    gathered(piece * (200_000 // len(piece)))
    gathered((piece * 900)[:900].replace("\n", "") + "\n")
    assert time.process_time() - before < 10
