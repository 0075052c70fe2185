"""The application's request: read whole or refused whole, and the way to the spec and back."""

import json
import traceback

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podtune.core.errors import SpecError
from podtune.core.spec import Place, TrainingSpec, nest
from podtune.core.submission import (
    DENSE_TARGETS,
    FAULTS_SHOWN,
    GpuConfig,
    Hyperparameters,
    Submission,
    beyond,
    parse,
    request_of,
    submission_of,
    warnings_of,
)
from podtune.intake.resolve import resolve
from podtune.planning import gpu_choice
from support import build

DOCUMENTED = {
    "job_id": "0b0ff0b8-6c67-4d9f-9a3e-5b9f4f3f6a11",
    "dataset_url": "https://project.example/storage/dataset.jsonl?token=planted-query",
    "hyperparameters": {
        "base_model": "Qwen/Qwen3-Next-80B-A3B-Instruct",
        "learning_rate": 0.0002,
        "batch_size": 8,
        "num_epochs": 5,
        "lora_rank": 16,
        "lora_alpha": 32,
        "lora_dropout": 0.1,
    },
    "gpu_config": {
        "gpu_type": "H100",
        "num_gpus": 1,
        "gpu_memory_gb": 80,
        "cost_per_gpu_hour": 3.35,
    },
    "callback_url": "https://project.example/functions/v1/training-callback?hush=planted-query",
}
"""The request as specification B prints it; its hosts stand under a reserved name."""

LEAST = {
    "job_id": "test-123",
    "dataset_url": "https://x.example/test.json",
    "hyperparameters": {"base_model": "Qwen/Qwen3-8B"},
}


def changed(path, value, base=DOCUMENTED):
    body = json.loads(json.dumps(base))
    *sections, name = path.split(".")
    inner = body
    for section in sections:
        inner = inner[section]
    inner[name] = value
    return body


def fault(body, **options):
    with pytest.raises(SpecError) as caught:
        parse(body, **options)
    assert caught.value.code == "bad_request_body"
    assert caught.value.hint
    return caught.value


def tried(body):
    """What `parse` gives, or raises as a SpecError; anything else fails the test."""
    try:
        return parse(body)
    except SpecError as error:
        return error


def test_the_documented_request_is_read_whole():
    found = parse(DOCUMENTED)
    assert found.to_wire() == DOCUMENTED
    assert found.hyperparameters.num_epochs == 5
    assert found.gpu_config.cost_per_gpu_hour == 3.35


def test_only_three_fields_are_needed():
    found = parse(LEAST)
    assert found.to_wire() == LEAST
    assert found.gpu_config == GpuConfig()
    assert parse({**LEAST, "gpu_config": None, "callback_url": None}) == found
    assert parse(changed("hyperparameters.lora_rank", None, LEAST)) == found


def test_null_is_the_same_as_leaving_away():
    hyperparameters = {**dict.fromkeys(Hyperparameters.model_fields), "base_model": "Qwen/Qwen3-8B"}
    body = {**dict.fromkeys(Submission.model_fields), **LEAST, "hyperparameters": hyperparameters}
    assert parse({**body, "gpu_config": dict.fromkeys(GpuConfig.model_fields)}) == parse(LEAST)


def test_our_additions():
    body = {
        **changed("hyperparameters.target_modules", list(DENSE_TARGETS)),
        "max_usd": 5,
        "max_hours": 2.5,
    }
    found = parse(body)
    assert (found.max_usd, found.max_hours) == (5, 2.5)
    assert found.hyperparameters.target_modules == DENSE_TARGETS
    assert found.to_wire() == body


def test_further_names_are_the_callers():
    assert parse({**LEAST, "upload": {"archive": {}}}, extra={"upload"}) == parse(LEAST)
    assert "upload: unknown" in fault({**LEAST, "upload": {}}).message


