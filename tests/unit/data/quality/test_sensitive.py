import json
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.data.quality.sensitive import PLACEHOLDERS, may_hold, redact, scan

ALL = frozenset(PLACEHOLDERS)
FOUND = [
    ("Write to anna.huber@example.com, please.", "pii_email", "anna.huber@example.com"),
    ("<a href='mailto:a-b+c@mail.example.co.uk'>", "pii_email", "a-b+c@mail.example.co.uk"),
    ("https://x.example/?mail=bo@example.org", "pii_email", "bo@example.org"),
    ("kontakt@müller.de ist richtig", "pii_email", "kontakt@müller.de"),
    ("メールはanna@example.comです", "pii_email", "anna@example.com"),
    ("Call +43 660 1234512 today", "pii_phone", "+43 660 1234512"),
    ("card 4111 1111 1111 1111", "pii_card", "4111 1111 1111 1111"),
    ("to DE89 3704 0044 0532 0130 00.", "pii_iban", "DE89 3704 0044 0532 0130 00"),
    ("use hf_AbCdEfGhIjKlMnOpQrStUvWx12", "secret", "hf_AbCdEfGhIjKlMnOpQrStUvWx12"),
    ("postgres://admin:Xk29fjs8@db.example.com/x", "secret", "admin:Xk29fjs8"),
]
HARMLESS = [
    "",
    "@username please, we meet @ 5pm",
    "npm install lodash@4.17.21 @angular/core",
    "icon@2x.png and root@localhost",
    "git clone git@github.com:org/repo.git",
    "https://medium.com/@someone/story and https://maps.example/@48.2082,16.3738,15z",
    "postgres://user:password@db.example.com:5432/app",
    "https://example.com/orders/06601234567?x=+436601234567",
    "Your order 4821337712 of 2024-05-17 10:30:00 costs 1.234.567,89 EUR.",
]
anything = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="0123456789 +-()./", max_size=60),
    st.text(alphabet="a1@.:/-_ sk[]hfA", max_size=80),
    st.lists(st.sampled_from([text for text, _, _ in FOUND] + HARMLESS), max_size=4).map("".join),
)


@pytest.mark.parametrize(("text", "code", "value"), FOUND)
def test_what_is_private_is_found_where_it_stands(text, code, value):
    hits = scan(text)
    assert [(hit.code, text[hit.start : hit.end]) for hit in hits] == [(code, value)]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_private_is_left_alone(text):
    assert scan(text) == []


@pytest.mark.parametrize(("text", "code", "value"), FOUND)
def test_the_mask_never_shows_the_value(text, code, value):
    (hit,) = scan(text)
    assert value not in hit.masked
    assert "***" in hit.masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("anna@example.com", "a***@e***.com"),
        ("+43 660 1234512", "+43 *** 12"),
        ("hf_AbCdEfGhIjKlMnOpQrStUvWx12", "hf_A***"),
        ("DE89370400440532013000", "DE** *** 00"),
        ("4111111111111111", "**** **** 11"),
    ],
)
def test_masks(text, masked):
    assert scan(text)[0].masked == masked


@pytest.mark.parametrize(("text", "code", "value"), FOUND)
def test_redaction_puts_a_word_in_the_place_of_the_value(text, code, value):
    assert redact(text, ALL) == text.replace(value, PLACEHOLDERS[code])


def test_only_the_wished_codes_are_replaced():
    text = "anna@example.com or +43 660 1234512"
    assert redact(text, frozenset({"pii_phone"})) == "anna@example.com or [phone]"
    assert redact(text, frozenset()) == text


@given(anything, st.sets(st.sampled_from(sorted(ALL))).map(frozenset))
def test_nothing_is_found_after_redaction_and_a_second_one_changes_nothing(text, codes):
    once = redact(text, codes)
    assert not [hit for hit in scan(once) if hit.code in codes]
    assert redact(once, codes) == once


@given(anything)
def test_finds_are_in_order_and_do_not_overlap(text):
    hits = scan(text)
    for hit in hits:
        assert 0 <= hit.start < hit.end <= len(text)
    for left, right in pairwise(hits):
        assert left.end <= right.start


@given(anything, st.booleans())
def test_the_prefilter_lets_every_find_pass(text, ascii_only):
    raw = json.dumps({"content": text}, ensure_ascii=ascii_only).encode("utf-8", "replace")
    assert may_hold(raw) or not scan(text)


@pytest.mark.parametrize(("text", "code", "value"), FOUND)
def test_the_prefilter_sees_through_escapes(text, code, value):
    escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 0x10000 else c for c in text)
    assert may_hold(b'{"content": "' + escaped.encode() + b'"}')


@pytest.mark.parametrize(
    "text",
    ["How do I change my password? Open Profile > Security.", "Größe 42, 3 Tage, 50 %", "日本語"],
)
def test_ordinary_lines_are_ruled_out_by_the_prefilter(text):
    assert not may_hold(json.dumps({"role": "user", "content": text}, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    "text",
    [
        "1-" * 50_000,
        "@" * 100_000,
        "a." * 50_000 + "@",
        "a@" + "a." * 50_000,
        "a@a." * 25_000,
        "a@b.co " * 14_000,
        "+43 660 1234512 " * 6_000,
        "1 " * 50_000,
        "1" * 100_000,
        "(+(" * 33_000 + "12345678",
        "http://a:" * 11_000 + "@",
        "https://x " * 5_000 + "0660 123 45 67 " * 3_000,
        "eyJ-" * 25_000,
        "sk-" * 33_000,
        " sk-aaaaaaaaaaaaaaaaaaaa" * 4_000,
        "password" * 12_000 + "12",
        "password: a1" * 8_000,
        "-----BEGIN PRIVATE KEY-----" * 3_700,
        "GB29" * 25_000,
        "GB29NWBK6016133192 " * 5_000,
        "_" * 100_000,
        "tel 0" * 20_000,
    ],
)
def test_no_text_takes_long(text):
    started = time.process_time()
    scan(text)
    assert time.process_time() - started < 2
