"""Writing data: same bytes each time, never over a source, nothing left behind, nothing straddling."""

import json

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from podtune.app import data_files
from podtune.app.settings import Settings
from podtune.core.errors import ConflictError, DatasetError, NotFoundError, PodtuneError, SpecError
from podtune.data import reader
from podtune.data.record import ReadOptions
from podtune.data.split import normalise

SECRET = "sk-proj-Zk3Qx9Lm2Vb7Rt5Yw8Np4Hd6Js1Gf0Ac"
SETTINGS = Settings()


def row(n, answer=None):
    return json.dumps({"prompt": f"What is {n}?", "completion": answer or f"It is {n}."})


def source(folder, *lines, name="rows.jsonl"):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def convert(path, to, *fixes, overwrite=False, **options):
    wanted = ReadOptions(fixes=frozenset(fixes), **options)
    return data_files.convert(str(path), to, SETTINGS, wanted, overwrite=overwrite)


def divide(path, to, *fixes, share=0.25, overwrite=False):
    wanted = ReadOptions(fixes=frozenset(fixes))
    return data_files.divide(str(path), to, SETTINGS, wanted, share=share, overwrite=overwrite)


def names(folder):
    return sorted(path.name for path in folder.rglob("*"))


def values(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_good_rows_are_written_as_messages(tmp_path):
    done = convert(source(tmp_path, row(1), row(2)), tmp_path / "out" / "clean.jsonl")
    (written,) = done.written
    assert written.path == tmp_path / "out" / "clean.jsonl"
    assert (written.rows, done.rejected) == (2, None)
    assert values(written.path)[0] == {
        "messages": [
            {"role": "user", "content": "What is 1?"},
            {"role": "assistant", "content": "It is 1."},
        ]
    }
    assert names(tmp_path / "out") == ["clean.jsonl"]


def test_the_same_source_gives_the_same_bytes(tmp_path):
    path = source(tmp_path, row(1), "broken", row(2), row("größe"))
    first = convert(path, tmp_path / "a" / "x.jsonl")
    second = convert(path, tmp_path / "b" / "x.jsonl")
    assert first.written[0].path.read_bytes() == second.written[0].path.read_bytes()
    assert first.rejected is not None
    assert second.rejected is not None
    assert first.rejected.path.read_bytes() == second.rejected.path.read_bytes()
    assert first.written[0].sha256 == second.written[0].sha256


def test_what_was_converted_is_read_as_the_same_rows(tmp_path):
    pair = {"prompt": "q", "chosen": "a", "rejected": "b"}
    tools = {
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": None, "reasoning_content": "r",
             "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"a": 1}}}]},
            {"role": "tool", "content": "y", "tool_call_id": "1"},
            {"role": "assistant", "content": "z", "weight": 1},
        ],
        "tools": [{"name": "f"}],
    }  # fmt: skip
    for number, record in enumerate((pair, tools)):
        path = source(tmp_path, *[json.dumps(record)] * 3, name=f"{number}.jsonl")
        done = convert(path, tmp_path / f"out{number}" / "x.jsonl")
        before = reader.read(path).conversations
        after = reader.read(done.written[0].path).conversations
        assert [(c.messages, c.tools, c.rejected) for c in before] == [
            (c.messages, c.tools, c.rejected) for c in after
        ]
        again = convert(done.written[0].path, tmp_path / f"again{number}" / "x.jsonl")
        assert again.written[0].sha256 == done.written[0].sha256


def test_what_is_left_out_is_told_without_its_text(tmp_path):
    lines = [row(1), '{"prompt": "PRIVATE"}', "", "PRIVATE", row(2, SECRET)]
    done = convert(source(tmp_path, *lines), tmp_path / "clean.jsonl")
    assert done.rejected is not None
    assert done.rejected.path == tmp_path / "rejected.jsonl"
    told = values(done.rejected.path)
    assert [(r["line"], r["row"]) for r in told] == [(2, 2), (4, 3), (5, 4)]
    assert [r["codes"] for r in told] == [["missing_column"], ["bad_json"], ["secret"]]
    assert all(set(r) - {"file"} == {"line", "row", "codes", "reason"} for r in told)
    assert all(r["reason"] for r in told)
    text = done.rejected.path.read_text(encoding="utf-8")
    assert "PRIVATE" not in text
    assert SECRET not in text


