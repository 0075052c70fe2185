import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from podtune.core.spec import (
    AUTO,
    AdapterSpec,
    BaseModelSpec,
    DataSpec,
    DeliverSpec,
    EffectiveBatch,
    EvaluateSpec,
    Place,
    TrainingOptions,
    TrainingSpec,
    WhereSpec,
    field_paths,
    flatten,
    nest,
)

DESIGN = """
base_model: {name: Qwen/Qwen3-8B, revision: null}
data: {source: tickets.csv, columns: {}, max_rows: null, validation: 0.05, validation_source: null, system_prompt: null, redact_pii: false}
method: sft
adapter: {kind: qlora, bits: 4, rank: 16, alpha: 32, dropout: 0.0, target_modules: all-linear}
training: {epochs: 3, max_steps: null, learning_rate: 2.0e-4, lr_scheduler: cosine, warmup_ratio: 0.03, weight_decay: 0.0, effective_batch: auto, micro_batch: auto, max_length: auto, packing: auto, precision: auto,
            logging_steps: 1, save_steps: auto, seed: 42, report_to: tensorboard}
where: {on: runpod, gpu: auto, gpu_any_of: [], gpu_avoid: [], min_vram_gib: null, count: 1, cloud: secure, region: null, image: auto, registry_auth: null, disk_gb: 20, volume_gb: 50, volume: null, max_usd: 5, max_hours: 4, deadline: null, keep_on_failure_min: 0}
deliver: {store: direct, to: ./out, name: null, callback_url: null, public: false, export: [], delete_after: false}
evaluate: {before_after: true, samples: 8}
"""
"""The spec as the design of the product writes it (section 5)."""

ADDED_SINCE = {
    "base_model.source", "data.on_bad_rows", "data.format", "data.sheet", "data.member",
    "data.speaker", "data.fix", "adapter.experts", "training.warmup_steps", "training.long_rows",
    "training.gradient_checkpointing", "training.sharding", "training.beta", "where.nodes",
    "where.endpoint",
}  # fmt: skip
"""Fields that the design does not have yet."""


def design():
    body = yaml.safe_load(DESIGN)
    body["where"]["on"] = body["where"].pop(True)  # YAML 1.1 takes the word `on` for yes
    return body


def design_fields():
    return {
        f"{section}.{key}" if key else section: value
        for section, part in design().items()
        for key, value in (part.items() if isinstance(part, dict) else [("", part)])
    }


def spec(**changes):
    return TrainingSpec.model_validate(
        {"base_model": "org/model", "data": {"source": "rows.jsonl"}, **changes}
    )


@pytest.mark.parametrize(("path", "value"), design_fields().items(), ids=str)
def test_the_design_s_spec_is_read_field_by_field(path, value):
    flat = flatten(TrainingSpec.model_validate(design()))
    assert flat[path] == value


def test_every_field_of_the_design_has_a_home():
    assert set(field_paths()) == set(design_fields()) | ADDED_SINCE


def test_field_paths_are_what_a_spec_flattens_to_in_the_order_of_the_file():
    assert tuple(flatten(spec())) == field_paths()


def test_a_bare_string_is_the_name_of_the_base_model():
    assert spec().base_model == BaseModelSpec(name="org/model")
    assert spec(base_model={"name": "org/model", "revision": "v1"}).base_model.revision == "v1"


@pytest.mark.parametrize("missing", ["base_model", "data"])
def test_base_model_and_data_have_no_default(missing):
    body = {"base_model": "org/model", "data": {"source": "rows.jsonl"}}
    del body[missing]
    with pytest.raises(ValidationError, match=missing):
        TrainingSpec.model_validate(body)


def test_what_nobody_says():
    flat = flatten(spec())
    assert flat["method"] == "sft"
    assert flat["where.on"] == "local"
    assert flat["deliver.public"] is False
    assert flat["adapter.alpha"] == 2 * flat["adapter.rank"]
    autos = {path for path, value in flat.items() if value == AUTO}
    assert {"training.epochs", "training.learning_rate", "training.save_steps"} <= autos


