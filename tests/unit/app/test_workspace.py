"""What may be looked at: the roots and nothing else, within bounds of work."""

import os

import pytest

from podtune.app import workspace
from podtune.app.settings import Settings
from podtune.app.workspace import Workspace
from podtune.core.errors import SpecError


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def at(folder, **settings):
    return Workspace.of(folder, Settings(home=folder / "pt-home", **settings))


def put(path, text="x\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def names(space):
    return [str(f.inside) for f in space.data_files().files]


def test_data_files_are_found_breadth_first(here):
    for name in ("b/c.csv", "a.jsonl", "b/d/e.json.gz", "notes.png", "rejected.jsonl"):
        put(here / name)
    assert names(at(here)) == ["a.jsonl", "b/c.csv", "b/d/e.json.gz"]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.csv", ".git/a.csv", "node_modules/a.csv", ".venv/a.csv", "venv/a.csv", "x/__pycache__/a.csv",
        "pt-home/jobs/a.csv", "~$open.csv", "a/b/c/d/e/f/g/deep.csv",
    ],
)  # fmt: skip
def test_what_is_hidden_foreign_ours_or_deep_is_left_out(here, name):
    put(here / name)
    assert names(at(here)) == []


def test_a_name_that_is_no_text_is_left_out(here):
    put(here / "tickets.csv")
    put(here / os.fsdecode(b"tickets\xff.csv"))
    put(here / os.fsdecode(b"folder\xff") / "tickets.csv")
    assert names(at(here)) == ["tickets.csv"]


def test_an_environment_is_left_out_whatever_its_name(here):
    put(here / "py311/pyvenv.cfg")
    put(here / "py311/lib/rows.csv")
    assert names(at(here)) == []


def test_links_out_are_not_followed(here, tmp_path):
    secret = put(tmp_path / "elsewhere/tickets.csv")
    (here / "tickets.csv").symlink_to(secret)
    (here / "folder").symlink_to(secret.parent)
    (here / "loop.csv").symlink_to(here / "loop.csv")
    (here / "gone.csv").symlink_to(here / "nothing.csv")
    assert names(at(here)) == []


def test_a_link_that_stays_inside_is_a_file(here):
    put(here / "a.csv")
    (here / "b.csv").symlink_to(here / "a.csv")
    assert names(at(here)) == ["a.csv", "b.csv"]


def test_a_link_into_the_home_is_closed(here):
    put(here / "pt-home/secret.csv")
    (here / "b.csv").symlink_to(here / "pt-home/secret.csv")
    assert names(at(here)) == []


def test_places_of_the_setting_are_looked_in(here, tmp_path):
    put(tmp_path / "place/t.csv")
    space = at(here, data_places=f"{tmp_path / 'place'}:")
    assert names(space) == ["t.csv"]
    assert space.source(str(tmp_path / "place/t.csv")) == str(tmp_path / "place/t.csv")
    assert space.shown(tmp_path / "place/t.csv") == str(tmp_path / "place/t.csv")


@pytest.mark.parametrize("places", ["relative", "/no/such/folder"])
def test_a_place_that_is_none_is_told(here, places):
    with pytest.raises(SpecError, match="PODTUNE_DATA_PLACES") as caught:
        at(here, data_places=places)
    assert caught.value.code == "bad_setting"


@pytest.mark.parametrize(
    "named", ["../up.csv", "/etc/passwd", "a/../../b.csv", "~/x.csv", "out/t.csv"]
)
def test_a_path_out_is_refused(here, tmp_path, named):
    (here / "out").symlink_to(tmp_path)
    with pytest.raises(SpecError) as caught:
        at(here).source(named)
    assert caught.value.code == "outside_workspace"


@pytest.mark.parametrize("named", ["*.csv", "folder", ".", "**/*.csv"])
def test_a_folder_or_pattern_with_a_link_out_is_refused(here, tmp_path, named):
    put(here / "own.csv")
    put(here / "folder/own.csv")
    for link in (here / "tickets.csv", here / "folder/tickets.csv"):
        link.symlink_to(put(tmp_path / "elsewhere/tickets.csv"))
    with pytest.raises(SpecError) as caught:
        at(here).source(named)
    assert caught.value.code == "outside_workspace"
    assert "tickets.csv' of" in caught.value.message


@pytest.mark.parametrize("named", ["~nobody-of-this-name/a.csv", "a\0b.csv"])
def test_what_is_no_path_is_told(here, named):
    with pytest.raises(SpecError) as caught:
        at(here).source(named)
    assert caught.value.code == "outside_workspace"


def test_a_path_inside_is_whole_and_an_address_stays(here):
    assert at(here).source("a/*.csv") == str(here / "a/*.csv")
    assert at(here).source("hf://org/rows") == "hf://org/rows"
    assert at(here).shown(here / "a.csv") == "a.csv"


def test_bounds_are_of_work(here, monkeypatch):
    monkeypatch.setattr(workspace, "MAX_ENTRIES", 5)
    for number in range(9):
        put(here / f"{number}.csv")
    found = at(here).data_files()
    assert (len(found.files), found.entries, found.is_all) == (5, 5, False)
    monkeypatch.setattr(workspace, "MAX_FILES", 2)
    assert len(at(here).data_files().files) == 2


def test_what_may_not_be_read_is_no_end(here):
    put(here / "a.csv")
    assert names(Workspace((here, here / "gone"))) == ["a.csv"]