def test_every_fault_is_named_at_once():
    body = {
        "dataset_url": "http://x.example/a?token=planted-query",
        "hyperparameters": {"learning_rate": "2e-4", "lerning_rate": 1, "batch_size": 0, "lora_alpha": True},
        "gpu_config": {"num_gpus": 1.5},
        "callback_url": 7,
        "num_epochs": 3,
    }  # fmt: skip
    told = fault(body)
    assert told.context["problems"] == [
        "job_id: is missing",
        "dataset_url: must begin with https://; plain http is for this machine only",
        "hyperparameters.base_model: is missing",
        "hyperparameters.learning_rate: must be a number, not the text 2e-4",
        "hyperparameters.batch_size: must be at least 1 (got 0)",
        "hyperparameters.lora_alpha: must be a number, not true or false",
        "hyperparameters.lerning_rate: unknown, did you mean learning_rate?",
        "gpu_config.num_gpus: must be a whole number (got 1.5)",
        "callback_url: must be text, not a number",
        "num_epochs: unknown here, it belongs into hyperparameters",
    ]
    assert told.message == "; ".join(told.context["problems"])


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("job_id", "", "1 to 128"),
        ("job_id", "../x", "1 to 128"),
        ("job_id", 7, "must be text"),
        ("hyperparameters", None, "hyperparameters: is missing"),
        ("hyperparameters", [], "must be a JSON object"),
        ("hyperparameters.base_model", "/etc/passwd", "org/name"),
        ("hyperparameters.learning_rate", 0, "over 0"),
        ("hyperparameters.learning_rate", 1, "under 1"),
        ("hyperparameters.learning_rate", float("nan"), "finite"),
        ("hyperparameters.num_epochs", float("inf"), "finite"),
        ("hyperparameters.num_epochs", 1001, "at most 1000"),
        ("hyperparameters.batch_size", "8", "must be a whole number, not the text 8"),
        ("hyperparameters.lora_rank", 1025, "at most 1024"),
        ("hyperparameters.lora_rank", 10**400, "whole number|at most"),
        ("hyperparameters.lora_dropout", 1, "under 1"),
        ("hyperparameters.target_modules", "q_proj", "list of layer names"),
        ("gpu_config.gpu_type", "", "empty"),
        ("gpu_config.num_gpus", True, "not true or false"),
        ("gpu_config.num_gpus", 0, "at least 1"),
        ("gpu_config.cost_per_gpu_hour", -1, "at least 0"),
        ("max_usd", -1, "at least 0"),
        ("max_hours", 0, "over 0"),
    ],
)
def test_what_is_refused(path, value, words):
    with pytest.raises(SpecError, match=words):
        parse(changed(path, value))


@pytest.mark.parametrize("body", [None, [], "x", 3, True, [DOCUMENTED]])
def test_only_an_object_is_a_request(body):
    assert "must be a JSON object" in fault(body).message


def test_names_that_are_no_text():
    assert "7: a name must be text" in fault({**LEAST, 7: 1}).message


def test_a_whole_number_may_be_written_with_a_point():
    assert parse(changed("hyperparameters.batch_size", 8.0)).hyperparameters.batch_size == 8


def test_many_faults_are_counted():
    told = fault({f"stray{n}": 1 for n in range(5000)})
    assert len(told.context["problems"]) == FAULTS_SHOWN
    assert told.message.endswith(f"and {5003 - FAULTS_SHOWN} more")
    assert len(told.message) < 4000


@pytest.mark.parametrize(
    "body",
    [
        changed("dataset_url", "https://user:planted-query@x.example/a"),
        changed("dataset_url", "https://x.example/a b?token=planted-query"),
        changed("dataset_url", ["https://x.example/a?token=planted-query"]),
        changed("dataset_url", 7),
        changed("job_id", "https://x.example/a?token=planted-query"),
        {**DOCUMENTED, "https://x.example/a?token=planted-query": 7},
        changed("hyperparameters.lora_rank", "https://x.example/a?token=planted-query"),
        changed("callback_url", "http://x.example/a?token=planted-query"),
    ],
)
def test_no_error_holds_the_query_of_an_address(body):
    with pytest.raises(SpecError) as caught:
        parse(body)
    assert "planted-query" not in "".join(traceback.format_exception(caught.value))
    assert "planted-query" not in json.dumps(caught.value.to_json())


def test_addresses_do_not_stand_in_a_repr():
    assert "planted-query" not in repr(parse(DOCUMENTED))


