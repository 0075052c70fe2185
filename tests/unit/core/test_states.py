import itertools

import pytest

from podtune.core.states import (
    STAGE_SHARE,
    WIRE_OUTCOME,
    WIRE_STAGE,
    Desired,
    JobPhase,
    Outcome,
    WireStage,
    WireStatus,
    WorkerStage,
)


@pytest.mark.parametrize("where", [*JobPhase, *WorkerStage], ids=str)
def test_every_phase_and_stage_has_a_stage_on_the_wire(where):
    assert WIRE_STAGE[where] in WireStage


def test_the_wire_table_names_nothing_else():
    assert set(WIRE_STAGE) == {*JobPhase, *WorkerStage}


def test_phase_and_stage_of_one_word_share_one_wire_stage():
    # `training` is a phase and a stage, and both are the same key of the table
    assert WIRE_STAGE[JobPhase.TRAINING] is WIRE_STAGE[WorkerStage.TRAINING] is WireStage.TRAINING


def test_the_wire_stage_never_goes_back():
    order = list(WireStage)
    for stages in (JobPhase, WorkerStage):
        positions = [order.index(WIRE_STAGE[stage]) for stage in stages]
        assert positions == sorted(positions)


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_a_status_and_only_completed_is_completed(outcome):
    expected = WireStatus.COMPLETED if outcome is Outcome.COMPLETED else WireStatus.FAILED
    assert WIRE_OUTCOME[outcome] is expected


def test_the_contract_has_three_words_each():
    assert set(WireStatus) == {"running", "completed", "failed"}
    assert set(WireStage) == {"training", "saving", "uploading"}


def test_only_done_is_terminal():
    assert [phase for phase in JobPhase if phase.is_terminal] == [JobPhase.DONE]


def test_every_way_out_passes_terminating():
    order = list(JobPhase)
    assert order.index(JobPhase.TERMINATING) > order.index(JobPhase.RETRIEVING)
    assert order[-1] is JobPhase.DONE


def test_shares_are_contiguous_from_0_to_100_in_the_order_of_the_stages():
    assert list(STAGE_SHARE) == list(WorkerStage)
    shares = list(STAGE_SHARE.values())
    assert shares[0][0] == 0
    assert shares[-1][1] == 100
    assert all(left[1] == right[0] for left, right in itertools.pairwise(shares))
    assert all(start < end for start, end in shares)


def test_training_is_most_of_it():
    start, end = STAGE_SHARE[WorkerStage.TRAINING]
    assert end - start > 50


def test_words_are_their_values():
    assert str(JobPhase.DONE) == "done"
    assert [str(word) for word in Desired] == ["run", "cancelled"]
