import json

import pytest

import failures
import rank_results
import restarts
from podtune.core.events import WorkerResult
from process_group import Member
from progress import EventWriter
from rank_results import Attendance, Ended


def word(code):
    return WorkerResult(ok=False, error_code=code, error_message=f"{code} happened")


@pytest.mark.parametrize(
    ("ended", "words", "code"),
    [
        # the one that failed first in time
        ([Ended(1, 5), Ended(0, 5)], {1: "out_of_memory", 0: "data_changed"}, "out_of_memory"),
        # one that only lost another is not the cause, even if it was over first
        ([Ended(0, 5), Ended(1, 5)], {0: "peer_lost", 1: "out_of_memory"}, "out_of_memory"),
        # killed without a word
        ([Ended(1, -9), Ended(0, 5)], {0: "peer_lost"}, "rank_lost"),
        ([Ended(1, -9), Ended(0, -9, by_us=True)], {}, "rank_lost"),
        # ended by us: no cause
        ([Ended(0, 5), Ended(1, -9, by_us=True)], {0: "disk_full"}, "disk_full"),
        # another machine's process is the cause; this one can only say so
        ([Ended(0, 5), Ended(1, 5)], {0: "peer_lost", 1: "peer_lost"}, "peer_lost"),
    ],
)
def test_the_first_failure_in_time_is_the_cause(ended, words, code):
    seen = Attendance(ended, stopped=False)
    found = rank_results.cause(seen, {rank: word(c) for rank, c in words.items()}, 2)
    assert found.error_code == code
    assert not found.ok


def test_a_killed_process_is_named_with_its_signal():
    found = rank_results.cause(Attendance([Ended(1, -9)], stopped=False), {}, 2)
    assert found.error_message == "process 2 of 2 was killed (signal 9)"
    assert "podtune resume" in found.advice


def test_processes_ended_on_request_were_interrupted():
    seen = Attendance([Ended(0, -15), Ended(1, -15)], stopped=True)
    assert rank_results.cause(seen, {}, 2).error_code == "interrupted"


def test_exit_codes_are_a_shells():
    assert [rank_results.exit_code(c) for c in (0, 5, -9, -15)] == [0, 5, 137, 143]


def test_a_launched_process_leaves_its_word_for_the_launcher(tmp_path, capsys):
    events = EventWriter(tmp_path / "events.jsonl", job="j", attempt=1)
    error = failures.LossNotFiniteError("the loss became nan")
    rank_results.last_word(tmp_path, Member(1, 2, 1, 2, launched=True), events, error)
    assert capsys.readouterr().out == ""
    assert rank_results.words(tmp_path)[1].error_code == "loss_not_finite"
    lost = RuntimeError("[gloo/pair.cc:553] Connection closed by peer [127.0.0.1]:4242")
    rank_results.last_word(tmp_path, Member(0, 2, launched=True), events, lost)
    assert rank_results.words(tmp_path)[0].error_code == "peer_lost"


def test_any_other_process_reports_by_itself(tmp_path):
    events = EventWriter(tmp_path / "events.jsonl", job="j", attempt=1)
    rank_results.last_word(tmp_path, Member(), events, failures.LossNotFiniteError("nan"))
    said = json.loads((tmp_path / "events.jsonl").read_text())
    assert said["result"]["error_code"] == "loss_not_finite"
    assert rank_results.words(tmp_path) == {}


def test_several_machines_say_so_when_a_hung_step_cannot_be_begun_again():
    seen = Attendance([Ended(0, restarts.AGAIN), Ended(1, -9, by_us=True)], stopped=False)
    assert rank_results.cause(seen, {}, 4).error_code == "step_hung"


def test_an_earlier_attempts_words_are_forgotten(tmp_path):
    events = EventWriter(tmp_path / "events.jsonl", job="j", attempt=1)
    lost = failures.LossNotFiniteError("nan")
    rank_results.last_word(tmp_path, Member(1, 2, launched=True), events, lost)
    rank_results.forget_words(tmp_path)
    assert rank_results.words(tmp_path) == {}


def test_a_result_of_another_attempt_is_not_this_ones(tmp_path):
    path = tmp_path / "events.jsonl"
    assert not rank_results.has_result(path, 1)
    EventWriter(path, job="j", attempt=1).result(word("disk_full"))
    assert rank_results.has_result(path, 1)
    assert not rank_results.has_result(path, 2)