names = st.sampled_from(
    [*Submission.model_fields, *Hyperparameters.model_fields, *GpuConfig.model_fields]
)
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from(["Qwen/Qwen3-8B", "https://x.example/d", "2e-4", 8, 0.5])
)  # fmt: skip
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text() | names, inner, max_size=8)
    ),
    max_leaves=30,
)
near = st.fixed_dictionaries(
    {}, optional={
        **dict.fromkeys(Submission.model_fields, leaves),
        "hyperparameters": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(Hyperparameters.model_fields, leaves)
        ),
        "gpu_config": st.fixed_dictionaries({}, optional=dict.fromkeys(GpuConfig.model_fields, leaves)),
    },
)  # fmt: skip


@example({"\ud800": 1})
@example({**LEAST, "job_id": "\ud800"})
@given(anything | near)
def test_any_json_is_a_request_or_one_error(body):
    found = tried(body)
    if isinstance(found, Submission):
        assert parse(json.loads(json.dumps(found.to_wire()))) == found
        return
    assert found.code == "bad_request_body"
    assert len(found.message) < 10_000
    json.dumps(found.to_json()).encode()
    found.message.encode()


@given(st.text(min_size=4), st.sampled_from(["dataset_url", "callback_url", "job_id", "max_usd"]))
def test_whatever_stands_in_a_query_is_not_told(secret, name):
    planted = f"PLANTED{secret}PLANTED"
    found = tried({**LEAST, name: f"http://x.example/d?key={planted}"})
    assert isinstance(found, SpecError)
    assert "PLANTED" not in json.dumps(found.to_json())


def test_a_number_that_cannot_be_printed():
    body = {**LEAST, "hyperparameters": {"base_model": "a/b", "lora_rank": 10**5000}}
    assert fault(body).context["problems"] == [
        "hyperparameters.lora_rank: must be at most 1024 (got a huge number)"
    ]


def test_what_is_stated_in_the_specs_words():
    stated = request_of(parse(DOCUMENTED), source="data.jsonl").stated
    assert stated == {
        "base_model.name": "Qwen/Qwen3-Next-80B-A3B-Instruct",
        "data.source": "data.jsonl",
        "training.learning_rate": 0.0002,
        "training.epochs": 5,
        "training.effective_batch": {"examples": 8},
        "adapter.rank": 16,
        "adapter.alpha": 32,
        "adapter.dropout": 0.1,
        "where.count": 1,
        "deliver.callback_url": DOCUMENTED["callback_url"],
    }


def test_the_card_chooses_a_machine_only_where_one_is_rented():
    stated = request_of(parse(DOCUMENTED), source="d", rents=True).stated
    assert (stated["where.gpu"], stated["where.min_vram_gib"]) == ("H100", 80)


@pytest.mark.parametrize(
    ("asked", "card", "vram_gib"),
    [
        ("H100", "NVIDIA H100 80GB HBM3", 80),
        ("h100", "NVIDIA H100 PCIe", 80),
        ("A100", "NVIDIA A100-SXM4-80GB", 80),
        ("A100 80GB", "NVIDIA A100 80GB PCIe", 80),
        ("A100-80GB", "NVIDIA A100-SXM4-80GB", 80),
        ("NVIDIA_A100_80GB_PCIe", "NVIDIA A100 80GB PCIe", 80),
        ("L40S", "NVIDIA L40S", 48),
        ("RTX 4090", "NVIDIA GeForce RTX 4090", 24),
        ("RTX4090", "NVIDIA GeForce RTX 4090", 24),
    ],
)
def test_plain_names_of_cards_find_what_is_offered(asked, card, vram_gib):
    body = {**changed("gpu_config.gpu_type", asked), "max_usd": 5}
    named = request_of(parse(body), source="d", rents=True).stated["where.gpu"]
    assert gpu_choice.is_named(build.offer(card, vram_gib), named)


def test_a_batch_is_per_device():
    body = changed("gpu_config.num_gpus", 4)
    assert request_of(parse(body), source="d").stated["training.effective_batch"] == {
        "examples": 32
    }


def test_what_is_absent_takes_the_specs_defaults():
    spec = resolve(request_of(parse(LEAST), source="d.jsonl")).spec
    bare = TrainingSpec.model_validate(
        {"base_model": "Qwen/Qwen3-8B", "data": {"source": "d.jsonl"}}
    )
    assert spec == bare


@pytest.mark.parametrize(("rank", "alpha"), [(8, 16), (64, 128)])
def test_alpha_is_twice_the_rank_where_it_is_absent(rank, alpha):
    body = changed("hyperparameters.lora_rank", rank, LEAST)
    assert resolve(request_of(parse(body), source="d.jsonl")).spec.adapter.alpha == alpha


