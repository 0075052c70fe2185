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


def test_quoted_words_stand_beside_the_field_and_are_no_markup():
    plan = build.plan({"adapter.rank": 8})
    fields = tuple(
        n.model_copy(update={"quote": "rank [red]8"}) if n.path == "adapter.rank" else n
        for n in plan.fields
    )
    text = shown(plan.model_copy(update={"fields": fields}))
    assert 'you said: "rank [red]8"' in " ".join(text.split())


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


MIXTURE = build.facts(
    model_type="qwen3_moe", num_experts=8, num_experts_per_tok=2, moe_intermediate_size=32
)


def line(plan, name):
    return next(x for x in shown(plan).splitlines() if x.lstrip("│ ").startswith(f"{name} "))


def test_what_is_trained_is_said_with_its_layers_and_count():
    said = line(build.plan(), "training")
    assert "sft, LoRA rank 16 on q_proj, k_proj" in said
    assert "32.8 k parameters" in said


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"adapter.kind": "dora"}, "DoRA rank 16"),
        ({"adapter.kind": "rslora"}, "rank-stabilised LoRA"),
        ({"adapter.bits": 4}, "QLoRA rank 16"),
        ({"adapter.kind": "full"}, "every weight"),
        ({"method": "dpo"}, "dpo, LoRA"),
    ],
)
def test_every_kind_and_method_has_its_words(stated, words):
    assert words in line(build.plan(stated), "training")


def test_quantised_weights_are_said_with_the_model():
    assert "in 4 bits" in line(build.plan({"adapter.bits": 4}), "model")
    assert "bits" not in line(build.plan(), "model")


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({}, "8 in each of 2 layers, 2 of them a token; not adapted"),
        ({"adapter.experts": True}, "adapted with"),
        ({"adapter.kind": "full"}, "all trained"),
    ],
)
def test_experts_are_said_and_whether_they_are_adapted(stated, words):
    assert words in line(build.plan(stated, facts=MIXTURE), "experts")


def test_a_dense_model_has_no_line_of_experts():
    assert "experts " not in shown(build.plan())


def test_several_devices_are_said_with_how_they_hold_the_model():
    two = {"where.count": 2, "training.packing": False}
    assert "2 processes, the model on each (ddp)" in line(build.plan(two), "devices")
    spread = build.plan({**two, "where.nodes": 2, "training.sharding": "fsdp"})
    assert "2 processes on each of 2 machines, the model spread" in line(spread, "devices")


def test_rows_that_are_not_packed_are_said_with_the_reason():
    assert "see the neighbouring documents" in line(build.plan(packable=False), "packing")
    assert "none, one document a row" in line(build.plan({"training.packing": False}), "packing")
    assert "one document a row" not in shown(build.plan())


@pytest.mark.parametrize(("method", "rows"), [("cpt", "texts"), ("dpo", "pairs"), ("kto", "rated")])
def test_rows_are_called_as_the_method_takes_them(method, rows):
    assert rows in line(build.plan({"method": method}), "data")


def test_what_was_chosen_for_a_request_stands_with_its_reason_and_the_rest_with_its_value():
    told = " ".join(shown(build.plan(), brief=True, chosen={"method"}).replace("│", "").split())
    assert "supervised fine-tuning: the data are conversations" in told
    assert "enough for a few thousand rows" not in told
    assert "assumed by rule (--fields says why): " in told
    assert "adapter.rank 16; " in told
