"""A plan on the screen says what will happen and why."""

import io
import json

import pytest
from rich.console import Console

from podtune.cli import plan_view
from podtune.core.spec import field_paths
from support import build


def shown(plan, **options):
    stream = io.StringIO()
    plan_view.render(Console(file=stream, width=200, highlight=False), plan, **options)
    return stream.getvalue()


def test_the_summary_has_every_figure_of_the_promise():
    plan = build.plan()
    text = shown(plan)
    for expected in (
        plan.digest[:12],
        f"{plan.tokens.train_rows} conversations",
        "test/tiny",
        f"{plan.schedule.steps} optimizer steps",
        "5 epochs",
        "MiB",
        "$0.00",
        plan.time.basis,
    ):
        assert expected in text


def test_a_guess_is_called_about():
    assert "about" in shown(build.plan()).split("tokens", 1)[1][:20]
    assert "estimated until" in shown(build.plan())


def test_stated_fields_are_marked_and_always_shown():
    plan = build.plan({"where.disk_gb": 33, "adapter.rank": 8})
    lines = shown(plan).splitlines()
    (disk,) = [line for line in lines if "where.disk_gb" in line]
    assert "33" in disk
    assert "stated" in disk
    assert "assumed" not in disk
    assert not any("where.volume_gb" in line for line in lines)


def test_assumed_fields_give_their_reason():
    (line,) = [x for x in shown(build.plan()).splitlines() if "training.epochs" in x]
    assert "assumed" in line
    assert "little data" in line


def test_all_fields_are_all_fields():
    text = shown(build.plan(), all_fields=True)
    assert [p for p in field_paths() if p not in text] == []


def test_warnings_are_notes_and_no_markup():
    assert "note  careful [bold]" in shown(build.plan(warnings=("careful [bold]",)))


def test_what_is_left_out_is_said():
    plan = build.plan({"training.max_steps": 3})
    assert plan.schedule.left_out[0] in shown(plan)


def test_a_program_gets_everything_with_the_digest():
    plan = build.plan()
    value = json.loads(json.dumps(plan_view.plan_json(plan)))
    assert value["digest"] == plan.digest
    assert value["schedule"]["steps"] == plan.schedule.steps
    assert len(value["fields"]) == len(field_paths())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "yes"),
        (False, "no"),
        (0.0002, "0.0002"),
        (5.0, "5"),
        ({"tokens": 256, "examples": None}, "tokens 256"),
        ({}, "none"),
        (["a", "b"], "a, b"),
        ("auto", "auto"),
        (3, "3"),
    ],
)
def test_values_as_people_read_them(value, text):
    assert plan_view.shown_value(value) == text


def test_paths_below_here_are_short(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert plan_view.shown_value(str(tmp_path / "a" / "b.jsonl")) == "a/b.jsonl"
    assert plan_view.shown_value("/somewhere/else") == "/somewhere/else"
