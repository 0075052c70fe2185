"""The plan: every field noted, memory refused or fitting, a time limit that says what it cost."""

import pytest

from podtune.core.errors import SpecError
from podtune.core.plan import Origin
from podtune.core.spec import field_paths, flatten
from podtune.core.units import GIB
from podtune.planning import plan as planning
from support import build


def test_every_field_of_the_spec_has_a_note_with_its_value():
    made = build.plan()
    assert tuple(note.path for note in made.fields) == field_paths()
    assert {note.path: note.value for note in made.fields} == flatten(made.spec)


def test_every_note_has_a_reason():
    assert [note.path for note in build.plan().fields if not note.why] == []


def test_no_auto_is_left():
    left = {path for path, value in flatten(build.plan().spec).items() if value == "auto"}
    assert left <= {"where.image", "base_model.source"}


def test_what_was_stated_is_marked_stated_and_all_else_assumed():
    made = build.plan({"adapter.rank": 8, "training.epochs": 2})
    stated = {note.path for note in made.fields if note.origin is Origin.STATED}
    assert stated == {"data.source", "base_model.name", "adapter.rank", "training.epochs"}
    assert made.spec.adapter.rank == 8
    assert made.schedule.steps == 2 * made.schedule.steps_per_epoch


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("training.learning_rate", 5e-4),
        ("training.max_length", 512),
        ("training.packing", False),
        ("training.precision", "bf16"),
        ("training.save_steps", 3),
        ("adapter.bits", 32),
        ("where.gpu", "cpu"),
    ],
)
def test_a_stated_value_survives(path, value):
    made = build.plan({path: value})
    note = made.note(path)
    assert note is not None
    assert (note.value, note.origin) == (value, Origin.STATED)


def test_a_decided_value_is_assumed_with_the_decisions_reason():
    note = build.plan().note("training.epochs")
    assert note is not None
    assert note.origin is Origin.ASSUMED
    assert "little data" in note.why


@pytest.mark.parametrize(("bf16", "bits"), [(True, 16), (False, 32)])
def test_weights_stay_in_the_precision_of_the_device(bf16, bits):
    assert build.plan(device=build.device(bf16=bf16)).spec.adapter.bits == bits


def test_the_memory_is_that_of_the_planned_row():
    short = build.plan({"training.max_length": 256})
    long = build.plan({"training.max_length": 1024})
    assert short.memory.total < long.memory.total
    assert short.memory.adapter_parameters == long.memory.adapter_parameters


def test_what_does_not_fit_is_refused_with_both_figures():
    small = build.device(memory_gib=0.25)
    with pytest.raises(SpecError, match=r"needs .* MiB .*test cpu has 256 MiB") as caught:
        build.plan(device=small)
    assert caught.value.code == "does_not_fit"
    assert caught.value.context["available_bytes"] == small.memory_bytes
    needed = caught.value.context["needed_bytes"]
    assert isinstance(needed, int)
    assert needed > small.memory_bytes


def test_what_fits_exactly_is_taken():
    only = {"adapter.bits": 32, "training.gradient_checkpointing": False}
    needed = build.plan(only).memory.total
    exact = build.device(memory_gib=needed / GIB)
    assert build.plan(only, device=exact).memory.total == needed
    with pytest.raises(SpecError):
        build.plan(only, device=exact.model_copy(update={"memory_bytes": exact.memory_bytes - 1}))


def test_what_nearly_fits_is_checkpointed_and_says_why():
    deep = build.facts(layers=12)  # of two layers one is computed again: nothing is spared
    needed = build.plan(facts=deep).memory.total
    made = build.plan(facts=deep, device=build.device(memory_gib=needed / GIB - 1e-6))
    assert made.spec.training.gradient_checkpointing is True
    assert made.memory.total < needed
    note = made.note("training.gradient_checkpointing")
    assert "would not fit" in note.why


def test_checkpointing_is_off_where_it_is_not_needed():
    made = build.plan()
    assert made.spec.training.gradient_checkpointing is False
    assert "fits without" in made.note("training.gradient_checkpointing").why