def test_of_several_files_the_name_is_told(tmp_path):
    source(tmp_path, row(1), "broken", name="in/a.jsonl")
    source(tmp_path, row(2), "broken", name="in/b.jsonl")
    done = convert(tmp_path / "in", tmp_path / "out" / "clean.jsonl")
    assert done.rejected is not None
    assert [r["file"] for r in values(done.rejected.path)] == ["a.jsonl", "b.jsonl"]
    assert done.written[0].rows == 2


@pytest.mark.parametrize("role", ["user", "assistant", "tool", pytest.param("rejected")])
def test_a_secret_is_nowhere_once_it_was_blotted_out(tmp_path, role):
    records = {
        "user": {"prompt": f"My key is {SECRET}", "completion": "Revoke it."},
        "assistant": {"prompt": "Key?", "completion": f"Use {SECRET}."},
        "rejected": {"prompt": "Key?", "chosen": "No.", "rejected": f"Use {SECRET}."},
        "tool": {
            "messages": [
                {"role": "user", "content": "Key?"},
                {"role": "assistant",
                 "tool_calls": [{"function": {"name": "f", "arguments": {"key": SECRET}}}]},
                {"role": "tool", "content": f"stored {SECRET}"},
                {"role": "assistant", "content": "Done.", "reasoning_content": f"It is {SECRET}"},
            ]
        },
    }  # fmt: skip
    path = source(tmp_path, *[json.dumps(records[role])] * 2)
    done = convert(path, tmp_path / "out" / "clean.jsonl", "redact-secrets")
    assert done.written[0].rows == 2
    for written in (tmp_path / "out").iterdir():
        text = written.read_text(encoding="utf-8")
        assert SECRET not in text
        assert "[secret]" in text
    assert SECRET not in done.report.model_dump_json()


def test_a_file_that_is_there_is_replaced_with_consent_only(tmp_path):
    path, to = source(tmp_path, row(1), "broken"), tmp_path / "out" / "clean.jsonl"
    convert(path, to)
    before = {p: p.read_bytes() for p in to.parent.iterdir()}
    for fixes in ((), ("all",)):
        with pytest.raises(ConflictError) as caught:
            convert(path, to, *fixes)
        assert caught.value.code == "target_exists"
    assert {p: p.read_bytes() for p in to.parent.iterdir()} == before
    convert(source(tmp_path, row(1), row(2)), to, overwrite=True)
    assert names(to.parent) == ["clean.jsonl"]  # nothing is left out now
    assert len(values(to)) == 2


