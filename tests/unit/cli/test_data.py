"""`podtune data`: real commands, their exit codes, what they print, what they ask."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from functools import partial

import pytest

from podtune.cli import data
from podtune.core.errors import SpecError
from support import homes
from support.odd_server import OddServer, response

COMMANDS = ("check", "convert", "split", "mask")
AMBIGUOUS = "question,query,answer\n" + "".join(
    f"how do i reset {n}?,where is number {n}?,hold the key {n} for long.\n" for n in range(12)
)


@pytest.fixture
def run(run):
    return partial(run, "data")


@pytest.fixture
def user(tmp_path):
    homes.model(tmp_path / "user" / "model")
    homes.data(tmp_path / "user")
    return tmp_path / "user"


@pytest.fixture
def model(user):
    return ("--model", user / "model")


def broken(user):
    path = user / "tickets.jsonl"
    path.write_text(path.read_text() + '{"prompt": "x", "completion": "y",}\nnot json\n')
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run, command):
    said = run(command, "-h")
    assert said.code == 0
    assert "--map" in re.sub(r"\x1b\[[0-9;]*m", "", said.out)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["missing.jsonl"], "file_not_found"),
        (["tickets.jsonl", "--fix", "magic"], "unknown_repair"),
        (["tickets.jsonl", "--format", "magic"], "unknown_format"),
        (["tickets.jsonl", "--map", "nonsense"], "bad_option"),
        (["tickets.jsonl", "--map", "=x"], "bad_option"),
        (["tickets.jsonl", "--map", "promt=x"], "unknown_role"),
        (["https://127.0.0.1:1/x?sig=PLANTED"], "url_blocked"),
        (["ftp://x.example/y"], "bad_url"),
    ],
)
def test_what_cannot_be_read_exits_2_in_our_words(
    run, home, user, monkeypatch, command, options, code
):
    monkeypatch.chdir(user)
    where = ["-o", "out/x.jsonl"] if command in ("convert", "split") else []
    before = sorted(user.rglob("*"))
    said = run(command, *options, *where)
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("error ")
    assert code in said.err
    assert "PLANTED" not in said.err
    assert sorted(user.rglob("*")) == before
    assert not home.home.exists()
    assert run(command, *options, *where, "--output", "json").json["error"]["code"] == code


# check


def test_checking_for_people(run, home, user, model):
    said = run("check", user / "tickets.jsonl", *model)
    assert said.code == 0
    assert "ready" in said.out
    assert "24 rows, 24 good" in said.out
    assert "chat_messages in jsonl" in said.out
    assert "podtune train" in said.out
    assert not home.home.exists()


def test_checking_for_programs(run, user, model):
    said = run("check", user / "tickets.jsonl", *model, "--output", "json")
    assert said.code == 0
    assert said.err == ""
    assert said.json["good_rows"] == 24
    assert list(said.json)[:3] == ["format", "container", "encoding"]


@pytest.mark.parametrize(
    ("content", "code"), [("not json\n", 2), ("", 2), ('{"prompt": "x", "completion": "y"}\n', 0)]
)
def test_the_exit_code_says_whether_anything_can_be_trained_on(run, user, model, content, code):
    (user / "x.jsonl").write_text(content)
    assert run("check", user / "x.jsonl", *model).code == code
    assert run("check", user / "x.jsonl", *model, "--output", "json").code == code


def test_bad_rows_among_good_ones_are_no_failure(run, user, model):
    said = run("check", broken(user), *model)
    assert said.code == 0
    assert "1 of 2 bad rows can be mended" in said.out
    assert "--fix trailing-comma" in said.out


def test_repairs_are_counted(run, user, model):
    path = broken(user)
    before = path.read_bytes()
    for fixes in (
        ["--fix", "trailing-comma"],
        ["--fix", "all"],
        ["--fix", "Trailing Comma,mojibake"],
    ):
        facts = run("check", path, *model, *fixes, "--output", "json").json
        assert facts["repaired"] == {"trailing-comma": 1}
    assert path.read_bytes() == before


def test_a_page_is_written_on_demand(run, user, model):
    page = user / "report.html"
    said = run("check", user / "tickets.jsonl", *model, "--html", page)
    assert said.code == 0
    assert page.read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")
    assert "report.html" in said.err.replace("\n", "")


def test_a_model_that_is_not_there_is_an_error(run, user):
    said = run("check", user / "tickets.jsonl", "--model", user / "nowhere")
    assert said.code == 2
    assert "model_not_found" in said.err


def test_an_address_is_checked(run, user, model, monkeypatch):
    body = (user / "tickets.jsonl").read_bytes()
    with OddServer({"/rows.jsonl": response(200, body)}) as server:
        monkeypatch.setenv("PODTUNE_EGRESS_HTTP", "true")
        monkeypatch.setenv("PODTUNE_EGRESS_PRIVATE_HOSTS", f"127.0.0.1:{server.port}")
        address = f"http://127.0.0.1:{server.port}/rows.jsonl?X-Amz-Signature=PLANTED"
        for options in ([], ["--output", "json"]):
            said = run("check", address, *model, *options)
            assert said.code == 0, said.err
            assert "PLANTED" not in said.out + said.err
            assert "24" in said.out


# convert and split


def test_converting(run, home, user):
    said = run("convert", broken(user), "-o", user / "clean.jsonl", "--fix", "trailing-comma")
    assert said.code == 0
    assert f"podtune train {user / 'clean.jsonl'}" in said.err.replace("\n", "")
    assert "1 row left out" in said.out
    assert len((user / "clean.jsonl").read_text().splitlines()) == 25
    assert not home.home.exists()


def test_converting_for_programs(run, user):
    said = run("convert", broken(user), "-o", user / "clean.jsonl", "--output", "json")
    assert said.code == 0
    assert said.err == ""
    assert (said.json["rows"], said.json["good_rows"], said.json["repaired"]) == (26, 24, {})
    assert said.json["written"][0]["path"] == str(user / "clean.jsonl")
    assert said.json["written"][0]["rows"] == 24
    assert said.json["rejected"]["rows"] == 2


def test_what_is_there_is_replaced_on_demand_only(run, user):
    options = ["convert", user / "tickets.jsonl", "-o", user / "clean.jsonl"]
    assert run(*options).code == 0
    said = run(*options)
    assert said.code == 2
    assert "target_exists" in said.err
    assert "--overwrite" in said.err
    assert run(*options, "--overwrite").code == 0
    own = run("convert", user / "tickets.jsonl", "-o", user / "tickets.jsonl", "--overwrite")
    assert "target_is_source" in own.err


def test_splitting(run, user):
    said = run("split", user / "tickets.jsonl", "-o", user / "out", "--share", "0.25")
    assert said.code == 0
    assert "--set data.validation_source=" in said.err
    sides = [
        (user / "out" / f"{n}.jsonl").read_text().splitlines() for n in ("train", "validation")
    ]
    assert len(sides[0]) + len(sides[1]) == 24
    assert not set(sides[0]) & set(sides[1])
    again = run("split", user / "tickets.jsonl", "-o", user / "two", "--share", "0.25",
                "--output", "json")  # fmt: skip
    assert [w["rows"] for w in again.json["written"]] == [len(s) for s in sides]


@pytest.mark.parametrize("share", ["0", "0.5", "-1", "nan", "x"])
def test_a_share_that_means_nothing_is_refused(run, user, share):
    said = run("split", user / "tickets.jsonl", "-o", user / "out", "--share", share)
    assert said.code == 2
    assert not (user / "out").exists()


# mask


def test_masking(run, home, user, model):
    said = run("mask", user / "tickets.jsonl", *model, "--rows", "2,5")
    assert said.code == 0, said.err
    assert "row 2, line 2" in said.out
    assert "row 5, line 5" in said.out
    assert "row 1," not in said.out
    assert not home.home.exists()


def test_masking_for_programs(run, user, model):
    said = run("mask", user / "tickets.jsonl", *model, "--max-length", "20", "--output", "json")
    assert said.code == 0
    assert said.err == ""
    assert said.json["rows"] == 24
    assert said.json["kinds"][0]["code"] == "too_long"


def test_a_page_of_tokens_is_written_on_demand(run, user, model):
    page = user / "mask.html"
    assert run("mask", user / "tickets.jsonl", *model, "--html", page).code == 0
    assert "grinder" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("rows", ["x", "1-", "1-999"])
def test_rows_that_are_no_numbers_are_refused(run, user, model, rows):
    said = run("mask", user / "tickets.jsonl", *model, "--rows", rows)
    assert said.code == 2
    assert "--rows" in said.err


# Choices


@pytest.fixture
def ambiguous(user):
    path = user / "table.csv"
    path.write_text(AMBIGUOUS)
    return path


@pytest.mark.parametrize("command", ["convert", "split", "mask"])
@pytest.mark.parametrize("output", ["human", "json"])
def test_nobody_is_asked_where_nobody_is(run, user, model, ambiguous, command, output):
    where = ["-o", user / "out" / "x"] if command != "mask" else model
    said = run(command, ambiguous, *where, "--output", output)
    assert said.code == 2
    assert "choice_needed" in said.out + said.err
    assert "--map prompt=" in said.out + said.err
    assert not (user / "out").exists()


def test_a_choice_that_was_made_is_taken(run, user, ambiguous):
    options = ["convert", ambiguous, "-o", user / "x.jsonl", "--map", "prompt=query"]
    assert run(*options).code == 0
    assert "where is number 0?" in (user / "x.jsonl").read_text()


def test_checking_shows_the_choice_and_goes_on(run, model, ambiguous):
    said = run("check", ambiguous, *model)
    assert said.code == 0
    assert "which?" in said.out
    assert "query" in said.out


def in_terminal(arguments, typed, environment, folder):
    """Run the command in a terminal of its own; what it showed and its exit code."""
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", "podtune", *map(str, arguments)],
        stdin=follower, stdout=follower, stderr=follower, env=environment, cwd=folder,
    )  # fmt: skip
    os.close(follower)
    os.write(leader, typed.encode())
    shown = b""
    while True:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(leader)
    return shown.decode(errors="replace"), child.wait(timeout=60)


@pytest.mark.skipif(shutil.which("true") is None, reason="no terminals here")
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("2\n", "where is number 0?"),
        ("\n", "how do i reset 0?"),
        ("9\nx\n2\n", "where is number 0?"),
    ],
)
def test_in_a_terminal_somebody_is_asked(home, user, ambiguous, typed, expected):
    environment = {**os.environ, "TERM": "dumb", "NO_COLOR": "1"}
    shown, code = in_terminal(
        ["data", "convert", ambiguous, "-o", user / "x.jsonl"], typed, environment, user
    )
    assert code == 0, shown
    assert "1 question" in shown
    assert "2 query" in shown
    assert expected in (user / "x.jsonl").read_text()


@pytest.mark.parametrize(
    ("text", "role", "column"),
    [("prompt=Question", "prompt", "Question"), (" prompt = a=b ", "prompt", "a=b")],
)
def test_a_mapping_is_a_role_and_a_column(text, role, column):
    assert data._options([text], None, None, None, None, None).columns == {role: column}


@pytest.mark.parametrize("text", ["prompt", "=x", "prompt=", ""])
def test_a_mapping_that_is_none(text):
    with pytest.raises(SpecError):
        data._options([text], None, None, None, None, None)


def test_repairs_may_stand_together_or_apart():
    options = data._options(None, None, None, None, None, ["a, b", "c", ""])
    assert {name.strip() for name in options.fixes} == {"a", "b", "c"}


def test_a_source_is_judged_and_converted_for_a_method(run, user, model):
    pairs = user / "pairs.jsonl"
    lines = [{"prompt": f"why {n}?", "chosen": f"so {n}.", "rejected": "no."} for n in range(20)]
    pairs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = run("check", pairs, *model, "--method", "dpo", "--output", "json")
    assert (said.code, said.json["good_rows"]) == (0, 20)
    assert said.json["next"].endswith("--set method=dpo")
    done = run("convert", pairs, "-o", user / "clean.jsonl", "--method", "dpo")
    assert "--set method=dpo" in done.err.replace("\n", "")
    assert json.loads((user / "clean.jsonl").read_text().splitlines()[3])["rejected"]
    said = run("check", user / "tickets.jsonl", *model, "--method", "dpo", "--output", "json")
    assert (said.code, said.json["good_rows"]) == (2, 0)
    assert "train" in said.json["next"]


def test_a_text_is_converted_and_split_for_continued_pre_training(run, user):
    folder = user / "texts"
    folder.mkdir()
    for n in range(9):
        (folder / f"{n}.txt").write_text(f"Chapter {n} of the long story.\n")
    done = run("split", folder, "-o", user / "out", "--share", "0.3", "--method", "cpt")
    assert done.code == 0
    assert "--set method=cpt" in done.err.replace("\n", "")
    held = [
        json.loads(line) for line in (user / "out" / "validation.jsonl").read_text().splitlines()
    ]
    kept = [json.loads(line) for line in (user / "out" / "train.jsonl").read_text().splitlines()]
    told = {row["text"] for row in held + kept}
    assert told == {f"Chapter {n} of the long story." for n in range(9)}
    assert held


def test_a_method_that_is_none_is_refused(run, user):
    said = run("check", user / "tickets.jsonl", "--method", "grpo")
    assert said.code == 2
    assert "unknown_method" in said.err
