import json

import pytest

from podtune.core.plan import FieldNote, Origin, Plan
from podtune.core.spec import TrainingSpec, field_paths, flatten, nest
from support import build

OTHER_VALUES = {
    "base_model.name": "test/other",
    "base_model.revision": "1" * 40,
    "base_model.source": "hub",
    "data.source": "/data/other.jsonl",
    "data.columns": {"prompt": "question"},
    "data.max_rows": 7,
    "data.validation": 0.1,
    "data.validation_source": "/data/held.jsonl",
    "data.system_prompt": "Be short.",
    "data.redact_pii": True,
    "data.format": "alpaca",
    "data.sheet": "Sheet2",
    "data.member": "rows.jsonl",
    "data.speaker": "Jo",
    "data.fix": ["redact-pii"],
    "data.on_bad_rows": "skip",
    "method": "dpo",
    "adapter.kind": "dora",
    "adapter.bits": 8,
    "adapter.rank": 8,
    "adapter.alpha": 8.0,
    "adapter.dropout": 0.1,
    "adapter.target_modules": ["q_proj"],
    "training.epochs": 9.0,
    "training.max_steps": 3,
    "training.learning_rate": 0.005,
    "training.lr_scheduler": "cosine",
    "training.warmup_ratio": 0.1,
    "training.weight_decay": 0.1,
    "training.effective_batch": {"examples": 3, "tokens": None},
    "training.micro_batch": 2,
    "training.max_length": 999,
    "training.packing": False,
    "training.precision": "bf16",
    "training.logging_steps": 5,
    "training.save_steps": 77,
    "training.seed": 1,
    "training.report_to": "tensorboard",
    "where.on": "runpod",
    "where.gpu": "mps",
    "where.gpu_any_of": ["L4"],
    "where.gpu_avoid": ["T4"],
    "where.min_vram_gib": 24.0,
    "where.count": 2,
    "where.cloud": "community",
    "where.region": "EU",
    "where.image": "other:latest",
    "where.registry_auth": "mine",
    "where.disk_gb": 21,
    "where.volume_gb": 51,
    "where.volume": "disk",
    "where.endpoint": "4m7x2k9q",
    "where.max_usd": 1.0,
    "where.max_hours": 1.0,
    "where.deadline": "tomorrow",
    "where.keep_on_failure_min": 5,
    "deliver.store": "hf",
    "deliver.to": "/out",
    "deliver.name": "mine",
    "deliver.callback_url": "https://x.example",
    "deliver.public": True,
    "deliver.export": ["gguf"],
    "deliver.delete_after": True,
    "evaluate.before_after": False,
    "evaluate.samples": 3,
    "adapter.experts": True,
    "training.warmup_steps": 5,
    "training.long_rows": "shorten",
    "training.gradient_checkpointing": True,
    "training.sharding": "fsdp",
    "training.beta": 0.5,
    "where.nodes": 2,
}
PLAN = build.plan()


def changed(**changes):
    return PLAN.model_copy(update=changes)


def test_the_digest_is_a_sha256_in_hex():
    assert len(PLAN.digest) == 64
    assert int(PLAN.digest, 16) > 0


def test_the_digest_of_equal_plans_is_equal():
    assert build.plan().digest == PLAN.digest


def test_the_digest_survives_json():
    assert Plan.model_validate_json(PLAN.model_dump_json()).digest == PLAN.digest
    assert Plan.model_validate(json.loads(json.dumps(PLAN.model_dump(mode="json")))) == PLAN


def test_the_digest_does_not_depend_on_the_order_of_keys():
    body = PLAN.model_dump(mode="json")
    assert Plan.model_validate(dict(reversed(body.items()))).digest == PLAN.digest


def test_the_digest_is_independent_of_the_time_estimate():
    later = PLAN.time.model_copy(update={"training_s": 99.0, "basis": "the last run"})
    assert changed(time=later).digest == PLAN.digest


@pytest.mark.parametrize("n_rows", [20, 400])
def test_the_digest_does_not_move_with_the_speed_of_the_last_run(n_rows):
    # at these speeds the training of 400 rows takes hours, which the plan says in a warning
    slow, slower = (
        build.plan(n_rows=n_rows, reached_speeds={"cpu-2-fp32": speed}) for speed in (1e6, 9e5)
    )
    assert slow.time != slower.time
    assert slow.digest == slower.digest


