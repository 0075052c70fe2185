import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.formats.mail_message import parse


def mail(body="Restart it.", **headers):
    named = {
        "From": "Anna <Anna@X.example>",
        "Message-ID": "<1@x>",
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    head = "".join(f"{name}: {value}\n" for name, value in named.items() if value is not None)
    return parse(1, (head + "\n").encode() + (body if isinstance(body, bytes) else body.encode()))


def test_headers_of_a_mail():
    found = mail(
        Subject="=?utf-8?B?w5xiZXI=?= us",
        In_Reply_To="<0@x>",
        References="<a@x>\n <b@x>",
        Date="Mon, 1 Jan 2024 10:00:00 +0100",
        To="B <b@y.example>, c@z.example",
    )
    assert (found.sender, found.name, found.id) == ("anna@x.example", "Anna", "1@x")
    assert found.answers == ("a@x", "b@x", "0@x")
    assert found.subject == "Über us"
    assert found.time == 1704099600
    assert found.recipients == {"b@y.example", "c@z.example"}
    assert found.text == "Restart it."
    assert not found.is_automatic


@pytest.mark.parametrize(
    ("charset", "raw"),
    [("utf-8", "é".encode()), ("iso-8859-1", b"\xe9"), ("x-unknown", "é".encode()), ("utf-8", b"\xe9"),
     ("punycode", "é".encode()), ("iso-8859-1", "é".encode()), ("", "é".encode()), ("unicode_escape", "é".encode())],
)  # fmt: skip
def test_charsets_true_and_false(charset, raw):
    assert mail(raw, Content_Type=f'text/plain; charset="{charset}"').text == "é"


def multipart(*parts, kind="alternative"):
    body = "".join(f"--b\n{part}\n" for part in parts) + "--b--\n"
    return mail(body, Content_Type=f'multipart/{kind}; boundary="b"', MIME_Version="1.0")


def test_plain_text_goes_before_html():
    found = multipart("Content-Type: text/html\n\n<p>html</p>", "Content-Type: text/plain\n\nplain")
    assert (found.text, found.had_html) == ("plain", False)


def test_html_alone_becomes_text_without_its_history():
    found = multipart(
        "Content-Type: text/html\n\n<p>Restart &amp; wait.</p>"
        '<div class="gmail_quote">On Monday: <blockquote>It is broken.</blockquote></div>'
    )
    assert (found.text, found.had_html, found.had_quotes) == ("Restart & wait.", True, True)


def test_a_whole_page_becomes_text_though_its_tags_do_not_balance():
    found = multipart(
        "Content-Type: text/html\n\n<html><head><title>T</title><style>p {}</style></head>"
        "<body><p>Restart <o:p></o:p>&amp; wait.<br>Then call</body></html>"
    )
    assert (found.text, found.had_html) == ("Restart & wait.\nThen call", True)


def test_attachments_are_no_text():
    found = multipart(
        "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nsecret",
        "Content-Type: text/plain\n\nplain",
        kind="mixed",
    )
    assert found.text == "plain"


def test_base64_and_flowed_text():
    assert (
        mail("UmVzdGFydA==", Content_Transfer_Encoding="base64", Content_Type="text/plain").text
        == "Restart"
    )
    flowed = mail("one \ntwo\nthree\n> four \n> five", Content_Type="text/plain; format=flowed")
    assert flowed.text == "one two\nthree"


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied"},
        {"Precedence": "bulk"},
        {"X_Autoreply": "yes"},
        {"Return_Path": "<>"},
        {"List_Unsubscribe": "<https://x.example>"},
        {"From": "no-reply@x.example"},
        {"From": "Shop <noreply+7@x.example>"},
        {"From": "MAILER-DAEMON@x.example"},
        {"Subject": "Automatic reply: holidays"},
        {"Subject": "List Digest, Vol 4, Issue 2"},
        {"Content_Type": "multipart/report; boundary=b"},
    ],
)
def test_programs_are_told_from_people(headers):
    assert mail(**headers).is_automatic


@pytest.mark.parametrize(
    "headers",
    [{"Auto_Submitted": "no"}, {"Precedence": "list", "List_Id": "<l>", "List_Unsubscribe": "<x>"}, {"From": "nora@x.example"},
     {"Subject": "The digest of the meeting"}],
)  # fmt: skip
def test_people_are_told_from_programs(headers):
    assert not mail(**headers).is_automatic


@pytest.mark.parametrize("sender", [None, "", "nobody at all", "undisclosed-recipients:;"])
def test_who_has_no_address_is_nobody(sender):
    assert mail(From=sender) is None or "@" in mail(From=sender).sender or mail(From=sender).sender


def test_odd_names_do_not_hide_the_address():
    assert mail(From='"Anna (Support), Oakfield" <a@x.example>').sender == "a@x.example"
    assert mail(From="Anna, Support <a@x.example>").sender == "a@x.example"


HEADER = st.sampled_from(
    ["From: a@x\n", "From: =?utf-8?q?=FF?= <a@x>\n", "Content-Type: multipart/mixed; boundary=b\n", "Content-Type: text/html\n",
     "Content-Type: ;;;=\n", "Date: 99 Foo\n", "Subject: =?x?b?!?=\n", "Content-Transfer-Encoding: base64\n", "References: <<>>\n",
     "Content-Disposition: ;\n", "Message-ID: <>\n", "Content-Type: text/plain; charset*=x''%ff\n", ": \n", " folded\n"]
).map(str.encode)  # fmt: skip


@given(st.lists(HEADER, max_size=8), st.binary(max_size=200) | st.just(b"\n--b\n\n\nx\n--b--"))
def test_any_bytes_are_read(headers, body):
    found = parse(1, b"".join(headers) + b"\n" + body)
    if found is not None:
        found.text.encode()
        found.subject.encode()
        found.sender.encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a@x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 3000,
        b"From: a@x\n" + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(500)),
        b"From: " + b"a,<" * 100_000,
        b"From: a@x\nReferences: " + b"<" * 300_000,
        b"From: a@x\nSubject: " + b"=?utf-8?q?a?= " * 30_000,
        b"From: a@x\nContent-Type: text/html\n\n" + b"<div " * 100_000,
        b"From: a@x\nContent-Type: " + b"text/plain; a=" * 20_000,
        b"From: a@x\nTo: " + b"a@" * 100_000,
    ],
)  # fmt: skip
def test_hostile_mail_takes_no_long_time(raw):
    before = time.process_time()
    parse(1, raw)
    assert time.process_time() - before < 10


def test_a_message_of_a_hundred_thousand_parts_takes_no_time():
    raw = b"From: a@x.example\nContent-Type: multipart/mixed; boundary=b\n\n" + (
        b"--b\nContent-Type: multipart/mixed; boundary=b\n\n" * 90_000
    )
    mail = parse(1, raw)
    assert mail is not None
    assert mail.text == ""
