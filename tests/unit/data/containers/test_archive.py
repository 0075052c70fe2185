import io
import zipfile

import pytest

from podtune.core.errors import DatasetError
from podtune.data.containers import archive
from podtune.data.record import Reading, ReadOptions
from support import data_files as make


def opened(members, **changes):
    return zipfile.ZipFile(io.BytesIO(make.zipped(members, **changes)))


def infos(*names):
    return archive.members(opened(dict.fromkeys(names, b"x")))


def names(found):
    return [info.filename for info in found]


def reading(**options):
    return Reading(ReadOptions(**options), lambda problem, line: None, {})


def test_only_members_that_may_hold_data_are_looked_at():
    found = infos(
        "rows.jsonl", "photo.png", "run.sh", "deep/er/table.CSV", ".hidden.jsonl", "__MACOSX/rows.jsonl",
        ".git/rows.json", "folder/", "sheet.xlsx", "noend", "inner.zip",
    )  # fmt: skip
    assert names(found) == ["rows.jsonl", "deep/er/table.CSV", "sheet.xlsx"]


@pytest.mark.parametrize(
    "name", ["../escape.jsonl", "a/../../b.jsonl", "/etc/rows.jsonl", "..\\escape.jsonl", "a/.."]
)
def test_a_path_that_leads_out_refuses_the_whole_archive(name):
    with pytest.raises(DatasetError) as caught:
        infos("rows.jsonl", name)
    assert caught.value.code == "unsafe_archive"
    assert "escape" not in caught.value.message


def test_encryption_is_refused_where_it_concerns_data():
    raw = bytearray(make.zipped({"rows.jsonl": b"x"}))
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DatasetError) as caught:
        archive.members(zipfile.ZipFile(io.BytesIO(bytes(raw))))
    assert caught.value.code == "encrypted"


def test_too_many_members_are_refused():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for number in range(archive.MAX_MEMBERS + 1):
            made.writestr(zipfile.ZipInfo(f"{number}.json"), b"")
    with pytest.raises(DatasetError, match="10,001") as caught:
        archive.members(zipfile.ZipFile(out))
    assert caught.value.code == "too_many_members"


def test_the_days_of_a_slack_export_come_in_order():
    found = infos("general/2024-02-01.json", "users.json", "general/2024-01-31.json", "help/2024-01-01.json")  # fmt: skip
    assert names(archive.slack_days(found)) == [
        "general/2024-01-31.json",
        "general/2024-02-01.json",
        "help/2024-01-01.json",
    ]
    assert archive.slack_days(infos("rows.jsonl", "2024-01-01.json")) == []


def test_one_member_a_side_is_a_split():
    found = infos("notes.md", "validation.jsonl", "train.jsonl")
    assert names(archive.split_members(found)) == ["train.jsonl", "validation.jsonl"]


@pytest.mark.parametrize(
    "given", [("rows.jsonl",), ("train.jsonl",), ("a-train.csv", "b-train.csv", "test.csv")]
)
def test_anything_else_is_no_split(given):
    assert archive.split_members(infos(*given)) == ()


@pytest.mark.parametrize(
    ("given", "taken", "close"),
    [
        (["rows.jsonl"], "rows.jsonl", False),
        (["readme.md", "rows.jsonl"], "rows.jsonl", False),
        (["users.json", "conversations.json"], "conversations.json", False),
        (["a.txt", "b.csv"], "b.csv", False),
        (["data.csv", "rows.jsonl"], "data.csv", False),
        (["a.csv", "b.csv"], "a.csv", True),
    ],
)
def test_the_likeliest_member_is_taken_and_the_choice_shown(given, taken, close):
    found, passed = infos(*given), reading()
    assert archive.choose(found, passed).filename == taken
    choice = passed.choices["member"]
    assert (choice.value, choice.close, choice.option) == (taken, close, "--member NAME")
    assert set(choice.others) == set(given) - {taken}


def test_the_larger_of_two_alike_is_taken():
    found = archive.members(opened({"a.csv": b"1", "b.csv": b"12"}))
    assert archive.choose(found, reading()).filename == "b.csv"


@pytest.mark.parametrize("wanted", ["deep/b.csv", "b.csv"])
def test_a_member_can_be_asked_for_with_or_without_its_folder(wanted):
    found = infos("a.csv", "deep/b.csv")
    assert archive.choose(found, reading(member=wanted)).filename == "deep/b.csv"


def test_a_member_that_is_not_there():
    with pytest.raises(DatasetError, match=r"nothing\.csv") as caught:
        archive.choose(infos("a.csv"), reading(member="nothing.csv"))
    assert caught.value.code == "unknown_member"
    assert "a.csv" in caught.value.hint


def test_an_archive_without_data():
    with pytest.raises(DatasetError) as caught:
        archive.choose([], reading())
    assert caught.value.code == "no_data_in_archive"


def test_a_name_with_a_backslash_at_its_end_is_ranked_as_what_it_is():
    found = infos("a.jsonl\\", "b.csv")
    assert archive.choose(found, reading()).filename in {"a.jsonl\\", "b.csv"}


def test_a_member_is_unpacked_under_a_name_of_ours(tmp_path):
    made = opened({"deep/x y.CSV": b"a,b\n"})
    path = archive.unpack(made, archive.members(made)[0], tmp_path)
    assert path == tmp_path / "member.csv"
    assert path.read_bytes() == b"a,b\n"


def test_a_symlink_is_unpacked_as_the_text_it_is(tmp_path):
    made = opened({"link.jsonl": b"/etc/passwd"}, external_attr=0o120777 << 16)
    path = archive.unpack(made, archive.members(made)[0], tmp_path)
    assert not path.is_symlink()
    assert path.read_bytes() == b"/etc/passwd"


def test_a_bomb_is_stopped_while_it_unpacks(tmp_path):
    made = opened({"a.jsonl": bytes(40 << 20)})
    with pytest.raises(DatasetError) as caught:
        archive.unpack(made, archive.members(made)[0], tmp_path)
    assert caught.value.code == "decompression_bound"
    assert (tmp_path / "member.jsonl").stat().st_size < 20 << 20


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])  # fmt: skip
def test_a_damaged_member_is_our_error_with_every_method(tmp_path, method):
    text = "".join(f"row {i * i}\n" for i in range(500)).encode()
    raw = bytearray(make.zipped({"a.jsonl": text}, compress_type=method))
    for at in range(60, 90):
        raw[at] ^= 0x5A
    made = zipfile.ZipFile(io.BytesIO(bytes(raw)))
    with pytest.raises(DatasetError) as caught:
        archive.unpack(made, archive.members(made)[0], tmp_path)
    assert caught.value.code == "damaged_file"
