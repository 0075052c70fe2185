"""Every `auto` of the training options becomes a value with its reason; stated values win."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.core.plan import Schedule
from podtune.core.spec import AUTO, EffectiveBatch, Method, TrainingOptions
from podtune.data.lengths import Lengths
from podtune.planning import model_facts, schedule
from podtune.storage.base_models import PACKAGE_CONFIG
from support import build

FACTS = model_facts.facts_from_config(
    PACKAGE_CONFIG,
    name="m",
    revision=None,
    source="path",
    location=None,
)
HELD = {"training.precision", "training.gradient_checkpointing", "training.sharding"}
"""What the memory decides, in `fitting`."""
AUTOS = {
    f"training.{name}"
    for name, field in TrainingOptions.model_fields.items()
    if field.default == AUTO
} - HELD


def lengths_of(*train, exact=True):
    return Lengths(exact, tuple(train), tuple(max(1, n // 2) for n in train), ())


def decide(options=None, lengths=None, **given):
    conditions = schedule.Conditions(
        given.pop("facts", FACTS),
        lengths or lengths_of(*([60] * 100)),
        given.pop("packable", True),
        **given,
    )
    return schedule.decide(options or TrainingOptions(), conditions)


def test_every_auto_gets_a_value_and_a_reason():
    decided = decide().values
    assert set(decided) == AUTOS
    assert all(d.why and d.value != AUTO and d.value is not None for d in decided.values())


def test_stated_values_win_and_are_not_recorded_as_decisions():
    options = TrainingOptions(
        epochs=2,
        learning_rate=3e-4,
        effective_batch=EffectiveBatch(examples=10),
        micro_batch=2,
        max_length=128,
        packing=False,
        save_steps=7,
    )
    decided = decide(options)
    assert decided.values == {}
    # 100 single rows, 2 a pass, 10 examples a step: 10 steps an epoch
    assert decided.schedule.accumulation == 5
    assert decided.schedule.steps == 20


def test_packing_can_be_stated_false_although_false_looks_empty():
    assert decide(TrainingOptions(packing=False)).schedule.rows_per_epoch == 100


@pytest.mark.parametrize(
    ("tokens", "epochs"), [(49_999, 5), (50_000, 3), (4_999_999, 3), (5_000_000, 1)]
)
def test_more_data_is_seen_less_often(tokens, epochs):
    many = lengths_of(*([1000] * (tokens // 1000)), *([tokens % 1000] if tokens % 1000 else []))
    assert decide(lengths=many).values["training.epochs"].value == epochs


@pytest.mark.parametrize("hidden", [64, 576, 2048, 4096, 16384])
def test_the_learning_rate_falls_with_width_within_bounds(hidden):
    wide = FACTS.model_copy(update={"hidden_size": hidden})
    wider = FACTS.model_copy(update={"hidden_size": hidden * 2})
    rate = decide(facts=wide).values["training.learning_rate"].value
    assert 1e-4 <= decide(facts=wider).values["training.learning_rate"].value <= rate <= 1e-3


def test_models_that_leak_between_documents_train_one_document_a_row():
    decided = decide(packable=False)
    assert decided.values["training.packing"].value is False
    assert decided.schedule.rows_per_epoch == 100


def test_packing_is_refused_where_it_is_not_exact():
    with pytest.raises(SpecError, match="packing is not exact for llama"):
        decide(TrainingOptions(packing=True), packable=False)


def test_an_example_longer_than_the_row_is_refused_with_its_length():
    with pytest.raises(SpecError, match=r"longest example has 300 .* 256") as caught:
        decide(TrainingOptions(max_length=256), lengths_of(10, 300, 20))
    assert caught.value.code == "too_long"
    assert "300" in str(caught.value.hint)


def test_an_example_of_exactly_the_row_is_taken():
    assert decide(TrainingOptions(max_length=300), lengths_of(10, 300, 20)).schedule.steps > 0


@given(
    train=st.lists(st.integers(1, 3000), min_size=1, max_size=60),
    epochs=st.integers(1, 6),
    examples=st.integers(1, 40),
)
def test_steps_are_exactly_the_ceiling_of_the_trainers_count(train, epochs, examples):
    options = TrainingOptions(epochs=epochs, effective_batch=EffectiveBatch(examples=examples))
    found = decide(options, lengths_of(*train)).schedule
    per_epoch = math.ceil(found.rows_per_epoch / found.accumulation)
    assert found.steps_per_epoch == per_epoch
    assert found.steps == math.ceil(epochs * per_epoch)


@given(st.lists(st.integers(1, 9000), min_size=1, max_size=60))
def test_the_automatic_row_holds_every_example(train):
    decided = decide(lengths=lengths_of(*train))
    assert decided.values["training.max_length"].value >= max(train)
    assert decided.schedule.rows_per_epoch <= len(train)


def test_half_an_epoch_is_half_the_steps():
    options = TrainingOptions(
        epochs=0.5, packing=False, effective_batch=EffectiveBatch(examples=10)
    )
    assert decide(options).schedule.steps == 5


def test_max_steps_cuts_and_says_so():
    options = TrainingOptions(packing=False, epochs=1, max_steps=3,
                              effective_batch=EffectiveBatch(examples=10))  # fmt: skip
    found = decide(options).schedule
    assert found.steps == 3
    assert found.left_out == ("7 of 10 steps (training.max_steps)",)


def test_max_steps_over_the_epochs_changes_nothing():
    free = decide().schedule
    assert decide(TrainingOptions(max_steps=free.steps + 10)).schedule == free


def test_checkpoints_come_ten_times():
    decided = decide()
    save = decided.values["training.save_steps"].value
    assert save == max(1, math.ceil(decided.schedule.steps / 10))


def test_a_guess_of_lengths_makes_the_schedule_inexact():
    assert not decide(lengths=lengths_of(*([60] * 100), exact=False)).schedule.exact


def schedule_of(steps=100, tokens_per_step=600, per_epoch=20, rows=40, left_out=()):
    return Schedule(
        exact=True,
        steps=steps,
        steps_per_epoch=per_epoch,
        rows_per_epoch=rows,
        accumulation=2,
        tokens_per_step=tokens_per_step,
        left_out=left_out,
    )


def test_enough_time_changes_nothing():
    given = schedule_of()
    assert schedule.shortened(given, 100.0, 10.0, 5) is given  # 10 min x 10 steps a minute


def test_less_time_says_what_is_left_out():
    found = schedule.shortened(schedule_of(), 100.0, 4.0, 5)
    assert found.steps == 40
    assert found.left_out == ("60 of 100 steps (2.0 of 5 epochs run)",)


def test_less_than_an_epoch_names_the_rows_never_seen():
    found = schedule.shortened(schedule_of(), 100.0, 1.0, 5)
    assert found.steps == 10
    assert found.left_out[1] == "20 of 40 packed rows are never seen"


def test_a_time_limit_keeps_what_max_steps_left_out():
    before = "50 of 150 steps (training.max_steps)"
    found = schedule.shortened(schedule_of(left_out=(before,)), 100.0, 4.0, 5)
    assert before in found.left_out


@pytest.mark.parametrize(("minutes", "steps"), [(0.79, 7), (0.001, 0)])
def test_fewer_than_eight_steps_teach_nothing(minutes, steps):
    with pytest.raises(SpecError, match=f"hold {steps} optimizer steps") as caught:
        schedule.shortened(schedule_of(), 100.0, minutes, 5)
    assert caught.value.code == "too_short"
    assert "--minutes 1" in str(caught.value.hint)


def test_a_short_schedule_is_not_refused_for_being_short_when_it_fits():
    given = schedule_of(steps=3)
    assert schedule.shortened(given, 100.0, 1.0, 5) is given


@given(
    steps=st.integers(8, 500),
    speed=st.floats(1, 1e5),
    minutes=st.floats(0.01, 600),
    per_step=st.integers(1, 20_000),
)
def test_a_time_limit_never_adds_steps(steps, speed, minutes, per_step):
    given = schedule_of(steps=steps, tokens_per_step=per_step)
    try:
        found = schedule.shortened(given, speed, minutes, 5)
    except SpecError as error:
        found = error
    if isinstance(found, SpecError):
        assert found.code == "too_short"
        return
    assert found.steps <= steps
    assert bool(found.left_out) == (found.steps < steps)


def test_held_out_rows_must_fit_the_row_too():
    lengths = Lengths(True, (20,) * 30, (8,) * 30, (900,))
    assert int(decide(lengths=lengths).values["training.max_length"].value) >= 900


def test_a_document_longer_than_a_sliding_window_is_taken():
    facts = build.facts(model_type="mistral", sliding_window=64)
    assert facts.window == 64
    assert decide(lengths=lengths_of(20, 70), facts=facts).schedule.steps > 0


@pytest.mark.parametrize(
    ("options", "lengths", "packing"),
    [
        # two rows of 512 tokens in a pass would be more than the 16 examples of 60 tokens
        ({"micro_batch": 2, "max_length": 512}, [60] * 100, False),
        ({"micro_batch": 1, "max_length": 512}, [60] * 100, True),
        ({"micro_batch": 2}, [60] * 100, True),  # the row follows the batch
    ],
)
def test_rows_are_not_packed_past_the_batch_that_is_asked_for(options, lengths, packing):
    asked = TrainingOptions(effective_batch=EffectiveBatch(examples=16), **options)
    decided = decide(asked, lengths_of(*lengths))
    assert decided.values["training.packing"].value is packing


def test_a_recipe_of_two_times_eight_examples_is_kept_exactly():
    options = TrainingOptions(
        effective_batch=EffectiveBatch(examples=16), micro_batch=2, max_length=2048, epochs=3
    )
    decided = decide(options, lengths_of(*([160] * 800)))
    assert decided.values["training.packing"].value is False
    assert "effective_batch asks for about 2,560" in decided.values["training.packing"].why
    found = decided.schedule
    assert (found.accumulation, found.steps_per_epoch, found.steps) == (8, 50, 150)


@pytest.mark.parametrize(("world", "accumulation"), [(1, 8), (2, 4), (4, 2), (8, 1)])
def test_processes_divide_the_accumulation_and_not_the_batch(world, accumulation):
    options = TrainingOptions(
        effective_batch=EffectiveBatch(examples=16), micro_batch=2, packing=False, epochs=1
    )
    found = decide(options, lengths_of(*([160] * 800)), world=world).schedule
    assert (found.accumulation, found.world, found.steps) == (accumulation, world, 50)


@given(
    train=st.lists(st.integers(1, 3000), min_size=4, max_size=60),
    world=st.integers(1, 4),
    micro=st.integers(1, 3),
)
def test_steps_count_the_passes_of_all_processes(train, world, micro):
    options = TrainingOptions(epochs=2, micro_batch=micro, packing=False)
    found = decide(options, lengths_of(*train), world=world).schedule
    passes = math.ceil(len(train) / (micro * world))
    assert found.steps == 2 * math.ceil(passes / found.accumulation)
    assert 1 <= found.accumulation <= passes


def test_fewer_rows_than_processes_are_refused():
    with pytest.raises(SpecError, match="2 rows cannot be divided among 4") as caught:
        decide(lengths=lengths_of(2000, 2000), world=4)
    assert caught.value.code == "indivisible"


def test_a_batch_smaller_than_one_pass_of_all_processes_is_refused():
    options = TrainingOptions(
        effective_batch=EffectiveBatch(examples=3), micro_batch=2, packing=False
    )
    with pytest.raises(SpecError, match=r"3 examples a step .* 4 processes \(8 examples\)"):
        decide(options, world=4)


@pytest.mark.parametrize("hidden", [64, 2048, 16384])
def test_full_training_takes_a_tenth_of_the_rate(hidden):
    facts = FACTS.model_copy(update={"hidden_size": hidden})
    adapter, full = (
        decide(facts=facts, full=full).values["training.learning_rate"] for full in (False, True)
    )
    assert full.value == pytest.approx(adapter.value / 10, rel=0.05)
    assert "tenth" in full.why


@pytest.mark.parametrize("method", [Method.DPO, Method.ORPO, Method.KTO])
def test_preferences_take_a_tenth_of_the_rate_and_at_most_three_epochs(method):
    sft, preference = (decide(method=m).values for m in (Method.SFT, method))
    rate = preference["training.learning_rate"]
    assert rate.value == pytest.approx(sft["training.learning_rate"].value / 10, rel=0.05)
    assert preference["training.epochs"].value == 3 < sft["training.epochs"].value
    plenty = decide(method=method, lengths=lengths_of(*([1000] * 500))).values
    assert plenty["training.epochs"].value == 1


def test_continued_pretraining_takes_the_rate_of_fine_tuning():
    assert decide(method=Method.CPT).values == decide().values


def test_the_reason_for_not_packing_names_the_missing_libraries():
    hybrid = build.facts(
        model_type="qwen3_5_text", head_dim=16, linear_num_key_heads=2, linear_num_value_heads=2
    )
    why = decide(facts=hybrid, packable=False).values["training.packing"].why
    assert "causal_conv1d and fla" in why
    convolutions = build.facts(model_type="lfm2")
    why = decide(facts=convolutions, packable=False).values["training.packing"].why
    assert "without" not in why


def test_guessed_rows_that_will_be_shortened_are_counted_short():
    options = TrainingOptions(max_length=256, long_rows="shorten")
    guess = lengths_of(300, 10, exact=False)
    assert decide(options, guess).schedule.tokens_per_step <= 266
    with pytest.raises(SpecError, match="longest example has 300"):
        decide(options, lengths_of(300, 10))  # counted: the worker would find it so
