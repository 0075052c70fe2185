"""The doctor's report on the screen, at any width, in any plight of the data."""

import io
import json

import pytest
from rich.console import Console

from podtune.app import data_doctor, data_files
from podtune.app.settings import Settings
from podtune.cli import data_view
from podtune.data.record import ReadOptions
from support import homes


def console(width=120, **options):
    stream = io.StringIO()
    return Console(file=stream, width=width, highlight=False, **options), stream


def shown(facts, width=120):
    made, stream = console(width)
    data_view.render(made, facts)
    return stream.getvalue()


@pytest.fixture
def facts(tmp_path):
    """Facts of a file with the given lines."""
    homes.model(tmp_path / "user" / "model")

    def examined(*records, name="rows.jsonl", **options):
        path = tmp_path / "user" / name
        lines = (r if isinstance(r, str) else json.dumps(r) for r in records)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return data_doctor.examine(
            str(path), homes.settings(tmp_path), ReadOptions(**options),
            model=str(tmp_path / "user" / "model"),
        ).facts  # fmt: skip

    return examined


def pair(n, **more):
    return {"prompt": f"What is {n}?", "completion": f"It is {n} and no more.", **more}


GOOD = [pair(n) for n in range(12)]


@pytest.mark.parametrize("width", [40, 80, 99, 100, 200])
def test_every_part_is_there_at_any_width(facts, width):
    text = shown(facts(*GOOD), width)
    flat = " ".join(text.split())
    for word in ("ready", "prompt_completion", "recognised", "as it stands", "as it is trained",
                 "tokens", "training", "held out", "next"):  # fmt: skip
        assert word in flat
    assert all(len(line) <= width for line in text.splitlines() if "next" not in line)


def test_raw_and_converted_stand_side_by_side_where_there_is_room(facts):
    found = facts(*GOOD)
    wide = [line for line in shown(found, 140).splitlines() if "as it stands in the file" in line]
    assert "as it is trained on" in wide[0]
    narrow = [line for line in shown(found, 80).splitlines() if "as it stands in the file" in line]
    assert "as it is trained on" not in narrow[0]


def test_each_kind_of_finding_is_a_line_with_its_places_and_advice(facts):
    bad = '{"prompt": "x", "completion": "y",}'
    text = shown(facts(*GOOD, *[bad] * 5, pair(0), {"prompt": "Is it a@example.com?", "completion": "b"}))  # fmt: skip
    flat = " ".join(text.split())
    assert "bad_json" in flat
    assert "line 13, 14, 15 (+2)" in flat
    assert "--fix trailing-comma" in flat
    assert "duplicate" in flat
    assert "a***@e***.com" in flat
    assert "a@example.com" not in flat
    assert "17 after the offered repairs" not in flat or "19 rows" in flat


def test_nothing_good_is_red_and_says_what_to_do(facts):
    text = shown(facts("broken", "{}"))
    assert "cannot be trained on" in text
    assert "as it stands" not in text
    assert "tokens" not in text


def test_an_empty_file(facts):
    assert "empty_file" in shown(facts())


def test_repairs_that_were_made_are_told(facts):
    text = shown(facts(*GOOD, '{"prompt": "x", "completion": "y",}', fixes=frozenset({"all"})))
    assert "trailing-comma in 1 row" in text


def test_a_choice_asks_and_names_the_option(facts):
    text = " ".join(shown(facts("question,query,answer", *(f"how is {n}?,who is {n}?,it is {n} so" for n in range(5)), name="t.csv")).split())  # fmt: skip
    assert "which? question (or query: --map prompt=NAME)" in text


def test_why_there_is_no_plan_is_said(facts, monkeypatch):
    monkeypatch.setattr(data_doctor, "PLANNED_UP_TO", 1)
    assert "podtune plan says it" in shown(facts(*GOOD))


def test_a_pair_of_answers_and_calls_of_tools_are_shown(facts):
    text = shown(
        facts(*[{"prompt": f"q{n}", "chosen": "good", "rejected": "bad"} for n in range(4)])
    )
    assert "prompt user" in text
    assert "chosen assistant" in text
    assert "rejected assistant" in text
    calling = {
        "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "tool_calls": [{"function": {"name": "find", "arguments": {}}}]},
            {"role": "tool", "content": "y"},
            {"role": "assistant", "content": "z"},
        ]
    }
    assert "find(...)" in shown(facts(calling, name="tools.jsonl"))


def test_several_files_have_a_line_each(tmp_path, facts):
    facts(*GOOD, name="a.jsonl")
    facts(*GOOD[:3], "broken", name="b [x].jsonl")
    found = data_doctor.examine(
        str(tmp_path / "user" / "*.jsonl"), homes.settings(tmp_path), ReadOptions(),
        model=str(tmp_path / "user" / "model"),
    )  # fmt: skip
    text = shown(found.facts)
    assert "a.jsonl" in text
    assert "b [x].jsonl" in text


def test_markup_and_control_characters_of_the_data_do_nothing(facts):
    odd = {"prompt": "[bold]Why[/bold] \x1b[2J\x9b?", "completion": "[/] So [red]it\x07 is."}
    text = shown(facts(odd, odd, *GOOD, name="[red]x.jsonl"))
    assert "[bold]Why[/bold]" in text
    assert "[red]x.jsonl" in text.replace("\n", "")
    assert not any(c in text for c in "\x1b\x9b\x07")


def test_long_texts_are_cut(facts):
    text = shown(facts({"prompt": "why " * 900, "completion": "so " * 900}, *GOOD))
    assert text.count("why") < 300


# A download


def test_a_download_has_a_bar_only_where_there_is_one():
    made, stream = console(force_terminal=True)
    with data_view.fetching(made):
        pass
    assert stream.getvalue() == ""
    with data_view.fetching(made) as tell:
        tell(10, 100)
        tell(100, 100)
    assert "fetching" in stream.getvalue()


def test_a_bar_ends_with_an_error_too():
    made, _ = console(force_terminal=True)

    def broken():
        with data_view.fetching(made) as tell:
            tell(1, None)
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        broken()
    assert made.show_cursor()


# What was written


@pytest.fixture
def done(tmp_path):
    lines = [json.dumps(row) for row in GOOD] + ['{"prompt": "x", "completion": "y",}', "broken"]
    path = tmp_path / "rows [1].jsonl"
    path.write_text("\n".join(lines))
    options = ReadOptions(fixes=frozenset({"trailing-comma"}))
    return data_files.convert(str(path), tmp_path / "[out]" / "clean.jsonl", Settings(), options)


def test_what_was_written_for_people(done, tmp_path):
    made, stream = console()
    data_view.render_result(made, done)
    text = stream.getvalue()
    assert f"{tmp_path}/[out]/clean.jsonl  13 rows" in text
    assert "mended with consent: trailing-comma in 1 row" in text
    assert "rejected.jsonl  1 row left out" in text


def test_what_was_written_for_programs(done, tmp_path):
    value = data_view.result_json(done)
    assert json.loads(json.dumps(value)) == value
    assert set(value) == {"source", "rows", "good_rows", "repaired", "written", "rejected"}
    assert value["source"] == str(tmp_path / "rows [1].jsonl")
    assert (value["rows"], value["good_rows"]) == (14, 13)
    assert set(value["written"][0]) == {"path", "rows", "sha256"}
    assert value["rejected"]["rows"] == 1
