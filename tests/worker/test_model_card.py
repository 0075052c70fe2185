import pytest
import yaml

import model_card
from podtune.core.job import WorkerOrder
from podtune.core.spec import AdapterSpec

FACTS = {
    "train_rows": 32, "trained_tokens": 900, "train_tokens": 2000, "adapter_parameters": 1000,
    "steps": 10, "epochs": 2.0, "first_loss": 3.0, "final_loss": 1.0,
    "first_validation_loss": 3.1, "final_validation_loss": 1.2,
}  # fmt: skip


@pytest.fixture
def plan(trained):
    return WorkerOrder.model_validate_json((trained / "order.json").read_text()).plan


def changed(plan, **adapter):
    spec = plan.spec.model_copy(update={"adapter": plan.spec.adapter.model_copy(update=adapter)})
    return plan.model_copy(update={"spec": spec})


def test_the_card_has_the_hubs_front_matter_and_no_row(plan):
    text = model_card.text(plan, FACTS)
    head = yaml.safe_load(text.split("---")[1])
    assert head["base_model"] == plan.base_model.name
    assert head["library_name"] == "peft"
    assert head["tags"] == ["sft", "lora", "podtune"]
    assert plan.report.sha256 in text
    assert "3.100 -> 1.200" in text
    assert "grinder" not in text


def test_the_card_says_when_nothing_was_held_out(plan):
    facts = {**FACTS, "final_validation_loss": None}
    assert "nothing was held out" in model_card.text(plan, facts)


def test_a_whole_model_is_loaded_without_peft(plan):
    text = model_card.text(changed(plan, kind="full"), FACTS)
    assert yaml.safe_load(text.split("---")[1])["library_name"] == "transformers"
    assert "PeftModel" not in text
    assert "every weight" in text


def test_a_template_without_system_role_is_told(plan):
    assert "no system role" in model_card.text(plan, {**FACTS, "system_folded": 3})


@pytest.mark.parametrize(
    ("adapter", "words"),
    [
        ({"kind": "lora", "bits": 16}, "LoRA, rank 16, alpha 32"),
        ({"kind": "lora", "bits": 8}, "LoRA (8-bit base), rank 16, alpha 32"),
        ({"kind": "qlora", "bits": 4}, "QLoRA (4-bit base), rank 16, alpha 32"),
        ({"kind": "dora", "bits": 32, "rank": 4, "alpha": 8.5}, "DoRA, rank 4, alpha 8.5"),
        ({"kind": "rslora", "bits": 32}, "rank-stabilised LoRA, rank 16, alpha 32"),
        ({"kind": "full", "bits": 32}, "every weight"),
    ],
)
def test_adapters_in_words(adapter, words):
    assert model_card.adapter_words(AdapterSpec(**adapter)) == words
