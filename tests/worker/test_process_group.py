import sys

import pytest

import process_group
from failures import PlanMismatchError
from podtune.core.events import EventKind, WorkerResult
from podtune.core.states import WorkerStage
from process_group import Member
from support import ranks


def test_without_rank_a_process_is_alone():
    cluster = {"WORLD_SIZE": "16", "NODE_RANK": "1", "MASTER_ADDR": "10.0.0.1"}
    assert process_group.member(cluster) == Member()
    assert Member().is_alone
    assert Member().is_main


def test_a_rank_is_read_from_the_standard_variables():
    said = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    me = process_group.member(said)
    assert me == Member(3, 4, 1, 2, launched=False)
    assert not me.is_main
    assert process_group.member({**said, process_group.LAUNCHED: "1"}).launched


def test_each_process_has_its_device_and_its_share_of_cores():
    second = Member(rank=1, world=2, local_rank=1, local_world=2)
    assert second.device("cuda") == "cuda:1"
    assert second.device("cpu") == "cpu"
    assert Member().device("cuda") == "cuda"
    assert [second.cores(n) for n in (16, 3, 1)] == [8, 1, 1]


def test_a_world_other_than_planned_is_refused():
    process_group.refuse_other_world(2, 2)
    with pytest.raises(PlanMismatchError, match="1 processes train together, planned were 2") as e:
        process_group.join("cpu", 2)
    assert e.value.code == "world_size"


def test_alone_everything_is_a_no_op():
    assert process_group.total(2, 3.5) == (2.0, 3.5)
    assert process_group.any_rank(True)
    assert not process_group.any_rank(False)
    assert process_group.share({"a": 1}) == {"a": 1}
    process_group.barrier()
    with process_group.main_first(), process_group.in_turns():
        done = True
    assert done
    process_group.leave()


def test_the_quiet_writer_says_nothing(capsys):
    quiet = process_group.QuietWriter()
    quiet.stage(WorkerStage.TRAINING)
    quiet.task("load", 1, 1, "")
    quiet.warning("tight")
    quiet.facts(steps=3)
    quiet.emit(EventKind.CHECKPOINT, message="saved")
    quiet.result(WorkerResult(ok=True))
    assert capsys.readouterr() == ("", "")


def test_an_error_of_another_kind_is_no_lost_peer():
    assert not process_group.is_lost_peer(RuntimeError("size mismatch"))
    assert not process_group.is_lost_peer(ValueError("Connection closed by peer"))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return ranks.run("agreement", tmp_path_factory.mktemp("agreement"))


def test_numbers_flags_and_values_are_agreed_on(pair):
    assert [p["total"] for p in pair] == [[3.0, 1.0]] * 2
    assert [p["any"] for p in pair] == [[True, False]] * 2
    assert [p["shared"] for p in pair] == ["from 0"] * 2


def test_the_first_process_of_a_machine_fetches_before_the_others(pair):
    assert pair[0]["order"][:2] == ["fetch0", "fetch1"]


def test_processes_load_one_after_the_other(pair):
    assert pair[0]["order"][2:] == ["load0", "shard0", "load1", "shard1"]


def test_each_process_computes_on_its_share_of_the_cores(pair):
    assert [p["threads"] for p in pair] == ["1", "1"]


@pytest.mark.skipif(sys.platform != "linux", reason="the words are those of gloo on Linux")
def test_a_process_that_went_away_is_recognised(tmp_path):
    survivor, _ = ranks.run("lost", tmp_path)
    assert survivor["lost"], survivor["said"]
