import pack_artifact
from podtune.storage import archive
from support import artifacts


def test_the_archive_is_the_artifact(tmp_path):
    folder = artifacts.make(tmp_path / "artifact")
    target = tmp_path / "adapter.tar.gz"
    assert pack_artifact.main([str(folder), str(target)]) == 0
    names = archive.unpack(target, tmp_path / "out")
    assert set(names) == {p.name for p in folder.iterdir()}


def test_a_folder_that_is_none(tmp_path, capsys):
    assert pack_artifact.main([str(tmp_path / "none"), str(tmp_path / "a.tar.gz")]) == 1
    assert "artifact_incomplete" in capsys.readouterr().err
