"""`deliver.to`, taken apart."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.app import targets
from podtune.app.targets import Bucket, HubRepository, LocalArchive, LocalFolder
from podtune.core.errors import SpecError
from podtune.core.request import TrainingRequest
from podtune.intake.resolve import resolve


@pytest.mark.parametrize(
    ("to", "target"),
    [
        ("/out", LocalFolder(Path("/out"))),
        ("/out/a.tar.gz", LocalArchive(Path("/out/a.tar.gz"))),
        ("/out/a.TGZ", LocalArchive(Path("/out/a.TGZ"))),
        ("hf://org/name", HubRepository("org/name")),
        ("HF://org/Name.v1_2-x", HubRepository("org/Name.v1_2-x")),
        ("hf://models/org/name/", HubRepository("org/name")),
        ("s3://bucket", Bucket("s3", "bucket", "")),
        ("s3://bucket/a/b/", Bucket("s3", "bucket", "a/b")),
        ("supabase://", Bucket("supabase", "lora-models", "adapters")),
        ("supabase://mine", Bucket("supabase", "mine", "adapters")),
        ("supabase://mine/a/b.tar.gz", Bucket("supabase", "mine", "a/b.tar.gz")),
    ],
)
def test_places(to, target):
    assert targets.parse(to) == target


@pytest.mark.parametrize(
    "to",
    ["hf://", "hf://name", "hf://a/b/c", "hf://../x", "hf://a/b..c", "hf://a/b?x", "ftp://x/y",
     "s3://", "s3://B/x", "s3://bucket/../x", "supabase://b/../x", "supabase://b//x",
     "supabase://b/x?y", "https://x.example/f"],
)  # fmt: skip
def test_what_is_no_place(to):
    with pytest.raises(SpecError) as caught:
        targets.parse(to)
    assert caught.value.code == "bad_target"
    assert "hf://org/name" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("to", "key"),
    [
        ("s3://b0b", "job-j.tar.gz"),
        ("s3://b0b/x/y", "x/y/job-j.tar.gz"),
        ("s3://b0b/x/y.tar.gz", "x/y.tar.gz"),
        ("supabase://", "adapters/job-j.tar.gz"),
        ("supabase://b/x.tgz", "x.tgz"),
    ],
)
def test_the_key_of_a_jobs_archive(to, key):
    assert targets.parse(to).key("j") == key


def test_a_plan_holds_addresses_as_they_are_and_paths_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert targets.settled("hf://org/name") == "hf://org/name"
    assert targets.settled("out") == str(tmp_path / "out")
    assert targets.settled("~/out").startswith(str(Path.home()))


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "f").touch()
    (tmp_path / "a.tar.gz").touch()
    assert targets.settled(str(tmp_path / "empty")) == str(tmp_path / "empty")
    for there in ("full", "a.tar.gz", "full/f"):
        with pytest.raises(SpecError) as caught:
            targets.settled(str(tmp_path / there))
        assert caught.value.code == "target_exists"


def spec(**deliver):
    stated = {f"deliver.{name}": value for name, value in deliver.items()}
    stated |= {"data.source": "d.jsonl", "base_model.name": "org/m", "data.system_prompt": "hi"}
    return resolve(TrainingRequest(stated=stated))[0]


def test_what_would_become_public_is_said():
    words = targets.public_words(spec(to="hf://org/name", public=True))
    assert "everybody will see org/name" in words[0]
    assert "system prompt" in words[1]
    assert "samples" in words[2]


@pytest.mark.parametrize("deliver", [{}, {"to": "hf://org/name"}, {"to": "/out"}])
def test_nothing_becomes_public_unasked(deliver):
    assert targets.public_words(spec(**deliver)) == ()


@given(st.text(max_size=40))
def test_no_address_leaves_its_bucket(text):
    for scheme in ("s3://bucket/", "supabase://bucket/", "hf://"):
        try:
            found = targets.parse(scheme + text)
        except SpecError:
            continue
        if isinstance(found, Bucket):
            assert found.bucket == "bucket"
            assert ".." not in found.key("j").split("/")


@pytest.mark.parametrize(
    ("to", "path"),
    [
        (None, "/home/jobs/demo-abc234/artifact"),
        ("/out", "/out"),
        ("/out/a.tar.gz", "/out/a.tar.gz"),
        ("hf://org/name", "hf://org/name"),
        ("s3://models/team-a", "models/team-a/job-demo-abc234.tar.gz"),
        ("supabase://", "lora-models/adapters/job-demo-abc234.tar.gz"),
    ],
)
def test_where_the_application_finds_an_adapter(to, path):
    artifact = Path("/home/jobs/demo-abc234/artifact")
    assert targets.adapter_path(spec(to=to), "demo-abc234", artifact) == path
