"""What arrives of an artifact: apart for each holder of the job."""

from podtune.app import incoming
from support import rented_jobs


def job(token, attempt=1):
    return rented_jobs.job(token=token, attempt=attempt)


def test_a_frozen_driver_writes_to_nothing_that_another_has_put_in_place(tmp_path):
    first = incoming.of(tmp_path, job(1))
    part = first / ".a.part"
    part.write_bytes(b"half")
    with part.open("ab") as frozen:
        second = incoming.of(tmp_path, job(2))
        assert (second / ".a.part").read_bytes() == b"half", "what was fetched is not fetched again"
        (second / ".a.part").write_bytes(b"half and the rest")
        (second / ".a.part").replace(second / "a")
        incoming.move_in(second, ["a"], tmp_path / "artifact")
        incoming.clear(second)
        frozen.write(b" and the rest")
    assert (tmp_path / "artifact" / "a").read_bytes() == b"half and the rest"
    assert [path.name for path in tmp_path.iterdir()] == ["artifact"]


def test_the_same_holder_goes_on_in_its_folder(tmp_path):
    (incoming.of(tmp_path, job(3)) / "sub").mkdir()
    (incoming.of(tmp_path, job(3)) / "sub" / "b").write_bytes(b"b")
    incoming.move_in(incoming.of(tmp_path, job(3)), ["sub/b"], tmp_path / "artifact")
    assert (tmp_path / "artifact" / "sub" / "b").read_bytes() == b"b"


def test_another_attempt_begins_empty_and_the_newest_holder_s_is_taken(tmp_path):
    (incoming.of(tmp_path, job(9)) / "a").write_bytes(b"9")
    assert [p.name for p in incoming.of(tmp_path, job(10)).iterdir()] == ["a"]
    assert list(incoming.of(tmp_path, job(11, attempt=2)).iterdir()) == []


def test_a_driver_that_was_frozen_takes_nothing_away_from_the_one_that_followed_it(tmp_path):
    (incoming.of(tmp_path, job(5)) / "a").write_bytes(b"5")
    late = incoming.of(tmp_path, job(4))
    assert list(late.iterdir()) == []
    assert (incoming.of(tmp_path, job(5)) / "a").read_bytes() == b"5"
    assert not late.exists(), "and its own folder goes"
