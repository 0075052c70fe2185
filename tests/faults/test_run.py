"""The table of `make faults`: what is bad is counted, fails the run, and reaches the README."""

import json

import pytest

from faults import run
from faults.campaign import Tally
from faults.counts import Counts
from faults.soak import Report

DAY = Report(
    jobs=900, completed=890, otherwise={}, machines=950, recovered=40, lost_events=0, left=0, unfinished=0,
    rss_warm_mb=100.0, rss_end_mb=101.0, growth=0.01, driver_cpu_s=300.0,
)  # fmt: skip


def figures(**changes):
    return {
        "schedules": Tally(schedules=10_000), "pairs": Tally(schedules=1_600), "real": Counts(kills=500),
        "soak": DAY, "mutants": {"r1": 3}, "wall_s": 60.0, "cpu_s": 100.0, **changes,
    }  # fmt: skip


def test_a_run_without_a_fault_is_good(capsys):
    assert run.print_table(figures()) == 0
    assert "10,000" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "row"),
    [
        ({"schedules": Tally(failures=[("SEED=1", {"i1_no_machine_left": ["p1"]})])}, "leaks"),
        (
            {"pairs": Tally(failures=[("pair", {"i4_one_terminal_callback": ["2"]})])},
            "wrong callbacks",
        ),
        ({"schedules": Tally(failures=[("SEED=1", {"i10_bounded": ["400"]})])}, "other"),
        ({"real": Counts(overspent=1)}, "over-spend"),
        ({"real": Counts(wrong_outcomes=1)}, "other"),
        ({"soak": DAY._replace(left=1)}, "leaks"),
        ({"soak": DAY._replace(lost_events=1)}, "lost events"),
        ({"soak": DAY._replace(growth=0.05)}, "memory growth of 5 %"),
        ({"mutants": {"r1": 3, "r2": None}}, "mutants that survive"),
    ],
)
def test_each_fault_has_its_row_and_fails_the_run(changes, row):
    given = figures(**changes)
    assert run.print_table(given) == 1
    assert {name for name, number in given["bad"].items() if number} == {row}


def test_the_readme_shows_what_was_saved(tmp_path, monkeypatch):
    import figures as readers
    import measure

    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    monkeypatch.setattr(readers, "RESULTS", tmp_path)
    assert "not measured yet" in readers.faults()
    given = figures()
    run.print_table(given)
    run.save(given)
    assert json.loads((tmp_path / "faults.json").read_text())["benchmark"] == "faults"
    table = readers.faults()
    assert "| schedules | 10,000 | leaks | 0 |" in table
    assert "faults" in readers.circumstances()
