import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import PodtuneError, SpecError, UnsupportedError
from podtune.core.spec import Method, field_paths
from podtune.gateway.openai import form

LEAST = {"model": "acme/tiny", "training_file": "file-1"}


def stated(body):
    return form.parse(body).stated(base="acme/tiny", source="/f", held=None, backend="local")


def test_the_least_says_nothing_more():
    assert stated(LEAST) == {
        "base_model.name": "acme/tiny", "data.source": "/f", "method": "sft", "where.on": "local",
    }  # fmt: skip


def test_auto_and_null_are_nothing():
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": "auto"}}}
    assert stated({**LEAST, "method": method, "suffix": None, "seed": None}) == stated(LEAST)


def test_hyperparameters_of_both_places():
    old = stated({**LEAST, "hyperparameters": {"n_epochs": 3, "batch_size": 8}, "seed": 0})
    assert old["training.epochs"] == 3
    assert old["training.effective_batch"] == {"examples": 8}
    assert old["training.seed"] == 0
    dpo = {"type": "dpo", "dpo": {"hyperparameters": {"beta": 0.2, "n_epochs": 2.0}}}
    new = form.parse({**LEAST, "method": dpo})
    assert new.learns is Method.DPO
    assert stated({**LEAST, "method": dpo})["training.beta"] == 0.2


def test_our_own_words_have_their_place_in_the_spec():
    said = {
        "max_usd": 3,
        "on": "runpod",
        "gpu": "A40",
        "lora_rank": 8,
        "callback_url": "https://x.y",
    }
    found = stated({**LEAST, "podtune": said})
    assert found["where.max_usd"] == 3
    assert (found["where.on"], found["where.gpu"], found["adapter.rank"]) == ("runpod", "A40", 8)
    assert set(form.PATHS.values()) <= set(field_paths())
    assert set(form.PATHS) | {"base_model"} == set(form.Extra.model_fields)


def test_every_fault_at_once_with_the_first_as_param():
    body = {
        "model": "a", "hyperparameters": {"n_epochs": 0, "epochs": 3},
        "podtune": {"max_usdd": 3}, "training_file": "f",
    }  # fmt: skip
    with pytest.raises(SpecError) as caught:
        form.parse(body)
    assert caught.value.context["problems"] == [
        "hyperparameters.n_epochs: must be 'auto' or a whole number from 1 to 50 (got 0)",
        "hyperparameters.epochs: unknown, did you mean n_epochs?",
        "podtune.max_usdd: unknown, did you mean max_usd?",
    ]
    assert caught.value.context["param"] == "hyperparameters.n_epochs"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}, "integrations"),
        ({"method": {"type": "reinforcement"}}, "method.type"),
    ],
)
def test_what_is_not_built_is_refused_by_name(more, param):
    with pytest.raises(UnsupportedError) as caught:
        form.parse({**LEAST, **more})
    assert caught.value.context["param"] == param


@pytest.mark.parametrize(
    "more",
    [
        {"method": {"type": "magic"}},
        {"method": {"type": ["dpo"]}},
        {"method": {"type": "dpo", "dpo": []}},
        {"method": {"type": "dpo", "supervised": {}}},
        {"method": {"supervised": {"hyperparameters": "auto"}}},
        {"metadata": {"": "x"}},
        {"metadata": {"k": "x" * 513}},
        {"metadata": {str(n): "x" for n in range(17)}},
        {"learns": "sft"},
        {"suffix": "x" * 65},
        {"seed": -1},
        {"seed": True},
        {"hyperparameters": {"batch_size": 257}},
        {"hyperparameters": {"learning_rate_multiplier": 0}},
        {"hyperparameters": {"n_epochs": True}},
        {"podtune": []},
    ],
)
def test_bad_bodies(more):
    with pytest.raises(SpecError) as caught:
        form.parse({**LEAST, **more})
    assert caught.value.code == "bad_request_body"


def test_a_callback_s_address_is_shown_to_nobody():
    with pytest.raises(SpecError) as caught:
        form.parse({**LEAST, "podtune": {"callback_url": "https://x.y?planted=" + "a" * 3000}})
    assert "planted" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(form.Create.model_fields, JSON)))
def test_whatever_comes_is_understood_or_refused(body):
    with contextlib.suppress(PodtuneError):
        form.parse(body)
