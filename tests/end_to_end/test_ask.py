"""From a sentence to an adapter: on this machine, on a rented one, and as a dialogue on a terminal."""

import json
import os
import pty
import re
import select
import subprocess
import time

import pytest

from podtune.storage import artifact_folder
from support import asked_cloud, tiny_model

SENTENCE = "Fine-tune Mistral on my support tickets for better customer service responses"
SHORT = ("--set", "training.max_steps=4", "--set", "evaluate.samples=1")


class Terminal:
    """A command on a pseudo terminal: what it shows, and what is typed."""

    def __init__(self, home, *words) -> None:
        self._own, theirs = pty.openpty()
        environment = {**home.environment, "TERM": "xterm", "COLUMNS": "160", "LINES": "60"}
        self.process = subprocess.Popen(
            home.command(*words), env=environment, cwd=home.cwd, stdin=theirs, stdout=theirs,
            stderr=theirs, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.shown = ""

    def until(self, words, seconds=120):
        """Read until something was shown after what was seen before."""
        start, deadline = len(self.shown), time.monotonic() + seconds
        while words not in self.shown[start:]:
            assert time.monotonic() < deadline, f"{words!r} was not shown:\n{self.shown}"
            if select.select([self._own], [], [], 0.5)[0] and not self._read():
                break
        assert words in self.shown[start:], self.shown

    def type(self, text):
        os.write(self._own, text.encode())

    def end(self, seconds=120):
        """Its exit code, once all it shows is read."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self._read():
            continue
        return self.process.wait(60)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        os.close(self._own)

    def _read(self):
        try:
            block = os.read(self._own, 65536)
        except OSError:  # the other side is closed
            return False
        self.shown += re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", block.decode(errors="replace"))
        return bool(block)


@pytest.fixture
def terminal(home):
    opened = []

    def start(*words):
        opened.append(Terminal(home, *words))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def told(text, state):
    """Numbers of the steps that begin, or end, in the order in which they were told."""
    return [int(n) for n in re.findall(rf"(\d)/8 [a-z ]+? +{state}\b", text)]


@pytest.mark.timeout(300)
def test_a_whole_job_on_this_machine_from_a_sentence(home, tiny, tmp_path):
    tiny_model.write_rows(tmp_path / "support_tickets.jsonl", 40)
    sentence = "train a model on my support tickets on this machine for 2 epochs"
    done = home.run(
        "ask", sentence, "--yes", "--set", f"base_model.name={tiny}", *SHORT, "--output", "json",
        timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr + home.driver_log()
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [x["number"] for x in lines if x.get("state") == "begins"] == list(range(1, 9))
    assert sorted(x["number"] for x in lines if x.get("state") == "ends") == list(range(1, 9))
    assert any(x.get("optimizer_step") == 4 for x in lines)
    result = lines[-1]["result"]
    assert result["outcome"] == "completed"
    (plan,) = [x["plan"] for x in lines if "plan" in x]
    assert plan["digest"] == result["plan_digest"]
    assert home.json("receipt", result["id"], "--verify")["valid"]
    assert artifact_folder.checksums(home.folder(result["id"]) / "artifact")


@pytest.mark.timeout(300)
def test_the_conversation_of_the_specification_on_a_rented_machine(home, tiny, tmp_path):
    tiny_model.write_rows(tmp_path / "support_tickets.jsonl", 40)
    with asked_cloud.world(home, tmp_path, tiny) as cloud:
        account = cloud.cloud.account
        open_ = home.run("ask", SENTENCE, "--yes")
        assert open_.returncode == 2
        assert "--answer where=runpod" in open_.stderr
        assert home.json("jobs") == []
        estimate = home.run(
            "ask", f"how much would it cost to {SENTENCE[0].lower()}{SENTENCE[1:]}?"
        )
        assert estimate.returncode == 0, estimate.stderr
        assert "nothing was started or rented" in estimate.stderr
        assert [h for h in account.journal if h.what == "created"] == []
        words = ("ask", SENTENCE, "--answer", "where=runpod", "--answer", "budget=1", *SHORT)
        unagreed = home.run(*words)
        assert (unagreed.returncode, "confirm_needed" in unagreed.stderr) == (2, True)
        assert [h for h in account.journal if h.what == "created"] == []
        done = home.run(*words, "--yes", timeout=250)
        assert done.returncode == 0, done.stdout + done.stderr + home.driver_log()
        assert told(done.stderr, "begins") == list(range(1, 9))
        assert sorted(told(done.stderr, "ends")) == list(range(1, 9))
        assert f"{asked_cloud.MISTRAL}" in done.stderr
        assert re.search(r"\$0\.01 of \$1\.00; the machine is gone", done.stdout)
        (job,) = home.json("jobs")
        assert job["outcome"] == "completed"
        assert f"jobs/{job['id']}/artifact" in re.sub(r"\s*│\s*", "", done.stdout)
        assert account.live_pods() == []
        assert len([h for h in account.journal if h.what == "created"]) == 1


@pytest.mark.timeout(300)
def test_a_dialogue_on_a_terminal_from_open_questions_to_the_adapter(
    home, tiny, tmp_path, terminal
):
    tiny_model.write_rows(tmp_path / "tickets.jsonl", 40)
    tiny_model.write_rows(tmp_path / "zendesk.jsonl", 30)
    with asked_cloud.world(home, tmp_path, tiny) as cloud:
        talk = terminal("ask", SENTENCE, *SHORT)
        talk.until("or another")
        assert "1 tickets.jsonl" in talk.shown
        assert "2 zendesk.jsonl" in talk.shown
        talk.type("2\r")
        talk.until("or another")
        assert "1 a rented machine" in talk.shown
        talk.type("1\r")
        talk.until("your answer")
        assert "needs a ceiling" in talk.shown
        talk.type("1\r")
        talk.until("or another")
        assert "zendesk.jsonl" in talk.shown
        assert f"1 {asked_cloud.MISTRAL}" in talk.shown
        talk.type("\r")
        talk.until("[y/N]")
        assert "never over $1.00" in talk.shown
        assert cloud.cloud.account.live_pods() == []
        talk.type("y\r")
        talk.until("podtune chat", 200)
        assert talk.end() == 0
        for number in range(1, 9):
            assert f"{number}/8" in talk.shown
        (job,) = home.json("jobs")
        assert (job["outcome"], job["title"].startswith("zendesk on")) == ("completed", True)
        assert cloud.cloud.account.live_pods() == []


def test_who_says_no_to_the_price_rents_nothing(home, tiny, tmp_path, terminal):
    tiny_model.write_rows(tmp_path / "tickets.jsonl", 40)
    with asked_cloud.world(home, tmp_path, tiny) as cloud:
        talk = terminal(
            "ask", SENTENCE, "--answer", "where=runpod", "--answer", "budget=1", "--answer",
            "dataset=tickets.jsonl", "--answer", f"base_model={asked_cloud.MISTRAL}",
        )  # fmt: skip
        talk.until("[y/N]")
        talk.type("n\r")
        assert talk.end() == 1
        assert home.json("jobs") == []
        assert [h for h in cloud.cloud.account.journal if h.what == "created"] == []
