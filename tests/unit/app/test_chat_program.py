"""The chat protocol with a program that speaks it, without any model."""

import os

import pytest

from podtune.app.chat_program import ChatProgram, Ended
from podtune.core.errors import SpecError, TrainingError
from support.waiting import until

PROGRAM = """
import json, sys
def write(**m): print(json.dumps(m), flush=True)
print("some library chatter", flush=True)
write(ready=True)
for line in sys.stdin:
    m = json.loads(line)
    if m.get("say") == "die": sys.exit(1)
    if m.get("say") == "fail":
        write(error="out of memory", advice="ask less")
        continue
    if "complete" in m:
        text = m["complete"]["messages"][-1]["content"]
        if text == "too long":
            write(refused="over the model's 8")
            continue
        if text == "die": sys.exit(1)
        for piece in text.split(): write(piece=piece)
        write(end=True, finish_reason="stop", prompt_tokens=3, completion_tokens=2)
        continue
    if "say" in m:
        write(piece="you said ")
        print("chatter", flush=True)
        write(piece=m["say"])
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


@pytest.fixture
def program(start):
    made = start()
    made.wait_ready()
    return made


def asked(text):
    return {"messages": [{"role": "user", "content": text}]}


def test_an_answer_comes_in_pieces_chatter_apart(program):
    assert list(program.say("hello")) == ["you said ", "hello"]


def test_a_conversation_is_answered_and_counted(program):
    assert list(program.complete(asked("two words"))) == ["two", "words", Ended("stop", 3, 2)]


def test_what_is_refused_leaves_the_program_as_it_was(program):
    with pytest.raises(SpecError, match="over the model's 8") as caught:
        list(program.complete(asked("too long")))
    assert caught.value.code == "bad_conversation"
    assert list(program.complete(asked("again"))) == ["again", Ended("stop", 3, 2)]


def test_an_error_of_the_program_is_ours(program):
    with pytest.raises(TrainingError, match="out of memory") as caught:
        list(program.say("fail"))
    assert (caught.value.code, caught.value.hint) == ("chat_failed", "ask less")


def test_a_program_that_dies_is_noticed(program):
    with pytest.raises(TrainingError, match="without a word"):
        list(program.complete(asked("die")))
    until(lambda: not program.is_alive, "its end")
    with pytest.raises(TrainingError):
        list(program.say("hello"))


def test_a_program_that_never_gets_ready_is_noticed(start):
    with pytest.raises(TrainingError) as caught:
        start("raise SystemExit(1)").wait_ready()
    assert caught.value.code == "chat_failed"


def test_a_program_can_be_ended_at_once(start):
    program = start("import time\ntime.sleep(60)")
    assert program.is_alive
    program.kill()
    program.close()
    assert not program.is_alive


def test_closing_leaves_nothing_open(start):
    program = start()
    program.wait_ready()
    program.close()
    assert program._process.returncode == 0
    streams = (program._process.stdin, program._process.stdout)
    assert all(stream is None or stream.closed for stream in streams)
