import pytest

from podtune.app.whole_file import writing
from podtune.core.errors import StateError


def test_a_file_is_there_once_it_is_whole(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with writing(path, "-o") as stream:
        stream.write(b"one")
        assert not path.exists()
    assert path.read_bytes() == b"one"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_what_was_there_is_replaced_whole_and_kept_where_it_fails(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def interrupted():
        with writing(path, "-o") as stream:
            stream.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_nothing_written_is_no_file_and_no_folder(tmp_path):
    with writing(tmp_path / "new" / "deep" / "a.txt", "-o"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_names_the_option(tmp_path):
    (tmp_path / "taken").write_text("x")
    with pytest.raises(StateError) as caught, writing(tmp_path / "taken" / "a.txt", "--html"):
        pass
    assert (caught.value.code, "--html" in caught.value.hint) == ("cannot_write", True)
