import pytest
import yaml
from PIL import Image

import artifact_writer
from podtune.core.job import WorkerOrder

FACTS = {
    "train_rows": 32, "trained_tokens": 900, "train_tokens": 2000, "adapter_parameters": 1000,
    "steps": 10, "epochs": 2.0, "first_loss": 3.0, "final_loss": 1.0,
    "first_validation_loss": 3.1, "final_validation_loss": 1.2,
}  # fmt: skip
HISTORY = [{"step": n, "loss": 3.0 - n / 10} for n in range(1, 11)] + [
    {"step": 0, "eval_loss": 3.1}, {"step": 10, "eval_loss": 1.2},
]  # fmt: skip


@pytest.fixture
def plan(trained):
    return WorkerOrder.model_validate_json((trained / "order.json").read_text()).plan


def test_the_card_has_the_hubs_front_matter_and_no_row(plan):
    text = artifact_writer.card(plan, FACTS)
    head = yaml.safe_load(text.split("---")[1])
    assert head["base_model"] == plan.base_model.name
    assert head["library_name"] == "peft"
    assert plan.report.sha256 in text
    assert "3.100 -> 1.200" in text
    assert "grinder" not in text


def test_the_card_says_when_nothing_was_held_out(plan):
    facts = {**FACTS, "final_validation_loss": None}
    assert "nothing was held out" in artifact_writer.card(plan, facts)


def test_the_curve_is_a_picture_with_both_lines(plan, tmp_path):
    artifact_writer.loss_curve(HISTORY, tmp_path / "loss.png", plan)
    with Image.open(tmp_path / "loss.png") as picture:
        colours = {c for _, c in picture.convert("RGB").getcolors(1_000_000) or []}
    assert (59, 110, 165) in colours
    assert (200, 85, 61) in colours
