"""docs/how-to/dashboard.md: its pictures are there, its words and figures are the program's."""

import inspect
import re

import pytest

from podtune.app import leaks, service
from podtune.cli import serve
from podtune.gateway import doors, sessions
from podtune.gateway.dashboard import assets, uploads


@pytest.fixture(scope="module")
def page(root):
    return (root / "docs/how-to/dashboard.md").read_text(encoding="utf-8")


def test_its_pictures_are_there_and_each_is_shown(page, root):
    shown = set(re.findall(r"\]\(\.\./images/(dashboard-[a-z]+\.png)\)", page))
    assert shown == {path.name for path in (root / "docs/images").glob("dashboard-*.png")}


def test_its_pictures_say_what_they_show(page):
    assert all(len(words) > 10 for words in re.findall(r"!\[([^]]*)\]", page))


def test_its_words_are_the_programs(page):
    assert f"http://127.0.0.1:{serve.PORT}" in page
    script = assets.find(assets.url("dashboard.js").removeprefix("/static/")).content.decode()
    said = "".join(inspect.getsource(module) for module in (doors, service, leaks)) + script
    quoted = re.findall(r'^\| "([^"]+)"', page, re.MULTILINE)
    assert len(quoted) >= 4
    for words in quoted:
        assert words in said


def test_its_figures_are_the_programs(page):
    assert f"up to {uploads.MOST_BYTES >> 20} MB" in page
    assert uploads.KEPT_S == 24 * 3600
    assert sessions.LASTS_S == 12 * 3600