def test_a_list_of_rejected_rows_is_not_replaced_either(tmp_path):
    (tmp_path / "rejected.jsonl").write_text("mine")
    with pytest.raises(ConflictError, match=r"rejected\.jsonl"):
        convert(source(tmp_path, row(1)), tmp_path / "clean.jsonl")
    assert (tmp_path / "rejected.jsonl").read_text() == "mine"


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize(
    ("given", "to"),
    [
        ("rows.jsonl", "rows.jsonl"),
        ("link.jsonl", "rows.jsonl"),
        ("rows.jsonl", "link.jsonl"),
        ("rows.jsonl", "./sub/../rows.jsonl"),
        ("rejected.jsonl", "clean.jsonl"),
        ("in", "in/a.jsonl"),
        ("in/*.jsonl", "in/a.jsonl"),
    ],
)
def test_a_source_is_never_written_over(tmp_path, monkeypatch, given, to, overwrite):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    path = source(tmp_path, row(1), "broken")
    source(tmp_path, row(1), "broken", name="rejected.jsonl")
    source(tmp_path, row(1), "broken", name="in/a.jsonl")
    (tmp_path / "link.jsonl").symlink_to(path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*.jsonl")}
    with pytest.raises(ConflictError) as caught:
        convert(given, tmp_path / to, overwrite=overwrite)
    assert caught.value.code == "target_is_source"
    assert {p: p.read_bytes() for p in tmp_path.rglob("*.jsonl")} == before


def test_the_list_of_rejected_rows_is_no_place_for_good_ones(tmp_path):
    with pytest.raises(SpecError):
        convert(source(tmp_path, row(1), "x"), tmp_path / "out" / "rejected.jsonl")
    assert not (tmp_path / "out").exists()


FAILING = {
    "missing": (lambda folder: folder / "missing.jsonl", NotFoundError, "file_not_found"),
    "empty": (lambda folder: source(folder, name="x.jsonl"), DatasetError, "empty_file"),
    "bad": (lambda folder: source(folder, "broken", "{}"), DatasetError, None),
    "ambiguous": (
        lambda folder: source(folder, "question,prompt,answer", "a b?,c d?,e f", name="x.csv"),
        DatasetError,
        "choice_needed",
    ),
}


@pytest.mark.parametrize("work", [convert, divide])
@pytest.mark.parametrize("case", FAILING)
def test_a_failure_leaves_nothing_behind(tmp_path, work, case):
    make, kind, code = FAILING[case]
    path = make(tmp_path)
    before = names(tmp_path)
    with pytest.raises(kind) as caught:
        work(path, tmp_path / "new" / "deep" / "x.jsonl")
    assert code is None or caught.value.code == code
    assert names(tmp_path) == before


def test_a_failure_leaves_what_was_there(tmp_path):
    to = source(tmp_path, "mine", name="out/clean.jsonl")
    with pytest.raises(DatasetError):
        convert(source(tmp_path, "broken"), to, overwrite=True)
    assert to.read_text() == "mine\n"
    assert names(to.parent) == ["clean.jsonl"]


def test_a_place_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(PodtuneError) as caught:
        convert(source(tmp_path, row(1)), tmp_path / "file" / "clean.jsonl")
    assert caught.value.code == "cannot_write"
    assert (tmp_path / "file").read_text() == "x"


# Splitting


def test_both_sides_are_written_and_what_was_left_out(tmp_path):
    path = source(tmp_path, *map(row, range(20)), "broken")
    done = divide(path, tmp_path / "out")
    assert names(tmp_path / "out") == ["rejected.jsonl", "train.jsonl", "validation.jsonl"]
    train, held = done.written
    assert train.rows + held.rows == 20
    assert held.rows >= 1
    assert done.rejected is not None
    again = divide(path, tmp_path / "again")
    assert [w.sha256 for w in again.written] == [w.sha256 for w in done.written]


def test_a_split_replaces_with_consent_only(tmp_path):
    path = source(tmp_path, *map(row, range(9)))
    divide(path, tmp_path / "out")
    with pytest.raises(ConflictError):
        divide(path, tmp_path / "out")
    divide(path, tmp_path / "out", overwrite=True)
    with pytest.raises(ConflictError) as caught:
        divide(tmp_path / "out" / "train.jsonl", tmp_path / "out", overwrite=True)
    assert caught.value.code == "target_is_source"


def test_one_question_cannot_be_split(tmp_path):
    path = source(tmp_path, row(1), row(1), row(1, "Other."))
    with pytest.raises(DatasetError) as caught:
        divide(path, tmp_path / "out")
    assert caught.value.code == "nothing_to_hold_out"
    assert not (tmp_path / "out").exists()


questions = st.lists(st.sampled_from(["a", "A ", "b?", "B", "c", "d", "e!", "ä", "Ä"]), min_size=2)


@given(questions, st.floats(0.01, 0.49))
@hypothesis_settings(max_examples=40, deadline=None)
def test_no_question_is_on_both_sides(tmp_path_factory, asked, share):
    folder = tmp_path_factory.mktemp("split")
    rows = [json.dumps({"prompt": q, "completion": f"answer {n}"}) for n, q in enumerate(asked)]
    path = source(folder, *rows)
    if len({normalise(q) for q in asked}) < 2:
        return
    train, held = divide(path, folder / "out", share=share).written
    sides = [
        {normalise(v["messages"][0]["content"]) for v in values(w.path)} for w in (train, held)
    ]
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]
    assert train.rows + held.rows == len(asked)


