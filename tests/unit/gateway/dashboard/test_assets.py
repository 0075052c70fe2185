"""Style, script and icon: names that follow their bytes, nothing from elsewhere, colours one can read."""

import hashlib
import re

import pytest

from podtune.core.errors import NotFoundError
from podtune.gateway.dashboard import assets

CSS = assets.find(assets.url("dashboard.css").removeprefix("/static/")).content.decode()
SCRIPT = assets.find(assets.url("dashboard.js").removeprefix("/static/")).content.decode()

COLOURS = dict(re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{6}), #[0-9a-f]{6}\)", CSS))
DARK = dict(re.findall(r"--([a-z0-9-]+): light-dark\(#[0-9a-f]{6}, (#[0-9a-f]{6})\)", CSS))

TEXT_ON = [
    *[(text, ground) for text in ("ink", "muted") for ground in ("page", "card", "soft")],
    *[("accent", ground) for ground in ("page", "card", "soft", "accent-soft")],
    *[(tone, ground) for tone in ("good", "some", "bad") for ground in ("card", "page", f"{tone}-soft")],
    *[("ink", f"{tone}-soft") for tone in ("good", "some", "bad")],
    ("on-accent", "accent"),
    ("on-bad", "bad"),
]  # fmt: skip
"""Which colour stands as text on which ground."""
LINES_ON = [("c0", "card"), ("c1", "card"), ("field", "card"), ("field", "soft")]
"""Curves and the edges of fields (WCAG 2.2, 1.4.11: 3 to 1)."""


def luminance(colour):
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_measure_of_contrast_is_right():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("table", [COLOURS, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_can_be_read_in_both_themes(table, text, ground):
    assert contrast(table[text], table[ground]) >= 4.5


@pytest.mark.parametrize("table", [COLOURS, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("line", "ground"), LINES_ON)
def test_lines_can_be_seen_in_both_themes(table, line, ground):
    assert contrast(table[line], table[ground]) >= 3


def test_every_colour_of_text_is_of_the_table():
    used = set(re.findall(r"(?<![-a-z])color: var\(--([a-z0-9-]+)\)", CSS))
    assert used <= {text for text, _ in TEXT_ON}


def test_names_follow_the_bytes():
    for name in assets.TYPES:
        served = assets.url(name).removeprefix("/static/")
        content = assets.find(served).content
        assert hashlib.sha256(content).hexdigest()[:12] in served


@pytest.mark.parametrize("name", ["dashboard.css", "dashboard.000000000000.css", "../pages.py", ""])
def test_other_names_are_none(name):
    with pytest.raises(NotFoundError):
        assets.find(name)


def test_nothing_comes_from_elsewhere():
    for text in (CSS, SCRIPT):
        assert not re.search(r"https?://|@import|url\(", text)


def test_the_script_runs_no_text_as_code():
    assert not re.search(r"\beval\b|new Function|document\.write|\.style\b", SCRIPT)