MIXTURE = build.facts(
    model_type="qwen3_moe", num_experts=8, num_experts_per_tok=2, moe_intermediate_size=32
)
SEVEN = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def test_the_seven_names_on_a_mixture_are_replaced_with_a_warning_that_counts():
    made = build.plan({"adapter.target_modules": SEVEN}, facts=MIXTURE)
    assert made.adapted_layers == ("q_proj", "k_proj", "v_proj", "o_proj")
    (warning,) = [w for w in made.warnings if "experts" in w]
    added = 2 * 8 * 16 * ((64 + 64) + (32 + 64))
    assert "gate_proj, up_proj, down_proj" in warning
    assert "only on request" in warning
    assert f"{added / 1000:.0f}" in warning or str(added) in warning


def test_all_linear_on_a_mixture_needs_no_warning():
    made = build.plan(facts=MIXTURE)
    assert made.adapted_layers == ("q_proj", "k_proj", "v_proj", "o_proj")
    assert made.warnings == ()


def test_experts_on_request_are_counted():
    made = build.plan({"adapter.experts": True}, facts=MIXTURE)
    assert made.memory.expert_parameters == 2 * 8 * 16 * ((64 + 64) + (32 + 64))
    assert made.memory.adapter_parameters > made.memory.expert_parameters


def test_full_training_adapts_no_layer_and_trains_all():
    made = build.plan({"adapter.kind": "full"})
    assert made.adapted_layers == ()
    assert made.memory.adapter_parameters == build.facts().total_parameters
    assert (made.spec.adapter.bits, made.spec.training.precision) == (32, "fp32")


def test_full_training_in_16_bits_says_what_it_loses():
    made = build.plan({"adapter.kind": "full", "adapter.bits": 16})
    assert any("lose updates" in w for w in made.warnings)
    assert not build.plan({"adapter.kind": "full"}).warnings


def test_full_training_that_does_not_fit_is_refused_with_its_parts():
    with pytest.raises(
        SpecError, match=r"full fine-tuning needs .*base model.*optimizer"
    ) as caught:
        build.plan({"adapter.kind": "full"}, device=build.device(memory_gib=0.7))
    assert caught.value.code == "does_not_fit"
    assert set(caught.value.context["parts"]) >= {"base model", "adapter and optimizer"}


def test_more_devices_than_there_are_is_an_error_that_names_them():
    with pytest.raises(SpecError, match=r"where\.count is 2; there is .*1 ") as caught:
        build.plan({"where.count": 2}, device=build.device().model_copy(update={"count": 1}))
    assert caught.value.code == "too_few_devices"
    assert caught.value.context == {"asked": 2, "there": 1}


def test_processes_and_machines_multiply():
    made = build.plan({"where.count": 2, "where.nodes": 2, "training.packing": False})
    assert made.schedule.world == 4
    assert made.spec.training.sharding == "ddp"


def test_processes_of_a_cpu_share_its_memory():
    options = {"where.count": 2, "adapter.bits": 32, "training.gradient_checkpointing": False,
               "training.packing": False}  # fmt: skip
    needed = build.plan(options).memory.total
    with pytest.raises(SpecError, match="for each of 2 processes"):
        build.plan(options, device=build.device(memory_gib=1.9 * needed / GIB))
    assert build.plan(options, device=build.device(memory_gib=2.01 * needed / GIB))


def test_rows_longer_than_the_batch_that_is_asked_for_give_a_warning():
    made = build.plan(
        {"training.packing": True, "training.max_length": 1024,
         "training.effective_batch": {"examples": 2}},
        n_rows=60,
    )  # fmt: skip
    assert any("effective_batch asks for about" in w for w in made.warnings)


@pytest.mark.parametrize(("steps", "warned"), [(100, True), (2, False), (None, False)])
def test_a_warmup_that_outlasts_the_training_is_said(steps, warned):
    made = build.plan({"training.warmup_steps": steps})
    assert any("never reaches its peak" in w for w in made.warnings) is warned


