"""Epochs, batches, methods: as they were said, and contradictions asked."""

import pytest

from podtune.core.errors import SpecError
from support.understanding import asked, heard


def stated(words, **answers):
    return heard(f"train smollm2 135m on a.csv, {words}", **answers).stated


@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        ("3 epochs", "training.epochs", 3),
        ("20 steps", "training.max_steps", 20),
        ("lr 2e-4", "training.learning_rate", 2e-4),
        ("rank 16", "adapter.rank", 16),
        ("dropout 0.1", "adapter.dropout", 0.1),
        ("QLoRA", "adapter.kind", "qlora"),
        ("8-bit", "adapter.bits", 8),
        ("bf16", "training.precision", "bf16"),
        ("dpo", "method", "dpo"),
        ("max length 2048", "training.max_length", 2048),
        ("cosine schedule", "training.lr_scheduler", "cosine"),
        ("seed 7", "training.seed", 7),
        ("just the first 100 rows", "data.max_rows", 100),
        ("hold out 10% for validation", "data.validation", 0.1),
        ("batch size 4", "training.effective_batch", {"examples": 4}),
        ("bs 2, grad accum 8", "training.effective_batch", {"examples": 16}),
        ("batch size 4 on two H100s", "training.effective_batch", {"examples": 8}),
        ("effective batch size 32", "training.effective_batch", {"examples": 32}),
        ("without evaluation", "data.validation", 0.0),
    ],
)
def test_a_field_goes_where_it_belongs(words, path, value):
    assert stated(words)[path] == value


def test_a_batch_that_is_multiplied_is_told():
    found = heard("train smollm2 135m on a.csv, bs 2, grad accum 8")
    assert "a batch of 2, accumulated 8 times is 16 examples in one step" in found.told


def test_evaluation_without_a_share_takes_the_usual_one():
    found = heard("train smollm2 135m on a.csv and run an eval")
    assert found.assumed["data.validation"][0] == 0.05


def test_two_limits_on_the_length_are_asked():
    words = "500 steps and 3 epochs"
    question = asked(heard(f"train smollm2 135m on a.csv for {words}"), "epochs")
    assert question.must
    assert "training.epochs" not in stated(words)
    both = stated(words, epochs="both")
    assert (both["training.epochs"], both["training.max_steps"]) == (3, 500)
    assert "training.max_steps" not in stated(words, epochs="2")
    with pytest.raises(SpecError, match="no answer"):
        stated(words, epochs="7")


def test_two_values_are_asked():
    text = "learning rate 1e-4, learning rate 3e-4"
    question = asked(heard(f"train smollm2 135m on a.csv, {text}"), "learning_rate")
    assert question.must
    assert stated(text, learning_rate="3e-4")["training.learning_rate"] == 3e-4


def test_a_method_that_is_not_built_is_asked():
    found = heard("train smollm2 135m on a.csv with grpo")
    assert asked(found, "method").must
    assert "method" not in found.stated
    assert stated("with grpo", method="dpo")["method"] == "dpo"
