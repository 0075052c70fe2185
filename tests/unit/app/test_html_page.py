"""How a page is made: its policy, its text, its colours, its file."""

import base64
import hashlib
import re
from importlib import resources

import pytest

from podtune.app import html_page
from podtune.core.errors import ConflictError, StateError

STYLE = resources.files("podtune.app").joinpath("pages", "style.css").read_text(encoding="utf-8")
FACTS = {"source": "a.jsonl", "model": "m", "takes_system": True, "rows": 0, "rows_left": 0,
         "examples": 0, "tokens": 0, "trained": 0, "longest": 0, "folded": 0}  # fmt: skip


def rendered(**more):
    values = {
        "facts": FACTS | more,
        "kinds": [],
        "shown": [],
        "trained_width": 0,
        "shown_places": 3,
    }
    return html_page.render("data_mask.html.jinja", **values)


def test_the_policy_allows_this_style_and_nothing_else():
    text = rendered()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text).group(1)
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'", f"style-src 'sha256-{digest}'", "base-uri 'none'", "form-action 'none'",
    ]  # fmt: skip


def test_the_style_fetches_nothing():
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert "<" not in STYLE


def test_attributes_and_titles_are_escaped():
    text = rendered(source='"><script>\u202e\n')
    assert "<script>" not in text
    assert "&#34;&gt;&lt;script&gt;⟨U+202E⟩⏎" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc", "a\nb\tc"),
        ("\x00\x1b\r\x7f\x85", "␀␛␍⟨U+007F⟩⟨U+0085⟩"),
        ("\u200f\u2066\ufeff\u200b\ud83d", "⟨U+200F⟩⟨U+2066⟩⟨U+FEFF⟩⟨U+200B⟩⟨U+D83D⟩"),
        ("\U000e0041", "⟨U+E0041⟩"),
        ("👨\u200d👩 é\u200c", "👨\u200d👩 é\u200c"),
    ],
)
def test_what_hides_is_shown_by_name(text, shown):
    assert html_page.visible(text) == shown


def test_lines_are_escaped_and_cut():
    assert html_page.lines("<a>\r\n'") == "&lt;a&gt;\n&#x27;"
    cut = html_page.lines("<" * (html_page.TEXT_CHARACTERS + 5))
    assert cut.endswith("&lt; ... (5 characters more)")


@pytest.mark.parametrize(
    ("source", "name"),
    [("/a/b.csv", "b.csv"), ("a/", "a"), ("C:\\x\\y.csv", "y.csv"), ("/", "/"), ("b", "b")],
)
def test_file_names(source, name):
    assert html_page.file_name(source) == name


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    html_page.write(f"é{html_page.GENERATOR}", tmp_path / "new" / "a.html")
    html_page.write(f"again{html_page.GENERATOR}", tmp_path / "new" / "a.html")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.html"]
    assert (tmp_path / "new" / "a.html").read_text() == f"again{html_page.GENERATOR}"


def test_a_file_that_is_no_page_of_ours_is_left_alone(tmp_path):
    (tmp_path / "tickets.csv").write_text("question,answer\n")
    with pytest.raises(ConflictError, match="no page of podtune"):
        html_page.write("page", tmp_path / "tickets.csv")
    assert (tmp_path / "tickets.csv").read_text() == "question,answer\n"


@pytest.mark.parametrize("make", ["folder", "under a file"])
def test_what_cannot_be_written_is_said(make, tmp_path):
    taken = tmp_path / "taken"
    if make == "folder":
        taken.mkdir()
        target = taken
    else:
        taken.write_text("x")
        target = taken / "a.html"
    with pytest.raises((StateError, ConflictError)) as caught:
        html_page.write("text", target)
    assert caught.value.code == {"folder": "target_exists"}.get(make, "cannot_write")
    assert "--html" in caught.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def colours():
    """The custom properties of the light and of the dark scheme."""
    light, dark = STYLE.split("@media screen and (prefers-color-scheme: dark)", 1)
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in (light, dark)]
    return {"light": found[0], "dark": found[0] | found[1]}


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "grounds"),
    [
        ("ink", "page card soft user system tool good-soft some-soft bad-soft on on-other"),
        ("muted", "page card soft user system tool good-soft bad-soft off-other"),
        ("accent", "page card"),
        ("good", "page card good-soft"),
        ("some", "card some-soft"),
        ("bad", "card bad-soft"),
    ],
)
def test_text_stands_out_from_its_ground(scheme, ink, grounds):
    scale = colours()[scheme]
    for ground in grounds.split():
        high, low = sorted((luminance(scale[ink]), luminance(scale[ground])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)
