"""The note of where an adapter is."""

from podtune.app import delivered
from podtune.app.delivered import Delivered


def test_what_was_noted_is_read(tmp_path):
    there = Delivered(uri="hf://a/b", link="https://hub/a/b", sha256="0" * 64, size_bytes=5)
    delivered.write(tmp_path, there)
    delivered.write(tmp_path, there)
    assert delivered.read(tmp_path) == there
    assert [p.name for p in tmp_path.iterdir()] == ["delivered.json"]


def test_nothing_noted(tmp_path):
    assert delivered.read(tmp_path) is None
    (tmp_path / "delivered.json").write_text("{")
    assert delivered.read(tmp_path) is None