@pytest.mark.parametrize(
    "part",
    [
        BaseModelSpec,
        DataSpec,
        AdapterSpec,
        EffectiveBatch,
        TrainingOptions,
        WhereSpec,
        DeliverSpec,
        EvaluateSpec,
        TrainingSpec,
    ],
)
def test_an_unknown_key_is_refused_everywhere(part):
    with pytest.raises(ValidationError, match="learning_rat\n"):
        part.model_validate({"learning_rat": 1e-4})


def test_parts_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        spec().adapter.rank = 8


INF = float("inf")
REFUSED = [
    ("base_model", {"name": ""}),
    ("base_model", {"name": "x" * 501}),
    ("base_model", {"name": "x", "source": "elsewhere"}),
    ("data", {"source": ""}),
    ("data", {"source": "x", "max_rows": 0}),
    ("data", {"source": "x", "validation": -0.1}),
    ("data", {"source": "x", "validation": 0.5}),
    ("data", {"source": "x", "on_bad_rows": "guess"}),
    ("method", "rlhf"),
    ("adapter", {"kind": "prefix"}),
    ("adapter", {"bits": 5}),
    ("adapter", {"rank": 0}),
    ("adapter", {"rank": 1025}),
    ("adapter", {"rank": 1.5}),
    ("adapter", {"alpha": 0}),
    ("adapter", {"dropout": 1}),
    ("adapter", {"dropout": -0.1}),
    ("training", {"epochs": 0}),
    ("training", {"epochs": -1}),
    ("training", {"epochs": 1001}),
    ("training", {"epochs": INF}),
    ("training", {"epochs": float("nan")}),
    ("training", {"epochs": "many"}),
    ("training", {"max_steps": 0}),
    ("training", {"learning_rate": 0}),
    ("training", {"learning_rate": 1}),
    ("training", {"learning_rate": float("nan")}),
    ("training", {"lr_scheduler": "step"}),
    ("training", {"warmup_ratio": 1}),
    ("training", {"weight_decay": -0.1}),
    ("training", {"micro_batch": 0}),
    ("training", {"max_length": 0}),
    ("training", {"save_steps": 0}),
    ("training", {"logging_steps": 0}),
    ("training", {"packing": "maybe"}),
    ("training", {"precision": "fp8"}),
    ("training", {"seed": -1}),
    ("training", {"seed": 2**32}),
    ("where", {"on": "moon"}),
    ("where", {"count": 0}),
    ("where", {"max_usd": -1}),
    ("where", {"max_hours": 0}),
    ("where", {"min_vram_gib": 0}),
    ("where", {"keep_on_failure_min": -1}),
    ("deliver", {"store": "ftp"}),
    ("deliver", {"name": "-x"}),
    ("deliver", {"name": "a b"}),
    ("deliver", {"name": "x" * 97}),
    ("deliver", {"name": "a\n"}),
    ("evaluate", {"samples": -1}),
    ("evaluate", {"samples": 101}),
]


@pytest.mark.parametrize(("section", "value"), REFUSED, ids=str)
def test_a_value_out_of_range_is_refused(section, value):
    field = list(value)[-1] if isinstance(value, dict) else section
    with pytest.raises(ValidationError, match=field):
        spec(**{section: value})


@pytest.mark.parametrize(
    ("section", "field"),
    [("adapter", "alpha"), ("where", "max_usd"), ("where", "max_hours"), ("where", "min_vram_gib")],
)
def test_endless_is_no_number(section, field):
    with pytest.raises(ValidationError, match=field):
        spec(**{section: {field: INF}})


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("data", {"source": "x", "validation": 0}),
        ("data", {"source": "x", "validation": 0.499}),
        ("adapter", {"rank": 1024}),
        ("adapter", {"target_modules": ["q_proj", "v_proj"]}),
        ("training", {"epochs": 0.01}),
        ("training", {"epochs": 1000}),
        ("training", {"packing": False}),
        ("training", {"seed": 2**32 - 1}),
        ("where", {"max_usd": 0}),
        ("deliver", {"name": "Team/adapter_v1.2-b"}),
        ("evaluate", {"samples": 0}),
    ],
    ids=str,
)
def test_a_value_at_the_end_of_its_range_is_taken(section, value):
    path = f"{section}.{list(value)[-1]}"
    assert flatten(spec(**{section: value}))[path] == list(value.values())[-1]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("redact-pii", ("redact-pii",)),
        ("redact-pii, trailing-comma,", ("redact-pii", "trailing-comma")),
        (["a", "b"], ("a", "b")),
        ("", ()),
        ([], ()),
    ],
)
def test_repairs_are_a_list_or_names_between_commas(value, names):
    given = spec(data={"source": "x", "fix": value})
    assert given.data.fix == names
    assert flatten(given)["data.fix"] == list(names)


