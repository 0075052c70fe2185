"""One file, fetched to its place, against a stand-in Hub on loopback."""

import hashlib

import pytest

import fetch_file
from failure import Failure
from fetch_file import PARTIAL, Source, Wanted
from support.hub_server import HubServer, commit_of

NAME = "model.safetensors"
CONTENT = bytes(range(256)) * 2000
FILE = Wanted(NAME, len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), None)


@pytest.fixture
def hub(tmp_path):
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / NAME).write_bytes(CONTENT)
    (folder / "config.json").write_text("{}")
    with HubServer({"org/m": folder}) as serving:
        serving.source = Source(f"{serving.url}/org/m/resolve/{commit_of(folder)}")
        yield serving


@pytest.fixture
def place(tmp_path):
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / NAME


def fetch(hub, place, file=FILE, **more):
    counts, pauses = [], []
    fetch_file.fetch(hub.source, file, place, told=counts.append, sleep=pauses.append, **more)
    return counts, pauses


def test_a_file_comes_whole_and_under_its_name_only_then(hub, place):
    counts, pauses = fetch(hub, place)
    assert place.read_bytes() == CONTENT
    assert (sum(counts), pauses) == (len(CONTENT), [])
    assert not place.with_name(NAME + PARTIAL).exists()


@pytest.mark.parametrize("ranges", [True, False], ids=["by range", "a Hub without ranges"])
def test_what_broke_off_goes_on(hub, place, ranges):
    hub.faults, hub.ranges = ["cut:100000", 503, "reset"], ranges
    counts, pauses = fetch(hub, place)
    assert place.read_bytes() == CONTENT
    assert sum(counts) == len(CONTENT)
    # progress begins the pauses at the first again
    assert pauses == [1.0, 1.0, 3.0]
    assert hub.asked_ranges[-1] == "bytes=100000-"


def test_a_part_of_an_earlier_process_is_hashed_too(hub, place):
    place.with_name(NAME + PARTIAL).write_bytes(CONTENT[:70_000])
    counts, _ = fetch(hub, place)
    assert (sum(counts), place.read_bytes() == CONTENT) == (len(CONTENT) - 70_000, True)


@pytest.mark.parametrize("left", [b"x" * 70_000, b"x" * (len(CONTENT) + 5)], ids=["wrong", "long"])
def test_a_part_that_is_not_of_this_file_is_thrown_away(hub, place, left):
    place.with_name(NAME + PARTIAL).write_bytes(left)
    fetch(hub, place)
    assert place.read_bytes() == CONTENT


def test_a_sum_that_differs_twice_is_a_damaged_file(hub, place):
    hub.faults = ["flip", "flip"]
    with pytest.raises(Failure) as caught:
        fetch(hub, place)
    assert caught.value.code == "integrity_mismatch"
    assert list(place.parent.iterdir()) == []


def test_a_hub_that_answers_no_more_is_left(hub, place):
    hub.faults = [503] * 20
    with pytest.raises(Failure) as caught:
        fetch(hub, place)
    assert caught.value.code == "download_failed"
    assert "HTTP 503" in caught.value.message


@pytest.mark.parametrize(("status", "words"), [(403, "refuses"), (404, "has no")])
def test_a_refusal_is_not_tried_again(hub, place, status, words):
    hub.faults = [status]
    with pytest.raises(Failure) as caught:
        fetch(hub, place)
    assert caught.value.code == "hub_refused"
    assert words in caught.value.message


def test_it_stops_when_it_is_asked_and_keeps_what_came(hub, place):
    hub.faults = ["cut:100000"]
    with pytest.raises(Failure) as caught:
        fetch(hub, place, stop=lambda: place.with_name(NAME + PARTIAL).stat().st_size > 0)
    assert caught.value.code == "interrupted"
    assert place.with_name(NAME + PARTIAL).stat().st_size == 100_000


def test_gits_own_sum_of_small_files(hub, place):
    git = hashlib.sha1(b"blob 2\0{}", usedforsecurity=False).hexdigest()
    fetch(hub, place.with_name("config.json"), Wanted("config.json", 2, None, git))
    assert fetch_file.is_there(Wanted("config.json", 2, None, git), place.with_name("config.json"))
    wrong = Wanted("config.json", 2, None, "0" * 40)
    assert not fetch_file.is_there(wrong, place.with_name("config.json"))


def test_an_empty_file_is_a_file(hub, place):
    fetch(hub, place, Wanted("config.json", 0, None, None))
    assert place.read_bytes() == b""


def test_plain_http_goes_to_this_machine_alone(place):
    source = Source("http://hub.example/org/m/resolve/x")
    with pytest.raises(Failure) as caught:
        fetch_file.fetch(source, FILE, place)
    assert caught.value.code == "hub_refused"
