"""How an error looks to a person and to a program."""

import json

import pytest

from podtune.cli import console
from podtune.core.errors import DatasetError, SpecError
from podtune.data.findings import finding

SECRET = "hf_abcdefghijklmnop"


@pytest.mark.parametrize(
    ("arguments", "json_wanted"),
    [
        (["podtune", "jobs"], False),
        (["podtune", "jobs", "--output", "json"], True),
        (["podtune", "jobs", "--output=json"], True),
        (["podtune", "jobs", "--output", "human"], False),
        (["podtune", "jobs", "--output"], False),
        (["podtune", "plan", "json"], False),
    ],
)
def test_json_is_given_when_it_is_asked_for(arguments, json_wanted):
    assert console.wants_json(arguments) is json_wanted


def test_a_person_reads_message_hint_and_code_on_stderr(capsys):
    error = SpecError("[bold]no[/] 'x'", code="some_code", hint="say [y]")
    console.render_error(error, ["podtune"])
    said = capsys.readouterr()
    assert said.out == ""
    assert "error [bold]no[/] 'x'" in said.err
    assert "next  say [y]" in said.err
    assert "some_code" in said.err


def test_a_program_reads_an_object_on_stdout(capsys):
    error = SpecError("no", code="some_code", hint="h", context={"unknown": ["a"]})
    console.render_error(error, ["podtune", "--output", "json"])
    said = capsys.readouterr()
    assert said.err == ""
    assert json.loads(said.out) == {
        "error": {"code": "some_code", "message": "no", "hint": "h", "context": {"unknown": ["a"]}}
    }


@pytest.mark.parametrize("arguments", [["podtune"], ["podtune", "--output=json"]])
def test_a_secret_in_an_error_is_blotted_out(capsys, arguments):
    console.render_error(SpecError(f"bad {SECRET}", hint=f"not {SECRET}"), arguments)
    said = capsys.readouterr()
    assert SECRET not in said.out + said.err
    assert "***" in said.out + said.err


def test_findings_stand_at_their_lines(capsys):
    found = [finding("bad_json", 7, 3, "x [y]"), finding("bom", 1), finding("bad_quoting")]
    error = DatasetError("bad", context={"findings": [f.model_dump(mode="json") for f in found]})
    console.render_error(error, ["podtune"])
    said = capsys.readouterr().err
    assert "line 7  bad_json  not valid JSON (x [y])" in said
    assert "file  bad_quoting" in said
    assert "byte order mark" not in said


def test_of_many_findings_the_first_are_shown(capsys):
    found = [
        finding("bad_json", n, detail=f"byte {n}").model_dump(mode="json") for n in range(1, 41)
    ]
    console.render_error(DatasetError("bad", context={"findings": found}), ["podtune"])
    said = capsys.readouterr().err
    assert said.count("bad_json") == console.FINDINGS_SHOWN
    assert "and 10 more" in said


@pytest.mark.parametrize(
    ("lines", "shown"),
    [
        ([7], "line 7"),
        (list(range(1, 13)), "lines 1-12"),
        ([1, 5, 9], "lines 1, 5, 9"),
        ([], "file"),
    ],
)
def test_equal_findings_are_one_line(capsys, lines, shown):
    found = [finding("no_messages", n).model_dump(mode="json") for n in lines or [None]]
    console.render_error(DatasetError("bad", context={"findings": found}), ["podtune"])
    said = capsys.readouterr().err
    assert said.count("no_messages") == 1
    assert f"{shown}  no_messages" in said


def test_json_keeps_letters_and_takes_odd_values(capsys):
    from pathlib import Path

    console.print_json({"ü": Path("/x")})
    assert json.loads(capsys.readouterr().out) == {"ü": "/x"}


def test_data_and_everything_else_go_different_ways():
    assert not console.out().stderr
    assert console.err().stderr


def test_an_error_of_ask_is_one_line_for_programs(capsys):
    error = SpecError("two\nlines", hint="next")
    console.render_error(error, ["podtune", "ask", "x", "--output", "json"])
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["error"]["message"] == "two\nlines"


def test_a_line_of_json_stands_alone(capsys):
    console.print_json_line({"a": [1, "ü"]})
    assert capsys.readouterr().out == '{"a": [1, "ü"]}\n'
