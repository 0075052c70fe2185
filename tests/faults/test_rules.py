"""Rules R1-R11 of `reliability-security.md` 2.1, each shown on the real code in a small scene."""

import json
from datetime import timedelta

import pytest

from faults import campaign, invariants, mutants
from faults.schedule import Step, What
from faults.stage import Stage
from faults.world import World
from podtune.core.limits import SKEW_S
from podtune.core.states import Outcome
from podtune.providers.runpod import names

LOST_ANSWER = Step(0, What.FAULT, {"kind": "after_effect", "route": "create_pod", "nth": [1]})
LATE_LISTS = Step(0, What.CLOUD, {"listing_lag_s": 9, "transient_404_s": 9})
NO_WATCHDOG = Step(0, What.SCRIPT, {"nth": 1, "misfortune": "watchdog_dead", "step_s": 600})
ALONE = Step(30, What.DEAD, {"point": 1})
POOR = Step(0, What.CEILING, {"usd": 0.15, "hours": 4})


@pytest.fixture(scope="module")
def stage():
    with Stage() as made, made.playing():
        yield made


def story(stage, *steps):
    """What came of a schedule that has to break nothing."""
    audit, wrong = campaign.play(stage, steps)
    assert wrong == {}
    assert audit is not None
    return audit


def points(stage, *steps):
    """The points that a driver passes, in order."""
    passed = []
    World(stage, steps, on_point=lambda world, host, where, is_effect: passed.append(where)).run()
    return passed


def test_r1_the_intent_is_committed_before_the_machine_is_ordered(stage):
    passed = points(stage)
    ordered = passed.index("before POST /v2/pods")
    intended = [i for i, where in enumerate(passed) if where == "after apply"][3]
    assert intended < ordered
    audit = story(stage)
    assert audit.rows.orders[0].intent_at < audit.ledger.machines[0].made_at


def test_r2_the_name_holds_owner_job_attempt_and_deadline(stage):
    audit = story(stage, Step(0, What.FAULT, {"kind": "eviction", "seconds": 9, "nth": [1]}))
    found = [names.parse(machine.name) for machine in audit.ledger.machines]
    assert [name.attempt for name in found if name] == [1, 2]
    assert {(name.owner, name.job) for name in found if name} == {(stage.owner, audit.rows.job.id)}
    assert all(name and name.deadline for name in found)


def test_r3_an_order_whose_answer_was_lost_is_adopted_and_never_sent_again(stage):
    audit = story(stage, LOST_ANSWER, LATE_LISTS)
    assert audit.rows.job.outcome is Outcome.COMPLETED
    assert [
        asked
        for asked in audit.ledger.asked
        if asked.startswith("POST") and asked.endswith("/pods")
    ]
    assert len(audit.ledger.machines) == 1


def test_r3_an_order_that_made_nothing_is_sent_under_another_name(stage):
    nothing = Step(0, What.FAULT, {"kind": "before_effect", "route": "create_pod", "nth": [1]})
    audit = story(stage, nothing)
    assert audit.rows.job.outcome is Outcome.COMPLETED
    assert len({order.name for order in audit.rows.orders}) == 2
    assert len(audit.ledger.machines) == 1


def test_r4_absence_is_proved_behind_the_lag_of_the_lists(stage):
    audit = story(stage, LOST_ANSWER, LATE_LISTS, Step(2.6, What.CANCEL))
    proof = audit.rows.job.proof
    assert proof is not None
    assert audit.ledger.machines
    assert all(machine.ended_at <= proof.absent_at for machine in audit.ledger.machines)


def test_r4_a_delete_that_did_nothing_is_asked_again_until_it_did(stage):
    refused = Step(0, What.FAULT, {"kind": "no_effect", "route": "delete_pod", "times": 5})
    story(stage, refused)


def test_r5_a_watchdog_ends_a_machine_that_everybody_left(stage):
    busy = Step(0, What.SCRIPT, {"nth": 1, "step_s": 600})
    audit = story(stage, Step(0, What.CEILING, {"usd": 5, "hours": 0.2}), busy, ALONE)
    assert audit.ledger.counts["reaped"] == 0


def test_r5_a_second_host_ends_one_whose_watchdog_is_dead_too(stage):
    audit = story(stage, Step(0, What.CEILING, {"usd": 5, "hours": 0.2}), NO_WATCHDOG, ALONE)
    assert audit.ledger.counts["reaped"] == 1


def test_r6_the_ceiling_pays_for_all_attempts_and_for_outliving_the_deadline(stage):
    audit = story(stage, POOR, NO_WATCHDOG, ALONE)
    billed = sum(machine.usd for machine in audit.ledger.machines)
    assert 0.12 < float(billed) <= 0.15
    lost = Step(0, What.FAULT, {"kind": "eviction", "seconds": 30})
    audit = story(stage, Step(0, What.CEILING, {"usd": 5, "hours": 0.3}), lost)
    orders = audit.rows.orders
    assert len(orders) > 1
    assert len({order.deadline for order in orders}) == 1, "hours count from the first order"


def test_r7_a_cost_of_nothing_is_taken_for_unknown(stage):
    audit = story(stage, Step(0, What.NO_COST))
    order = audit.rows.orders[0]
    assert order.usd_per_hour > 0
    assert order.metered(audit.rows.job.updated_at) >= audit.ledger.machines[0].usd


