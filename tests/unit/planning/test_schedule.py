"""Every `auto` of the training options becomes a value with its reason; stated values win."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.core.plan import Device, Schedule
from podtune.core.spec import AUTO, EffectiveBatch, TrainingOptions
from podtune.data.lengths import Lengths
from podtune.planning import model_facts, schedule
from podtune.storage.base_models import PACKAGE_CONFIG
from support import build

DEVICE = Device(kind="cpu", name="CPU", memory_bytes=1 << 34, cores=2, bf16=False)
FACTS = model_facts.facts_from_config(
    PACKAGE_CONFIG,
    name="m",
    revision=None,
    source="path",
    location=None,
)
AUTOS = tuple(
    f"training.{name}"
    for name, field in TrainingOptions.model_fields.items()
    if field.default == AUTO
)


def lengths_of(*train, exact=True):
    return Lengths(exact, tuple(train), tuple(max(1, n // 2) for n in train), ())


def decide(options=None, lengths=None, *, device=DEVICE, facts=FACTS, packable=True):
    return schedule.decide(
        options or TrainingOptions(),
        facts,
        device,
        lengths or lengths_of(*([60] * 100)),
        packable=packable,
    )


def test_every_auto_gets_a_value_and_a_reason():
    decided = decide().values
    assert set(decided) == set(AUTOS)
    assert all(d.why and d.value != AUTO and d.value is not None for d in decided.values())


def test_stated_values_win_and_are_not_recorded_as_decisions():
    options = TrainingOptions(
        epochs=2,
        learning_rate=3e-4,
        effective_batch=EffectiveBatch(examples=10),
        micro_batch=2,
        max_length=128,
        packing=False,
        precision="bf16",
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


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16"), (False, "fp32")])
def test_precision_follows_the_hardware(bf16, precision):
    decided = decide(device=DEVICE.model_copy(update={"bf16": bf16}))
    assert decided.values["training.precision"].value == precision


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
    found = build.plan(n_rows=20)
    long = found.tokens.longest * 40
    lengths = schedule.Lengths(True, (20,) * 30, (8,) * 30, (long,))
    decided = schedule.decide(
        found.spec.training.model_copy(update={"max_length": AUTO, "max_steps": None}),
        build.facts(),
        build.device(),
        lengths,
        packable=True,
    )
    assert int(decided.values["training.max_length"].value) >= long


def test_a_document_longer_than_the_models_window_is_refused():
    options = build.plan().spec.training
    lengths = schedule.Lengths(True, (20, 70), (8, 8), ())
    with pytest.raises(SpecError, match="70 tokens") as caught:
        schedule.decide(
            options, build.facts(sliding_window=64), build.device(), lengths, packable=True
        )
    assert caught.value.code == "too_long"
