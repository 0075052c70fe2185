"""Data sets of the Hub: which files are chosen, and the real client against a stand-in Hub."""

import errno
import json
import os
import subprocess
import sys

import pytest

from podtune.core.errors import DatasetError, NotFoundError, SpecError, StateError
from podtune.storage import hub_datasets
from podtune.storage.hub_datasets import HubSource, choose, parse_source
from support.hub_server import HubServer, commit_of


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("hf://org/name", ("org/name", "", None)),
        ("hf://org/name/", ("org/name", "", None)),
        ("hf://datasets/org/name", ("org/name", "", None)),
        ("hf://org/name@v1", ("org/name", "", "v1")),
        ("hf://org/name/a/b.jsonl", ("org/name", "a/b.jsonl", None)),
        ("hf://org/name/a/b.jsonl@main", ("org/name", "a/b.jsonl", "main")),
        ("hf://org/name/a@feature/x", ("org/name", "a", "feature/x")),
        ("hf://org/name@main/a/b.jsonl", ("org/name", "a/b.jsonl", "main")),
        ("hf://org/name@refs/pr/1/a", ("org/name", "a", "refs/pr/1")),
        ("hf://org/name@refs/convert/parquet", ("org/name", "", "refs/convert/parquet")),
    ],
)
def test_addresses(source, found):
    assert parse_source(source) == found


@pytest.mark.parametrize("source", ["hf://", "hf://name", "hf://org/", "hf://org/name@", "hf:///x",
    "hf://org/name@a/b@c", "hf://org@main/name"])  # fmt: skip
def test_what_is_no_address(source):
    with pytest.raises(SpecError) as caught:
        parse_source(source)
    assert caught.value.code == "bad_url"


def chosen(files, path=""):
    train, held_out = choose(dict.fromkeys(files, 1), HubSource("org/name", path, None))
    return [f.path for f in train], [f.path for f in held_out]


SFT = [f"data/{s}_{k}-0000{n}-of-00002.parquet" for s in ("train", "test") for k in ("sft", "gen")
       for n in (0, 1)]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "path", "train", "held_out"),
    [
        (["rows.jsonl"], "", ["rows.jsonl"], []),
        (["README.md", "a.py", "rows.csv.gz", ".x/y.json", "dataset_infos.json"], "",
         ["rows.csv.gz"], []),
        (["train.jsonl", "validation.jsonl", "test.jsonl"], "",
         ["train.jsonl"], ["validation.jsonl"]),
        (["train.jsonl", "test.jsonl"], "", ["train.jsonl"], ["test.jsonl"]),
        (["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet",
          "data/test-00000-of-00001.parquet"], "",
         ["data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"],
         ["data/test-00000-of-00001.parquet"]),
        (["default/train/0000.parquet", "default/train/0001.parquet", "default/test/0000.parquet"],
         "", ["default/train/0000.parquet", "default/train/0001.parquet"],
         ["default/test/0000.parquet"]),
        (["my_train.json", "my_dev.json"], "", ["my_train.json"], ["my_dev.json"]),
        (["train.csv", "extra.csv"], "", ["train.csv"], []),
        (["part-000.csv", "part-001.csv"], "", ["part-000.csv", "part-001.csv"], []),
        (["test.jsonl"], "", ["test.jsonl"], []),
        (["a/train.jsonl", "b/train.jsonl"], "b", ["b/train.jsonl"], []),
        (["a/train.jsonl", "a/test.jsonl", "b/train.jsonl"], "a/train.jsonl",
         ["a/train.jsonl"], []),
        (SFT, "data/train_sft", SFT[:2], []),
        (["data/train-00000-of-00001-a09b74b3ef9c3b56.parquet",
          "data/test-00000-of-00001-0123456789abcdef.parquet"], "",
         ["data/train-00000-of-00001-a09b74b3ef9c3b56.parquet"],
         ["data/test-00000-of-00001-0123456789abcdef.parquet"]),
        (["a/train.jsonl", "ab/train.jsonl"], "a", ["a/train.jsonl"], []),
        (["train.jsonl", "x/contest.jsonl"], "", ["train.jsonl"], []),
    ],
)  # fmt: skip
def test_the_data_is_chosen(files, path, train, held_out):
    assert chosen(files, path) == (train, held_out)


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (["a.jsonl", "b.jsonl"], ["a", "b"]),
        (["en/train.jsonl", "de/train.jsonl", "de/test.jsonl"], ["de/train", "en/train"]),
        (["train.jsonl", "train.csv"], ["train.csv", "train.jsonl"]),
        (["validation.jsonl", "test.jsonl"], ["test", "validation"]),
        (["data-2023.csv", "data-2024.csv"], ["data-2023", "data-2024"]),
        (SFT, ["data/train_gen", "data/train_sft"]),
    ],
)
def test_several_data_sets_ask_for_a_path(files, named):
    with pytest.raises(DatasetError) as caught:
        chosen(files)
    assert caught.value.code == "several_datasets"
    assert caught.value.context["paths"] == named
    assert f"hf://org/name/{named[0]}" in caught.value.hint