def sides(folder):
    """A document that tells itself what is held out."""
    rows = {
        "train": [json.loads(row(n)) for n in range(12)],
        "validation": [json.loads(row(n)) for n in range(20, 24)],
    }
    path = folder / "sides.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def test_what_the_source_holds_out_stays_held_out_when_it_is_converted(tmp_path):
    convert(sides(tmp_path), tmp_path / "out.jsonl")
    written = values(tmp_path / "out.jsonl")
    assert [v.get("split") for v in written] == [None] * 12 + ["validation"] * 4
    again = reader.read(tmp_path / "out.jsonl").conversations
    assert [c.split for c in again] == [None] * 12 + ["validation"] * 4


def test_what_the_source_holds_out_stays_held_out_when_it_is_split(tmp_path):
    divide(sides(tmp_path), tmp_path / "out", share=0.4)
    assert len(values(tmp_path / "out" / "train.jsonl")) == 12
    asked = {v["messages"][0]["content"] for v in values(tmp_path / "out" / "validation.jsonl")}
    assert asked == {f"What is {n}?" for n in range(20, 24)}


@pytest.mark.parametrize(
    "content", ['{"line": 5, "my": "precious data"}\n', "line,row\n1,2\n", '{"line": 1}\n', "[]\n"]
)
def test_a_file_of_somebody_else_named_like_the_list_is_kept(tmp_path, content):
    (tmp_path / "rejected.jsonl").write_text(content)
    with pytest.raises(ConflictError):
        convert(source(tmp_path, row(1), "broken"), tmp_path / "out.jsonl")
    assert (tmp_path / "rejected.jsonl").read_text() == content
    assert not (tmp_path / "out.jsonl").exists()


def test_the_list_of_an_earlier_run_is_replaced(tmp_path):
    convert(source(tmp_path, row(1), "broken", "broken"), tmp_path / "a.jsonl")
    convert(source(tmp_path, row(1), row(2), "broken"), tmp_path / "b.jsonl")
    assert [v["line"] for v in values(tmp_path / "rejected.jsonl")] == [3]


def test_rows_that_differ_in_reasoning_or_calls_are_no_repeats(tmp_path):
    def thinking(thought):
        answer = {"role": "assistant", "content": "4", "reasoning_content": thought}
        return json.dumps({"messages": [{"role": "user", "content": "2+2?"}, answer]})

    done = convert(
        source(tmp_path, thinking("a"), thinking("b"), thinking("a")),
        tmp_path / "o.jsonl",
        "drop-duplicates",
    )
    assert done.report.repaired == {"drop-duplicates": 1}
    assert (done.report.rows, done.report.good_rows, done.report.good_rows_after_repair) == (
        3,
        2,
        2,
    )


def test_a_key_in_the_description_of_a_tool_is_found_and_blotted_out(tmp_path):
    tool = {"type": "function", "function": {"name": "f", "description": f"use {SECRET}"}}
    messages = [{"role": "user", "content": "Go"}, {"role": "assistant", "content": "Gone."}]
    path = source(tmp_path, json.dumps({"messages": messages, "tools": [tool]}))
    assert "secret" in reader.inspect(path).report.counts
    convert(path, tmp_path / "out.jsonl", "redact-secrets")
    written = (tmp_path / "out.jsonl").read_text()
    assert SECRET not in written
    assert json.loads(written)["tools"][0]["function"]["name"] == "f"