@pytest.mark.parametrize("path", field_paths())
def test_the_digest_changes_with_every_field_of_the_spec(path):
    flat = flatten(PLAN.spec)
    assert flat[path] != OTHER_VALUES[path]
    other = TrainingSpec.model_validate(nest({**flat, path: OTHER_VALUES[path]}))
    assert changed(spec=other).digest != PLAN.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"device": build.device(cores=4)},
        {"base_model": build.facts(hidden=128)},
        {"report": build.report(sha256="cd" * 32)},
        {"report": build.report(rows_sha256="cd" * 32)},
        {"validation_report": build.report(3)},
        {"price": build.price()},
        {"schedule": PLAN.schedule.model_copy(update={"steps": 1})},
        {"tokens": PLAN.tokens.model_copy(update={"trained": 1})},
        {"memory": PLAN.memory.model_copy(update={"total": 1})},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_the_digest_changes_with_every_other_part(changes):
    assert changed(**changes).digest != PLAN.digest


def test_a_planned_spec_leaves_nothing_to_decide():
    still_auto = {p for p, value in flatten(PLAN.spec).items() if value == "auto"}
    # where the model comes from is settled by whoever finds it, the image only when one is rented
    assert still_auto == {"base_model.source", "where.image"}


def test_every_field_has_one_note_with_the_value_of_the_spec():
    assert [note.path for note in PLAN.fields] == list(field_paths())
    assert {note.path: note.value for note in PLAN.fields} == flatten(PLAN.spec)


def test_note_finds_a_field_by_its_path():
    note = build.plan({"training.epochs": 2}).note("training.epochs")
    assert note == FieldNote(
        path="training.epochs", value=2.0, origin=Origin.STATED, why="you said so"
    )
    assert PLAN.note("training.epochs").origin is Origin.ASSUMED
    assert PLAN.note("training.nothing") is None


def test_memory_parts_add_up_to_the_total():
    assert sum(PLAN.memory.parts().values()) == PLAN.memory.total
    assert all(size > 0 for size in PLAN.memory.parts().values())


def test_total_time_is_training_and_what_is_around_it():
    assert PLAN.time.total_s == PLAN.time.training_s + PLAN.time.around_s


@pytest.mark.parametrize(
    ("usd", "max_usd", "max_hours", "hours"),
    [("0.50", "1", 4, 2.0), ("0.50", "5", 4, 4.0), ("0", "5", 4, 4.0)],
)
def test_a_machine_lives_as_long_as_hours_and_ceiling_allow(usd, max_usd, max_hours, hours):
    price = build.price(build.offer(usd=usd), max_usd=max_usd, max_hours=max_hours)
    assert price.life_hours(price.first) == pytest.approx(hours)


def test_the_moment_prices_were_read_is_no_part_of_the_digest():
    offer = build.offer()
    later = offer.model_copy(
        update={"fetched_at": build.NOW.replace(year=2027), "is_snapshot": True}
    )
    plans = [build.plan().model_copy(update={"price": build.price(one)}) for one in (offer, later)]
    assert plans[0].digest == plans[1].digest
    assert "2026" in plans[0].model_dump_json()


def test_another_callback_address_stands_in_the_spec_and_in_its_note():
    plan = build.plan({"deliver.callback_url": "https://x.example/hook?token=planted"})
    without = plan.with_callback(None)
    assert "planted" not in without.model_dump_json()
    assert without.spec.deliver.callback_url is without.note("deliver.callback_url").value is None
    assert without.with_callback("https://other.example") == without, "there is none to replace"
    back = plan.with_callback("https://x.example/hook")
    assert back.spec.deliver.callback_url == back.note("deliver.callback_url").value
    assert back.with_callback("https://x.example/hook?token=planted") == plan


def quoted(plan, words):
    fields = tuple(n.model_copy(update={"quote": words}) for n in plan.fields)
    return plan.model_copy(update={"fields": fields})


def test_quoted_words_are_no_part_of_the_digest_and_survive_json():
    plan = quoted(PLAN, "under $5")
    assert plan.digest == PLAN.digest
    again = Plan.model_validate_json(plan.model_dump_json())
    assert again.fields[0].quote == "under $5"
    assert "quote" not in PLAN.model_dump(mode="json")["fields"][0]