@pytest.mark.parametrize("rents", [False, True])
def test_the_documented_request_resolves(rents):
    request = request_of(parse({**DOCUMENTED, "max_usd": 5}), source="d.jsonl", rents=rents)
    more = {"where.on": "runpod"} if rents else {}
    spec = resolve(request.model_copy(update={"stated": {**request.stated, **more}})).spec
    assert spec.where.on is (Place.RUNPOD if rents else Place.LOCAL)
    assert spec.training.effective_batch.examples == 8


requests = st.builds(
    lambda hyperparameters, gpu, top: Submission(
        job_id="j", dataset_url="https://x.example/d",
        hyperparameters=Hyperparameters(base_model="a/b", **hyperparameters),
        gpu_config=GpuConfig(**gpu), **top,
    ),
    st.fixed_dictionaries({}, optional={
        "learning_rate": st.floats(1e-7, 0.9), "batch_size": st.integers(1, 512),
        "num_epochs": st.floats(0.1, 100), "lora_rank": st.integers(1, 1024),
        "lora_alpha": st.floats(0.5, 4096), "lora_dropout": st.floats(0, 0.9),
        "target_modules": st.just("all-linear") | st.just(("q_proj", "v_proj")),
    }),
    st.fixed_dictionaries({}, optional={
        "gpu_type": st.sampled_from(["H100", "A100 80GB", "RTX 4090"]),
        "num_gpus": st.integers(1, 8), "gpu_memory_gb": st.floats(1, 200),
    }),
    st.fixed_dictionaries({}, optional={"max_usd": st.floats(0, 100), "max_hours": st.floats(0.1, 100)}),
)  # fmt: skip


@given(requests)
def test_there_and_back_states_the_same_figures(submission):
    stated = request_of(submission, source="d.jsonl", rents=True).stated
    more = {"where.on": "runpod", "where.max_usd": stated.get("where.max_usd", 5)}
    spec = resolve(
        request_of(submission, source="d.jsonl", rents=True).model_copy(
            update={"stated": {**stated, **more}}
        )
    ).spec
    back = submission_of(spec, job_id="other", dataset_url="https://y.example/e")
    again = request_of(back, source="d.jsonl", rents=True).stated
    assert {path: again[path] for path in stated} == stated
    assert (
        TrainingSpec.model_validate(nest({**again, "where.on": "runpod"})).adapter == spec.adapter
    )
    assert beyond(spec) == ()


def spec_of(**stated):
    base = {"base_model.name": "a/b", "data.source": "d.jsonl"}
    return TrainingSpec.model_validate(
        nest({**base, **{k.replace("__", "."): v for k, v in stated.items()}})
    )


def test_what_a_request_has_no_word_for_is_told():
    spec = spec_of(
        training__seed=7, method="dpo", training__effective_batch={"tokens": 5},
        training__learning_rate=1e-3, where__on="runpod", evaluate__samples=0,
        base_model__revision="main", data__validation=0.2, data__system_prompt="be kind",
    )  # fmt: skip
    assert set(beyond(spec)) == {
        "training.seed", "method", "training.effective_batch", "evaluate.samples",
        "base_model.revision", "data.validation",
    }  # fmt: skip


def test_a_batch_that_cannot_be_dealt_to_the_devices_is_refused():
    spec = spec_of(training__effective_batch={"examples": 5}, where__count=2)
    with pytest.raises(SpecError, match="5 examples") as caught:
        submission_of(spec, job_id="j", dataset_url="https://x.example/d")
    assert caught.value.code == "bad_request_body"


def test_a_folder_is_no_model_that_a_request_can_name():
    with pytest.raises(SpecError, match="org/name"):
        submission_of(
            spec_of(**{"base_model.name": "/home/models/x"}),
            job_id="j",
            dataset_url="https://x.example/d",
        )


def test_what_is_only_noted_is_told():
    told = warnings_of(parse(changed("gpu_config.num_gpus", 2)))
    assert [line.split(":")[0] for line in told] == [
        "gpu_config.cost_per_gpu_hour",
        "gpu_config.gpu_memory_gb",
        "hyperparameters.batch_size",
    ]
    assert "16 in one step" in told[2]
    assert warnings_of(parse(LEAST)) == ()
