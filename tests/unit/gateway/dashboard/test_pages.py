"""Pages: escaped, guarded by headers, in the theme one chose."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from fastapi import Request

from podtune.core.errors import CredentialsError, NotFoundError
from podtune.gateway.dashboard import pages

HOSTILE = "<script>alert(1)</script>\u202e\x00 sk-abcdefghijklmnop"


def asked(path="/", method="GET", cookie=""):
    return Request(
        {
            "type": "http", "method": method, "path": path, "query_string": b"",
            "headers": [(b"cookie", cookie.encode())], "app": SimpleNamespace(state=SimpleNamespace()),
        }
    )  # fmt: skip


def error(message=HOSTILE):
    return NotFoundError(message, hint="look <b>elsewhere</b>", code="not_found")


def test_foreign_text_stays_text():
    text = pages.error_page(asked(), error(), 404).body.decode()
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "&lt;b&gt;elsewhere" in text
    assert "\u202e" not in text
    assert "\x00" not in text
    assert "sk-abcdefghijklmnop" not in text


def test_no_script_or_style_stands_in_a_page():
    text = pages.error_page(asked(), error(), 404).body.decode()
    assert "<style" not in text
    assert " style=" not in text
    assert text.count("<script") == 1
    assert '<script src="/static/' in text


def test_pages_let_nothing_foreign_in():
    headers = pages.error_page(asked(), error(), 404).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    for word in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert word in policy
    assert "unsafe" not in policy
    assert headers["referrer-policy"] == "same-origin", "or our own forms have no origin"
    assert headers["cache-control"] == "no-store"


def test_who_needs_a_key_is_asked_for_it():
    missing = CredentialsError("a key is needed")
    led = pages.error_page(asked("/jobs/a b"), missing, 401)
    assert led.status_code == 303
    assert led.headers["location"] == "/login?next=/jobs/a%20b"
    assert pages.error_page(asked("/jobs/a/cancel", "POST"), missing, 401).status_code == 401


@pytest.mark.parametrize(
    ("cookie", "theme"),
    [("podtune_theme=dark", 'data-theme="dark"'), ("podtune_theme=light", 'data-theme="light"')],
)
def test_the_theme_one_chose_is_in_the_page(cookie, theme):
    assert theme in pages.error_page(asked(cookie=cookie), error(), 404).body.decode()


@pytest.mark.parametrize("cookie", ["", "podtune_theme=%22onload", "podtune_theme=blue"])
def test_without_a_choice_the_browser_decides(cookie):
    text = pages.error_page(asked(cookie=cookie), error(), 404).body.decode()
    assert "data-theme" not in text
    assert 'content="light dark"' in text


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "", "x", "/\r\nset-cookie: a"]
)  # fmt: skip
def test_pages_lead_back_into_this_site_only(path):
    assert pages.inner_path(path) == "/"


def test_ages_do_not_change_every_second():
    then = datetime(2026, 1, 1, tzinfo=UTC)
    assert pages.age(then, then + timedelta(seconds=3)) == pages.age(
        then, then + timedelta(seconds=50)
    )
    assert pages.age(then, then - timedelta(seconds=5)) == "just now"


def test_a_part_is_known_by_its_text():
    assert pages.digest("a") == pages.digest("a") != pages.digest("b")
