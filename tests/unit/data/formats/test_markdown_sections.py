# ruff: noqa: RUF001 (letters and marks of other scripts are meant)
import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats.markdown_sections import BOLD, has_mark, sections
from support.readings import numbered


def parts(text):
    return [
        (part.line, part.level, part.title, part.asks, part.text())
        for part in sections(numbered(text))
    ]


def test_headings_with_their_texts():
    text = "intro\n\n# FAQ\n\n## When? ##\nNow.\n\nOr later.\n### Steps\n1. Go"
    assert parts(text) == [
        (3, 1, "FAQ", False, ""),
        (5, 2, "When?", True, "Now.\n\nOr later."),
        (9, 3, "Steps", False, "1. Go"),
    ]


def test_which_lines_hold_the_text():
    found = list(sections(numbered("# FAQ\n\n## When?\n\nNow.\n\nOr later.\n\n**Why?** So.\n")))
    assert [part.span() for part in found] == [None, (5, 7), (9, 9)]
    assert found[1].with_part(found[2]).span() == (5, 9)


def test_marks_of_questions():
    assert has_mark("When?")
    assert has_mark("いつですか？")
    assert not has_mark("When")


def test_underlined_headings():
    assert parts("FAQ\n===\n\nWhen?\n-----\nNow.\n\n---\nthen") == [
        (1, 1, "FAQ", False, ""),
        (4, 2, "When?", True, "Now.\n\nthen"),
    ]


def test_code_is_left_alone():
    text = "## How?\n```sh\n# no heading?\n---\n```\nDone.\n~~~\n## no?\n~~~"
    assert parts(text) == [
        (1, 2, "How?", True, "```sh\n# no heading?\n---\n```\nDone.\n~~~\n## no?\n~~~")
    ]


@pytest.mark.parametrize("front", ["---\ntitle: FAQ\ntags:\n  - a\n---\n", "+++\ntitle = 1\n+++\n"])
def test_front_matter_goes(front):
    assert parts(front + "# When?\nNow.")[0][1:] == (1, "When?", True, "Now.")


def test_a_rule_at_the_top_is_no_front_matter():
    assert [title for _, _, title, _, _ in parts("---\n# When?\nNow.")] == ["When?"]


def test_furniture_goes():
    text = (
        "# FAQ\n[TOC]\n- [When?](#when)\n  1. [Where?](#where)\n<!-- a\nb -->\n\n***\n## When? {#when}\nNow. <!-- x -->\n"
        "[Back to top](#faq)\n\n---\n## Where?\nHere."
    )
    assert parts(text) == [
        (1, 1, "FAQ", False, ""),
        (9, 2, "When?", True, "Now."),
        (14, 2, "Where?", True, "Here."),
    ]


@pytest.mark.parametrize(
    ("line", "title", "answer"),
    [
        ("**When?**\nNow.", "When?", "Now."),
        ("**When?** Now.", "When?", "Now."),
        ("- **When?** Now.", "When?", "Now."),
        ("1. __When?__\n   Now.", "When?", "Now."),
        ("**Q: When?**\nNow.", "When?", "Now."),
        ("**Q:** When?\nNow.", "When?", "Now."),
        ("**Q**: When?\nNow.", "When?", "Now."),
        ("<details><summary>When</summary>\nNow.\n</details>", "When", "Now."),
        ("<details>\n<summary><b>When?</b></summary>\n\nNow.\n\n</details>", "When?", "Now."),
    ],
)
def test_bold_questions_and_folded_details(line, title, answer):
    ((_, level, found, asks, text),) = parts(line)
    assert (level, found, asks, text) == (BOLD, title, True, answer)


def test_bold_words_are_no_questions():
    assert parts("## When?\n**Note** this.\nIs **it?** so") == [
        (1, 2, "When?", True, "**Note** this.\nIs **it?** so")
    ]


@pytest.mark.parametrize(
    ("heading", "title", "asks"),
    [
        ("## 3. When?", "When?", True),
        ("## 3.1 When?", "When?", True),
        ("## Q: When", "When", True),
        ("## Q4. When?", "When?", True),
        ("## **When?**", "When?", True),
        ("## [When?](#when)", "When?", True),
        ('## <a name="w"></a>When?', "When?", True),
        ("## When? 🙂", "When? 🙂", True),
        ("## When (if at all)? (v2)", "When (if at all)? (v2)", True),
        ("## いつ？", "いつ？", True),
        ("## Why? Because", "Why? Because", False),
        ("## 7 lamps", "7 lamps", False),
    ],
)
def test_titles_are_bare(heading, title, asks):
    assert parts(heading)[0][2:4] == (title, asks)


PIECES = st.sampled_from(
    [
        "# ",
        "## a?",
        "**",
        "?",
        "\n",
        "\n\n",
        "---",
        "===",
        "```",
        "<!--",
        "-->",
        "[a](#b)",
        "- ",
        "a",
        "<summary>",
        "</summary>",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=200))
def test_any_text_is_read(text):
    lines = [line for line, *_ in parts(text)]
    assert lines == sorted(lines)