@pytest.mark.parametrize("value", [{}, {"examples": 8, "tokens": 512}, {"examples": None}])
def test_an_effective_batch_is_either_examples_or_tokens(value):
    with pytest.raises(ValidationError, match="either examples or tokens"):
        EffectiveBatch.model_validate(value)


@pytest.mark.parametrize("value", [{"examples": 0}, {"tokens": -5}])
def test_an_effective_batch_is_at_least_one(value):
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        EffectiveBatch.model_validate(value)


def test_an_effective_batch_in_a_spec():
    given = spec(training={"effective_batch": {"tokens": 512}})
    assert given.training.effective_batch == EffectiveBatch(tokens=512)
    assert spec(training={"effective_batch": "auto"}).training.effective_batch == AUTO


fractions = st.floats(0, 0.49, allow_nan=False)
counts = st.integers(1, 10**6)
texts = st.text(min_size=1, max_size=30)
flats = st.fixed_dictionaries(
    {"base_model.name": texts, "data.source": texts},
    optional={
        "base_model.revision": st.none() | texts,
        "data.columns": st.dictionaries(texts, texts, max_size=3),
        "data.max_rows": st.none() | counts,
        "data.validation": fractions,
        "data.system_prompt": st.none() | texts,
        "data.speaker": st.none() | texts,
        "data.sheet": st.none() | texts,
        "data.fix": st.lists(texts, max_size=3),
        "method": st.sampled_from(["sft", "dpo"]),
        "adapter.rank": st.integers(1, 1024),
        "adapter.alpha": st.floats(0.001, 1e6),
        "adapter.target_modules": st.just("all-linear") | st.lists(texts, min_size=1, max_size=3),
        "training.epochs": st.just(AUTO) | st.floats(0.01, 1000),
        "training.effective_batch": st.just(AUTO) | st.builds(lambda n: {"tokens": n}, counts),
        "training.packing": st.sampled_from([AUTO, True, False]),
        "training.save_steps": st.just(AUTO) | counts,
        "where.gpu_any_of": st.lists(texts, max_size=3),
        "where.max_hours": st.none() | st.floats(0.1, 100),
        "evaluate.samples": st.integers(0, 100),
    },
)


@given(flats)
def test_flatten_and_nest_are_each_other_s_inverse(flat):
    given_spec = TrainingSpec.model_validate(nest(flat))
    assert TrainingSpec.model_validate(nest(flatten(given_spec))) == given_spec


@given(flats)
def test_what_was_put_in_flat_comes_out_flat(flat):
    out = flatten(TrainingSpec.model_validate(nest(flat)))
    for path, value in flat.items():
        if path == "training.effective_batch" and value != AUTO:
            assert out[path] == {"examples": None, **value}
        else:
            assert out[path] == value


@given(flats)
def test_a_spec_survives_yaml_and_json(flat):
    given_spec = TrainingSpec.model_validate(nest(flat))
    body = given_spec.model_dump(mode="json")
    assert TrainingSpec.model_validate(yaml.safe_load(yaml.safe_dump(body))) == given_spec
    assert TrainingSpec.model_validate_json(given_spec.model_dump_json()) == given_spec


def test_nest_joins_a_bare_model_with_its_revision():
    nested = nest({"base_model": "org/model", "base_model.revision": "v1"})
    assert nested == {"base_model": {"name": "org/model", "revision": "v1"}}


@pytest.mark.parametrize(
    ("place", "rented"), [("local", False), ("runpod", True), ("runpod-serverless", True)]
)
def test_a_place_costs_money_or_not(place, rented):
    assert Place(place).is_rented is rented


def test_cards_are_named_one_by_one_or_with_commas():
    assert WhereSpec(gpu_avoid="L4, A40 ,").gpu_avoid == ("L4", "A40")
    assert WhereSpec(gpu_any_of=["L4"]).gpu_any_of == ("L4",)
