"""Files that come in: on disk, bounded, each caller's apart, swept."""

import io
import os
from datetime import timedelta

import pytest

from podtune.core.errors import DatasetError, NotFoundError, StateError
from podtune.gateway.dashboard import uploads
from podtune.gateway.dashboard.uploads import Uploads
from support import gateways
from support.build import NOW


@pytest.fixture
def settings(tmp_path):
    return gateways.settings(tmp_path)


def test_a_file_is_kept_and_found_again(settings):
    kept = Uploads(settings, None).keep("../a b.jsonl", io.BytesIO(b"rows"))
    assert kept.path.read_bytes() == b"rows"
    assert kept.name == "a-b.jsonl"
    assert kept.path.is_relative_to(settings.home / "files")
    assert Uploads(settings, None).find(kept.word) == kept


def test_nobody_else_finds_it(settings):
    kept = Uploads(settings, "acme").keep("a.csv", io.BytesIO(b"rows"))
    for tenant in (None, "other"):
        with pytest.raises(NotFoundError):
            Uploads(settings, tenant).find(kept.word)


@pytest.mark.parametrize("word", ["", "..", "../../x", "a" * 24, "\x00" * 24])
def test_other_words_find_nothing(settings, word):
    with pytest.raises(NotFoundError):
        Uploads(settings, None).find(word)


def left(settings):
    return [path for path in (settings.home / "files").rglob("*") if path.is_file()]


def test_an_empty_or_large_file_is_refused_and_leaves_nothing(settings, monkeypatch):
    monkeypatch.setattr(uploads, "MOST_BYTES", 10)
    for content in (b"", b"x" * 11):
        with pytest.raises(DatasetError):
            Uploads(settings, None).keep("a.csv", io.BytesIO(content))
    assert not left(settings)


def test_a_disk_that_takes_nothing_is_said(settings):
    settings.home.mkdir(parents=True)
    (settings.home / "files").write_text("in the way")
    with pytest.raises(StateError, match="cannot be kept"):
        Uploads(settings, None).keep("a.csv", io.BytesIO(b"rows"))


def test_old_ones_are_swept(settings):
    now = NOW
    mine = Uploads(settings, None, clock=lambda: now)
    old = mine.keep("old.csv", io.BytesIO(b"rows"))
    os.utime(old.path.parent, (NOW.timestamp(), NOW.timestamp()))
    now = NOW + timedelta(seconds=uploads.KEPT_S - 1)
    fresh = mine.keep("new.csv", io.BytesIO(b"rows"))
    assert old.path.exists()
    now = NOW + timedelta(seconds=uploads.KEPT_S + 1)
    os.utime(fresh.path.parent, (now.timestamp(), now.timestamp()))
    mine.sweep()
    assert not old.path.exists()
    assert fresh.path.exists()
