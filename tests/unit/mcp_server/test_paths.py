import pytest

from podtune.app.settings import Settings
from podtune.app.workspace import Workspace
from podtune.core.errors import NotFoundError, SpecError
from podtune.mcp_server.paths import folders, inside, kept_inside
from support import homes


@pytest.fixture
def space(work, tmp_path):
    return of(work, home=tmp_path / "home")


def of(*folders, home):
    return Workspace.of(folders[0], Settings(home=home), folders[1:])


def test_roots_that_are_no_folder_here_are_passed_over(tmp_path):
    named = tmp_path / "with space"
    named.mkdir()
    uris = [
        "https://example.org/x", "file://elsewhere/tmp", f"file://{tmp_path}/none",
        named.as_uri(), named.as_uri(),
    ]  # fmt: skip
    assert folders([type("R", (), {"uri": uri}) for uri in uris]) == (named,)


def test_a_path_is_whole_and_inside(space, work):
    assert inside(space, "tickets.jsonl") == str(work / "tickets.jsonl")
    assert inside(space, "*.jsonl") == str(work / "*.jsonl")
    assert inside(space, "https://x.example/a.jsonl") == "https://x.example/a.jsonl"


def test_a_relative_path_is_looked_for_in_each_root(work, tmp_path):
    other = tmp_path / "other"
    homes.data(other, name="faq.jsonl")
    both = of(work, other, home=tmp_path / "home")
    assert inside(both, "faq.jsonl") == str(other / "faq.jsonl")
    assert inside(both, "tickets.jsonl") == str(work / "tickets.jsonl")
    with pytest.raises(NotFoundError):
        inside(both, "nowhere.jsonl")


@pytest.mark.parametrize(
    "named", ["../secret.jsonl", "/etc/passwd", "a\0b", "model/../../secret.jsonl"]
)
def test_a_path_that_leads_out_is_refused(space, tmp_path, named):
    homes.data(tmp_path, name="secret.jsonl")
    with pytest.raises(SpecError) as caught:
        inside(space, named)
    assert caught.value.code == "outside_workspace"


@pytest.mark.parametrize("named", ["link.jsonl", "*.jsonl", "."])
def test_a_link_that_leads_out_is_refused(space, work, tmp_path, named):
    secret = homes.data(tmp_path, name="secret.jsonl")
    (work / "link.jsonl").symlink_to(secret)
    with pytest.raises(SpecError) as caught:
        inside(space, named)
    assert caught.value.code == "outside_workspace"


def test_the_home_is_closed_though_it_lies_inside(work):
    files = homes.data(work / "home" / "files")
    with pytest.raises(SpecError):
        inside(of(work, home=work / "home"), str(files))


def test_every_place_is_kept_whole(space, work):
    stated = {"data.source": "tickets.jsonl", "base_model": "model", "deliver.to": "out"}
    assert kept_inside(stated, space) == {
        "data.source": str(work / "tickets.jsonl"), "base_model": str(work / "model"),
        "deliver.to": str(work / "out"),
    }  # fmt: skip


def test_names_of_the_hub_and_addresses_are_left_alone(space):
    stated = {"base_model": "Qwen/Qwen3-8B", "deliver.to": "hf://acme/x", "data.source": "hf://a/b"}
    assert kept_inside(stated, space) == stated


def test_a_model_s_folder_where_the_program_was_started_is_none_of_the_workspace(
    space, tmp_path, monkeypatch
):
    homes.model(tmp_path / "elsewhere" / "acme" / "tiny")
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(SpecError) as caught:
        kept_inside({"base_model": "acme/tiny"}, space)
    assert caught.value.code == "outside_workspace"
