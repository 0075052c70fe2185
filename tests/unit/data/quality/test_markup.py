import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.quality.markup import has_html, page_text, strip_html

HTML = [
    ("<p>Tea &amp; cake</p><p>Two</p>", "Tea & cake\n\nTwo"),
    ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
    ("<ol>\n  <li>one</li>\n  <li>two\n</li></ol>after", "- one\n- two\nafter"),
    ("Hi<br>there<br/>\nyou", "Hi\nthere\nyou"),
    ("Hi<br><br>you", "Hi\n\nyou"),
    ('<div>Use <b>this</b> <a href="https://x.y/?a=1&b=2">link</a>.</div>', "Use this link."),
    ("<P CLASS=x>Grüß&nbsp;Gott</P>", "Grüß Gott"),
    ("Press <b>Reset</b> now", "Press Reset now"),
    ("<ul>\n    <li>one</li>\n</ul>", "- one"),
    ("<!-- a note -->x<hr>y", "x\ny"),
    ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
    ("Bonjour,<br />vous &ecirc;tes l&agrave;", "Bonjour,\nvous êtes là"),
    ("<p>if a < b</p>", "if a < b"),
    ("<p>Write `<b>` like this</p>", "Write `<b>` like this"),
    ("icon \ue000 stays<br>x", "icon \ue000 stays\nx"),
]
PLAIN = [
    "",
    "a < b and c > d",
    "if a<b and c>d: pass",
    "<think>Let me see</think> Yes",
    "Dear <name>, your <order id>",
    "<html><body><h1>Hi</h1></body></html>",
    "<!DOCTYPE html>\n<p>Hi</p>",
    "<!-- a page --><head><title>Hi</title></head><p>Hi</p>",
    "<script>alert('<p>')</script>Hi<br>",
    "<style>p { color: red }</style><p>Hi</p>",
    "<order><title>Lamp</title><qty>3</qty></order>",
    "Use Vec<i> and Map<b> then </b> x",
    "<think>hm <p>x</p></think>",
    "<p><think>hm</think> a < b</p>",
    "Write:\n\n    <div>\n      <p>Hi</p>\n    </div>\n\nand save.",
    "Write:\n\t<p>Hi</p>",
    "<p>Use:</p>\n```\nls\n```",
    "<p>Use:</p>\n~~~\nls\n~~~",
    "<div>never closed",
    "closed only</p>",
    "<b></b>",
    "<img src=x>",
    "<form><input name=a></form>",
    "<p>I <am here</p>",
    "<p class>Hi</p>",
    "<p>See <https://x.example></p>",
    "List<int> and Map<String, List<a>>",
    "Use the <b> tag, or <br> tags",
    "```html\n<div><p>Hi</p></div>\n```",
    "Write `<p>Hi</p>` there",
    "<user@example.com> wrote",
    "x <- y; a -> b; <3 <<EOF",
    "Vec<u8> &amp; Option<T>",
    "<|im_start|>user",
    "日本語 <名前> です",
]


@pytest.mark.parametrize(("text", "plain"), HTML)
def test_html_becomes_text(text, plain):
    assert has_html(text)
    assert strip_html(text) == plain


@pytest.mark.parametrize("text", PLAIN)
def test_text_that_is_no_html_stays_as_it_is(text):
    assert not has_html(text)
    assert strip_html(text) == text


PAGES = [
    ("<script>alert('<p>')</script>Hi &lt;b&gt;<br>", "Hi <b>"),
    ("<style>p { color: red }</style><P CLASS=x>Grüß&nbsp;Gott</P>", "Grüß Gott"),
    ("<!DOCTYPE html><html><head><title>T</title></head><body>Hi<o:p></o:p></body></html>", "Hi"),
    ("<div>One<p>Two<td nowrap>x", "One\n\nTwox"),
    ("no tags &amp; more", "no tags & more"),
    ("<head>never closed <p>Hi", "never closed\n\nHi"),
]


@pytest.mark.parametrize(("page", "plain"), PAGES)
def test_what_is_known_to_be_html_becomes_text(page, plain):
    assert page_text(page) == plain


@given(st.text(), st.text(alphabet="<>/p blira='\"!-&;`", max_size=80))
def test_no_text_breaks_it(text, noise):
    for each in (text, noise, f"<p>{text}{noise}</p>"):
        if not has_html(each):
            assert strip_html(each) == each


@pytest.mark.parametrize(
    "text",
    [
        "<p " * 33_000,
        "<p a=" * 20_000,
        '<p a="' * 16_000,
        "<p a='b' " * 11_000,
        "<!--" * 25_000,
        "<br><script>" * 8_000,
        "<br>" + " " * 100_000 + "x",
        "<br> " * 20_000,
        "`" * 100_000,
        "<br>" + "```" * 33_000,
        "<" * 100_000 + ">",
        "</p" * 33_000 + ">",
        "&" * 100_000 + "<br>",
        "<p>" * 50_000,
        "\n    <p>x</p>" * 10_000,
        "<br>" + " " * 50_000 + "<b>x</b>" * 5_000,
        "<head>" * 20_000,
    ],
)
def test_no_text_takes_long(text):
    started = time.process_time()
    has_html(text)
    strip_html(text)
    page_text(text)
    assert time.process_time() - started < 2
