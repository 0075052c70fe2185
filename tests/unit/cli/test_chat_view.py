"""A conversation with a program that speaks the chat protocol, without any model."""

import io
import os
import sys

import pytest
from rich.console import Console

from podtune.app.chat_program import ChatProgram
from podtune.cli import chat_view

PROGRAM = """
import json, sys
said = {"adapter": True, "turns": 0}
def write(**m): print(json.dumps(m), flush=True)
print("some library chatter", flush=True)
write(ready=True, arguments=sys.argv[1:])
for line in sys.stdin:
    m = json.loads(line)
    if "adapter" in m: said["adapter"] = m["adapter"]
    if m.get("forget"): said["turns"] = 0
    if m.get("say") == "die": sys.exit(1)
    if m.get("say") == "fail":
        write(error="out of memory", advice="ask less")
        continue
    if "say" in m:
        said["turns"] += 1
        who = "adapter" if said["adapter"] else "base"
        write(piece=who + " [b]")
        print("chatter", flush=True)
        write(piece=" turn %d" % said["turns"])
    write(end=True)
"""


@pytest.fixture
def start(tmp_path):
    programs = []

    def started(source=PROGRAM):
        path = tmp_path / "chat.py"
        path.write_text(source, encoding="utf-8")
        environment = {"PATH": os.environ.get("PATH", "")}
        made = ChatProgram(path, tmp_path / "artifact", tmp_path / "models", environment)
        programs.append(made)
        return made

    yield started
    for program in programs:
        program.close()
        if program._process.stdout is not None:
            program._process.stdout.close()


@pytest.fixture
def program(start):
    made = start()
    made.wait_ready()
    return made


def talk(program, *lines):
    stream = io.StringIO()
    chat_view.converse(Console(file=stream, width=100, highlight=False), program, iter(lines))
    return stream.getvalue().splitlines()


def test_an_answer_comes_in_pieces(program):
    assert list(program.say("hello")) == ["adapter [b]", " turn 1"]


def test_answers_are_printed_as_they_are(program):
    assert talk(program, "hello\n", "  \n", "again\n") == [
        "adapter [b] turn 1",
        "adapter [b] turn 2",
    ]


def test_the_adapter_is_switched_off_and_on(program):
    lines = talk(program, "a", "/base", "b", "/base", "c")
    assert [x for x in lines if "turn" in x] == [
        "adapter [b] turn 1",
        "base [b] turn 1",
        "adapter [b] turn 1",
    ]


def test_forgetting_begins_anew(program):
    assert talk(program, "a", "/forget", "b")[-1] == "adapter [b] turn 1"


@pytest.mark.parametrize("word", ["/quit", "/exit"])
def test_leaving(program, word):
    assert talk(program, word, "never asked") == []


def test_an_unknown_command_is_not_said_to_the_model(program):
    lines = talk(program, "/nonsense [x]", "/help")
    assert "unknown /nonsense [x]" in lines[0]
    assert not any("turn" in line for line in lines)


def test_lines_of_a_pipe_come_without_a_prompt(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\ntwo\n"))
    stream = io.StringIO()
    lines = chat_view.typed_lines(Console(file=stream), "you")
    assert list(lines) == ["one\n", "two\n"]
    assert stream.getvalue() == ""
