"""Signing in and out, and the theme: by our own forms alone, leading back into this site alone."""

import pytest

from podtune.gateway.sessions import COOKIE

PAGE = {"accept": "text/html"}


@pytest.fixture
def own(gateway):
    """What a browser sends with our own forms."""
    return {"origin": gateway.url, **PAGE}


def test_without_keys_nobody_signs_in(client):
    assert client.get("/login").headers["location"] == "/"


def test_a_key_opens_the_pages_until_one_signs_out(gateway, client, own):
    token = gateway.key()
    asked = client.get("/", headers=PAGE)
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/")
    assert "Sign in" in client.get("/login?next=/new").text
    begun = client.post("/login", data={"key": f" {token} ", "back": "/new"}, headers=own)
    assert (begun.status_code, begun.headers["location"]) == (303, "/new")
    assert token not in begun.headers["set-cookie"]
    assert client.get("/", headers=PAGE).status_code == 200
    assert "Sign out" in client.get("/", headers=PAGE).text
    ended = client.post("/logout", headers=own)
    assert ended.headers["location"] == "/login"
    client.cookies.delete(COOKIE)
    assert client.get("/", headers=PAGE).status_code == 303


def test_a_wrong_key_is_told_and_not_shown(gateway, client, own):
    gateway.key()
    found = client.post("/login", data={"key": "ptk_wrong_0000000000"}, headers=own)
    assert found.status_code == 401
    assert "ptk_wrong" not in found.text
    assert COOKIE not in found.headers.get("set-cookie", "")


def test_one_is_led_back_into_this_site_only(gateway, client, own):
    token = gateway.key()
    found = client.post("/login", data={"key": token, "back": "//evil.example"}, headers=own)
    assert found.headers["location"] == "/"


@pytest.mark.parametrize("path", ["/login", "/logout", "/theme"])
@pytest.mark.parametrize("origin", [{}, {"origin": "https://evil.example"}, {"origin": "null"}])
def test_forms_of_other_sites_are_refused(gateway, client, path, origin):
    data = {"key": gateway.key(), "theme": "dark"}
    found = client.post(path, data=data, headers=origin)
    assert found.status_code == 403
    assert "set-cookie" not in found.headers


def test_the_theme_one_chooses_stays(client, own):
    chosen = client.post("/theme", data={"theme": "dark", "back": "/new"}, headers=own)
    assert chosen.headers["location"] == "/new"
    assert 'data-theme="dark"' in client.get("/").text
    client.post("/theme", data={"theme": "system"}, headers=own)
    assert "data-theme" not in client.get("/").text
