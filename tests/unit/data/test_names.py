import pytest

from podtune.data.names import MEMBERS, SIDES, SUFFIXES, is_data_name, split_of


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("behind", ["", ".gz", ".zst"])
def test_a_data_name_ends_as_one(suffix, behind):
    assert is_data_name(f"Rows{suffix.upper()}{behind}")


@pytest.mark.parametrize(
    "name",
    ["photo.png", "rows", "a.jsonl.bak", "jsonl", "a.gz", "a.docx", "rejected.jsonl", "Rejected.jsonl.gz"],
)  # fmt: skip
def test_other_names_are_none(name):
    assert not is_data_name(name)


def test_an_archive_is_not_looked_for_in_an_archive():
    assert ".zip" not in MEMBERS
    assert set(MEMBERS) < set(SUFFIXES)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train.jsonl", "train"),
        ("my-training.csv", "train"),
        ("train-00000-of-00002.parquet", "train"),
        ("VAL.jsonl", "validation"),
        ("tickets_test.csv", "validation"),
        ("tickets.eval.jsonl.gz", "validation"),
        ("a-heldout.json", "validation"),
        ("trainers.csv", None),
        ("contest.csv", None),
        ("evaluate.jsonl", None),
        ("rows.jsonl", None),
        ("train-val.jsonl", "validation"),
    ],
)
def test_a_name_may_say_its_side(name, split):
    assert split_of(name) == split


def test_the_words_for_sides():
    assert set(SIDES.values()) == {"train", "validation"}
    assert all(word == word.lower() for word in SIDES)