def test_r8_outcome_and_message_are_one_commit_and_stay_so(stage):
    passed = points(stage)
    commits = [i for i, where in enumerate(passed, 1) if where == "after apply"]
    for point in commits:
        audit = story(stage, Step(0, What.KILL, {"point": point, "back_s": 1}))
        assert [m.id for m in audit.rows.outbox] == [f"{audit.rows.job.id}:terminal"]
        said = json.loads(audit.rows.outbox[0].body)
        assert said["type"] == "training.completed"


def test_r9_a_driver_that_stood_still_finds_its_job_taken_and_writes_nothing(stage):
    tokens = set()
    for point in range(1, 12):
        freeze = Step(20, What.FREEZE, {"point": point, "for_s": 600})
        audit = story(stage, Step(5, What.SECOND), freeze)
        assert audit.rows.job.outcome is Outcome.COMPLETED
        tokens.add(audit.rows.job.token)
    assert max(tokens) >= 2, "nobody ever took over"


def test_r10_a_file_that_arrives_changed_completes_no_job(stage):
    audit = story(stage, Step(0, What.SCRIPT, {"nth": 1, "misfortune": "wrong_sha256"}))
    assert audit.rows.job.outcome is Outcome.FAILED
    assert audit.rows.job.error_code == "integrity_mismatch"


def test_r11_a_clock_that_is_set_ends_nothing_and_hides_no_cost(stage):
    slow = Step(0, What.SCRIPT, {"nth": 1, "step_s": 20})
    for by_s in (86_400, -3_600):
        audit = story(stage, slow, Step(40, What.JUMP, {"by_s": by_s}))
        assert audit.rows.job.outcome is Outcome.COMPLETED


@pytest.mark.parametrize("skew", [-600, -SKEW_S, SKEW_S, 600])
def test_r11_a_machine_whose_clock_differs_lives_within_its_reserve(stage, skew):
    wrong = Step(0, What.FAULT, {"kind": "clock_skew", "seconds": skew})
    busy = Step(0, What.SCRIPT, {"nth": 1, "step_s": 600})
    audit = story(stage, POOR, wrong, busy, ALONE)
    machine = audit.ledger.machines[0]
    name = names.parse(machine.name)
    assert name is not None
    assert name.deadline is not None
    assert machine.ended_at is not None
    assert machine.ended_at <= name.deadline + timedelta(seconds=180)


CATCHES = {
    "i1_no_machine_left": ("r5_no_reaper", (POOR, NO_WATCHDOG, ALONE)),
    "i2_billed_within_the_ceiling": ("r6_no_reserve", (POOR, NO_WATCHDOG, ALONE)),
    "i2_meter_covers_the_bill": ("r7_cost_of_nothing_believed", (Step(0, What.NO_COST),)),
    "i3_every_job_is_terminal": ("r5_no_reaper", (POOR, NO_WATCHDOG, ALONE)),
    "i5_completed_means_whole": (
        "r10_sums_not_compared",
        (Step(0, What.SCRIPT, {"nth": 1, "misfortune": "wrong_sha256"}),),
    ),
    "i6_one_machine_at_a_time": ("r3_ambiguous_create_again", (LOST_ANSWER,)),
    "proof_for_every_machine": (
        "r4_one_absence_is_proof", (LOST_ANSWER, LATE_LISTS, Step(2.6, What.CANCEL)),
    ),
    "no_early_end": (
        "r11_clock_that_is_set",
        (Step(0, What.SCRIPT, {"nth": 1, "step_s": 20}), Step(40, What.JUMP, {"by_s": 86_400})),
    ),
}  # fmt: skip
"""An invariant -> podtune without a rule, and a scene in which that breaks it."""


@pytest.mark.parametrize("invariant", CATCHES)
def test_an_invariant_sees_what_it_is_there_for(stage, invariant):
    mutant, steps = CATCHES[invariant]
    with mutants.ALL[mutant]():
        _, wrong = campaign.play(stage, steps)
    assert invariant in wrong
    assert campaign.play(stage, steps)[1] == {}


def test_i4_sees_a_second_id_and_another_word(stage):
    audit = story(stage)
    twice = audit.rows._replace(outbox=(*audit.rows.outbox, *audit.rows.outbox))
    assert list(invariants.i4_one_terminal_callback(audit._replace(rows=twice)))
    other = audit.rows.outbox[0]._replace(
        body=audit.rows.outbox[0].body.replace("completed", "failed")
    )
    changed = audit.rows._replace(outbox=(other,))
    assert list(invariants.i4_one_terminal_callback(audit._replace(rows=changed)))


def test_i7_sees_a_line_and_an_event_that_are_missing(stage):
    audit = story(stage)
    events = audit.rows.folder / "events.jsonl"
    whole = events.read_text(encoding="utf-8").splitlines(keepends=True)
    events.write_text("".join(whole[:3] + whole[4:]), encoding="utf-8")
    assert list(invariants.i7_no_event_lost(audit))
    events.write_text("".join(whole), encoding="utf-8")
    assert list(invariants.i7_no_event_lost(audit)) == []
    cut = audit.rows._replace(log=audit.rows.log[:-1])
    assert list(invariants.i7_no_event_lost(audit._replace(rows=cut)))


def test_i8_i9_i10_see_another_host_a_secret_and_a_flood(stage):
    audit = story(stage)
    audit.ledger.hosts.add("elsewhere.test")
    assert list(invariants.i8_no_other_host(audit))
    audit.ledger.log.append(f"sent with {audit.secrets[0]}")
    assert list(invariants.i9_no_secret_shown(audit))
    audit.ledger.busiest_minute = 1000
    assert list(invariants.i10_bounded(audit))