@pytest.mark.parametrize(("usd", "warned"), [(5, True), (None, False)])
def test_a_ceiling_without_anything_rented_is_said(usd, warned):
    made = build.plan({"where.max_usd": usd})
    assert any("--on runpod rents" in w for w in made.warnings) is warned


@pytest.mark.parametrize("method", ["sft", "dpo", "orpo", "kto", "cpt"])
def test_every_method_is_planned(method):
    assert build.plan({"method": method}).spec.method == method


def slow_speeds(plan, tokens_per_second):
    """Measured speeds that make the device so slow."""
    per_token = plan.time.tokens_per_second
    flops = tokens_per_second * 4.0e10 * 2 / per_token
    return {"cpu-2-fp32": flops}


def test_minutes_set_max_steps_and_tell_what_is_left_out():
    free = build.plan(n_rows=200)
    speed = free.schedule.tokens_per_step * 10 / 60  # ten steps a minute
    made = build.plan(n_rows=200, minutes=1.0, reached_speeds=slow_speeds(free, speed))
    assert made.schedule.steps in (9, 10)
    assert made.spec.training.max_steps == made.schedule.steps
    assert f"of {free.schedule.steps} steps" in made.schedule.left_out[0]
    note = made.note("training.max_steps")
    assert note is not None
    assert note.why.startswith("--minutes 1 at ")
    assert made.time.training_s <= 60


def test_minutes_that_suffice_leave_the_plan_as_it_is():
    assert build.plan(minutes=600.0).digest == build.plan().digest


def test_minutes_that_teach_nothing_are_refused():
    free = build.plan(n_rows=200)
    with pytest.raises(SpecError) as caught:
        build.plan(n_rows=200, minutes=0.01, reached_speeds=slow_speeds(free, 1.0))
    assert caught.value.code == "too_short"


@pytest.mark.parametrize("slow", [True, False])
def test_a_job_of_hours_says_so_and_offers_minutes(slow):
    free = build.plan()
    tokens = free.schedule.steps * free.schedule.tokens_per_step
    speed = tokens / (planning.LONG_S * (1.01 if slow else 0.99))
    made = build.plan(reached_speeds=slow_speeds(free, speed))
    assert any("--minutes 30" in warning for warning in made.warnings) is slow


def test_warnings_of_the_data_come_first():
    assert build.plan(warnings=("look here",)).warnings[0] == "look here"


@pytest.mark.parametrize(
    ("stated", "held", "answers"),
    [({}, 5, 10), ({"evaluate.samples": 2}, 5, 4), ({"evaluate.before_after": False}, 5, 0)],
)
def test_answers_before_and_after_take_their_time(stated, held, answers):
    made = build.plan(stated, validation_rows=held)
    none = build.plan(stated, validation_rows=0)
    assert (made.time.around_s > none.time.around_s) is (answers > 0)


def test_tokens_are_those_of_the_lengths():
    made = build.plan()
    assert made.tokens.examples == made.tokens.train_rows
    assert 0 < made.tokens.trained < made.tokens.train
    assert not made.tokens.exact


def test_the_digest_ignores_speed_and_nothing_else():
    made = build.plan()
    assert build.plan(reached_speeds={"cpu-2-fp32": 1e12}).digest == made.digest
    assert build.plan({"training.seed": 7}).digest != made.digest


def test_an_adapter_without_a_target_is_refused():
    with pytest.raises(SpecError):
        build.plan({"adapter.target_modules": []})


def test_checkpoints_follow_the_steps_that_a_time_limit_leaves():
    speeds = {"cpu-2-fp32": 1e6}
    whole = build.plan({"training.epochs": 500}, n_rows=40, reached_speeds=speeds)
    cut = build.plan(
        {"training.epochs": 500}, n_rows=40, reached_speeds=speeds, minutes=_minutes_for(whole, 20)
    )
    assert cut.schedule.steps < whole.schedule.steps
    assert cut.spec.training.save_steps <= max(1, cut.schedule.steps / 10 + 1)


def _minutes_for(plan, steps):
    return (steps + 0.5) * plan.schedule.tokens_per_step / plan.time.tokens_per_second / 60
