import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats.quoting import without_quoted_html, without_quotes

ANSWER = "Please restart it.\n\nThen try again."


@pytest.mark.parametrize(
    "history",
    [
        "On Mon, 1 Jan 2024 at 10:00, Anna <a@x.example> wrote:\n> It is broken.\n> Why?",
        "On Mon, 1 Jan 2024 at 10:00, Anna Maria Longname\n<a@x.example> wrote:\n\n> It is broken.",
        "Am 01.01.2024 um 10:00 schrieb Anna:\n> Es ist kaputt.",
        "Le lun. 1 janv. 2024 à 10:00, Anna <a@x.example> a écrit :\n> C'est cassé.",
        "El lun, 1 ene 2024 a las 10:00, Anna (<a@x.example>) escribió:\n\n> Roto.",
        "Il giorno 1 gen 2024 Anna ha scritto:\n> Rotto.",
        "Op 1 jan 2024 om 10:00 schreef Anna:\n> Kapot.",
        "On Mon, 1 Jan 2024 at 10:00, Anna wrote:\n\nIt is broken, without any marks.",
        "On Monday Anna\n<a@x.example> wrote:\n\nIt is broken, without any marks.",
        "On 1 Jan 2024 Anna wrote:\n>>> It\n>> is\n> broken.",
        "On 1 Jan 2024 Anna wrote:\n>>> It is broken.",
        ">> one\n>>> two",
        "-----Original Message-----\nFrom: Anna\nIt is broken.",
        "----- Ursprüngliche Nachricht -----\nVon: Anna\nKaputt.",
        "________________________________\nFrom: Anna <a@x.example>\nSent: Monday\nTo: Support\nSubject: Broken\n\nIt is.",
        "Von: Anna\nGesendet: Montag\nAn: Support\nBetreff: Kaputt\n\nEs ist kaputt.",
        "##- Please type your reply above this line -##\n\nold",
        "-- \nAnna\nOakfield Support\n+00 00",
        "Sent from my iPhone",
        "Von meinem iPad gesendet",
        "> quoted below\n> again",
    ],
)
def test_history_and_signature_go(history):
    assert without_quotes(f"{ANSWER}\n\n{history}") == (ANSWER, True)


def test_answers_between_quotes_stay():
    text = "On 1 May 2024 Anna wrote:\n> first?\n\nYes.\n\n> second?\n\nNo."
    assert without_quotes(text) == ("Yes.\n\nNo.", True)


def test_answers_below_quotes_stay():
    assert without_quotes("On 1 May Anna wrote:\n> why?\n\nBecause.") == ("Because.", True)


@pytest.mark.parametrize(
    "text",
    [
        "As you wrote:\nit is broken.",
        "On 5 May you wrote:\n\nthat the lamp is dark. It is not.",
        "On 5 May 2024 you wrote: it is dark.\nIt is not.",
        "Type this:\n>>> import x\n>>>\n>>> x.go()\n3",
        "Type this:\n```\n>>> import x\n> quoted\n\n\n\n-- \nFrom: a\nSent: b\nTo: c\n```\nand go.",
        "Type this:\n~~~ sql\n--\nselect 1\n~~~",
        "```\n-----Original Message-----\n```\ngo",
        "From: here you go left.\nThen right.",
        "Press x > y.\nDate: today.",
        "a - b -- c",
        "--\nonly a rule stands before this",
        "",
    ],
)
def test_plain_text_stays(text):
    assert without_quotes(text) == (text, False)


def test_code_stays_where_the_rest_goes():
    code = "```py\n>>> a\n\n\n\n-- \n```"
    text = f"Do this:\n{code}\n\n\n\nthen that.\n> why?\n-- \nAnna"
    assert without_quotes(text) == (f"Do this:\n{code}\n\nthen that.", True)


def test_a_fence_that_is_never_closed_guards_nothing():
    assert without_quotes("Use ```\n```a\n> why?\nBecause.") == ("Use ```\n```a\nBecause.", True)


def test_a_text_with_our_own_mark_in_it_is_read_without_regard_to_code():
    assert without_quotes("\ufdd40\ufdd4\n```\n> a\n```") == ("\ufdd40\ufdd4\n```\n```", True)


def test_carriage_returns_are_no_quotes():
    assert without_quotes("one\r\ntwo\r\n") == ("one\ntwo", False)


@given(st.text(st.sampled_from("On wrote:>1@-_ \n`From:Sent"), max_size=300))
def test_nothing_is_made_up(text):
    answer, stripped = without_quotes(text)
    assert stripped or answer == text.strip()
    assert set(answer) <= set(text)


@pytest.mark.parametrize(
    "piece",
    [
        "On 1 wrote:\n",
        "> ",
        ">>> a\n",
        "```\n",
        "```a\n",
        "On 1 wrote:\n\n\n\n\n",
        "-",
        "From:\n",
        " ",
        "on 1 ",
        "_\n",
        "\n--",
    ],
)
def test_long_texts_take_no_long_time(piece):
    before = time.process_time()
    without_quotes(piece * (400_000 // len(piece)))
    assert time.process_time() - before < 5


@pytest.mark.parametrize(
    ("html", "kept"),
    [
        ("<p>Yes.</p><blockquote><p>Old?</p></blockquote>", "<p>Yes.</p>"),
        ("<p>a</p><BLOCKQUOTE type='cite'>b<blockquote>c</blockquote></BLOCKQUOTE>d", "<p>a</p>d"),
        ("<p>no quote</p>", "<p>no quote</p>"),
        ("<blockquote>never closed", "<blockquote>never closed"),
    ],
)
def test_block_quotes_of_html_go(html, kept):
    assert without_quoted_html(html) == (kept, kept != html)


def test_many_open_block_quotes_take_no_time():
    without_quoted_html("<blockquote>" * 100_000)
    without_quoted_html("<blockquote>" * 100 + "x" * 200_000)