@pytest.mark.parametrize("files", [[], ["README.md"], ["../x.jsonl"], ["/x.jsonl"], ["a//x.csv"]])
def test_nothing_to_choose_from(files):
    with pytest.raises(NotFoundError) as caught:
        chosen(files)
    assert caught.value.code == "file_not_found"


def test_an_unknown_path():
    with pytest.raises(NotFoundError, match="nothing"):
        chosen(["train.jsonl"], "nothing")


PROGRAM = """
import json, sys
from pathlib import Path
from podtune.core.errors import PodtuneError
from podtune.storage import hub_datasets
source, into = sys.argv[1], Path(sys.argv[2])
if len(sys.argv) > 3:
    hub_datasets.MAX_BYTES = int(sys.argv[3])
seen = []
try:
    found = hub_datasets.locate(source)
    path = hub_datasets.download(found, into, lambda *pair: seen.append(pair))
    answer = {"commit": found.commit, "path": str(path), "seen": seen}
except PodtuneError as error:
    answer = {"error": type(error).__name__, "code": error.code, "message": error.message}
print(json.dumps(answer))
"""
TRAIN, TEST = b"t" * 300_000, b"v" * 1000


def ask(endpoint, source, into, *more, **variables):
    """Locate and download in a fresh process: the Hub's client reads its environment once."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "PODTUNE_"))}
    settled = {"HF_ENDPOINT": endpoint, "HF_HOME": str(into / ".cache-home"),
               "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1"}  # fmt: skip
    data = into / "data"
    data.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, source, str(data), *more],
        env=kept | settled | variables, capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    if "error" in answer and answer["code"] != "target_exists":
        assert list(data.iterdir()) == []
    return answer


@pytest.fixture
def rows(tmp_path):
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    (folder / "README.md").write_text("# rows")
    (folder / "load.py").write_text("raise SystemExit('code of a stranger ran')")
    (folder / "data" / "train-00000-of-00001.parquet").write_bytes(TRAIN)
    (folder / "data" / "test-00000-of-00001.parquet").write_bytes(TEST)
    return folder


@pytest.fixture
def server(rows):
    with HubServer({"datasets/org/rows": rows}) as running:
        yield running


def test_both_splits_come_pinned_and_nothing_else(server, rows, tmp_path):
    got = ask(server.url, "hf://org/rows", tmp_path)
    folder = tmp_path / "data" / "rows"
    assert (got["commit"], got["path"]) == (commit_of(rows), str(folder))
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        "train.parquet": TRAIN, "validation.parquet": TEST,
    }  # fmt: skip
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["rows"]
    assert all(name.endswith(".parquet") for name in server.files_requested())
    assert all(f"/resolve/{commit_of(rows)}/" in p for p in server.paths("/resolve/"))
    whole = len(TRAIN) + len(TEST)
    done = [pair[0] for pair in got["seen"]]
    assert done == sorted(done)
    assert got["seen"][-1] == [whole, whole]
    assert not (tmp_path / ".cache-home" / "hub").exists()


def test_one_file_keeps_its_name(server, tmp_path):
    got = ask(server.url, "hf://org/rows/data/train-00000-of-00001.parquet@main", tmp_path)
    path = tmp_path / "data" / "train-00000-of-00001.parquet"
    assert got["path"] == str(path)
    assert path.read_bytes() == TRAIN
    assert len(list((tmp_path / "data").iterdir())) == 1


def test_a_folder_that_is_there_is_never_replaced(server, tmp_path):
    ask(server.url, "hf://org/rows", tmp_path)
    mine = tmp_path / "data" / "rows" / "mine"
    mine.write_text("x")
    done = len(server.files_downloaded())
    answer = ask(server.url, "hf://org/rows", tmp_path)
    assert (answer["error"], answer["code"]) == ("SpecError", "target_exists")
    assert mine.is_file()
    assert len(server.files_downloaded()) == done


def test_what_is_missing(server, tmp_path):
    for source in ("hf://org/nothing", "hf://org/rows@v9"):
        answer = ask(server.url, source, tmp_path)
        assert (answer["error"], answer["code"]) == ("NotFoundError", "dataset_not_found")
    answer = ask(server.url, "hf://org/nothing", tmp_path, HF_TOKEN="hf_some_token")
    assert answer["code"] == "dataset_not_found"
    assert ask(server.url, "hf://org/rows/other", tmp_path)["code"] == "file_not_found"


def test_a_private_data_set_needs_its_token(rows, tmp_path):
    name = "datasets/org/rows"
    with HubServer({name: rows}, private=frozenset({name}), token="hf_good") as running:
        without = ask(running.url, "hf://org/rows", tmp_path)
        bad = ask(running.url, "hf://org/rows", tmp_path, HF_TOKEN="hf_bad_bad_bad")
        good = ask(running.url, "hf://org/rows", tmp_path, HF_TOKEN="hf_good")
    assert without["code"] == "dataset_not_found"
    assert (bad["error"], bad["code"]) == ("CredentialsError", "token_rejected")
    assert "hf_bad" not in bad["message"]
    assert good.get("commit") == commit_of(rows)


def test_a_gated_data_set(rows, tmp_path):
    name = "datasets/org/rows"
    with HubServer({name: rows}, gated_files=frozenset({name})) as running:
        answer = ask(running.url, "hf://org/rows", tmp_path)
    assert (answer["error"], answer["code"]) == ("CredentialsError", "gated_dataset")


def test_no_hub(tmp_path):
    answer = ask("http://127.0.0.1:9", "hf://org/rows", tmp_path)
    assert answer["error"] == "HubUnreachableError"


def test_a_download_that_breaks_off_leaves_nothing(rows, tmp_path):
    with HubServer({"datasets/org/rows": rows}, cut_after=100) as running:
        answer = ask(running.url, "hf://org/rows", tmp_path)
    assert answer["error"] == "HubUnreachableError"


def test_what_is_too_large_is_not_downloaded(server, tmp_path):
    answer = ask(server.url, "hf://org/rows", tmp_path, "1000")
    assert (answer["error"], answer["code"]) == ("UnsupportedError", "file_too_large")
    assert server.files_requested() == set()


def test_several_shards_are_numbered():
    found = hub_datasets.HubDataset(
        "org/name", "0" * 40,
        tuple(hub_datasets.HubFile(f"x/train-0000{n}-of-00002.jsonl.GZ", 1) for n in (0, 1)),
        (hub_datasets.HubFile("../../dev.csv", 1),),
    )  # fmt: skip
    assert list(hub_datasets._local_names(found).values()) == [
        "train-00000.jsonl.gz", "train-00001.jsonl.gz", "validation.csv",
    ]  # fmt: skip


def test_a_fault_of_our_own_is_not_blamed_on_the_hub():
    def broken():
        raise KeyError("x")

    with pytest.raises(KeyError) as caught:
        hub_datasets._ask(broken, HubSource("org/name", "", None))
    assert caught.value.__cause__ is None


def test_a_full_disk_is_said_so():
    def full():
        raise OSError(errno.ENOSPC, "no space")

    with pytest.raises(StateError, match="disk"):
        hub_datasets._ask(full, HubSource("org/name", "", None))
