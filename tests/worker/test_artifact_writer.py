import pytest
from PIL import Image

import artifact_writer
from podtune.core.job import WorkerOrder

HISTORY = [{"step": n, "loss": 3.0 - n / 10} for n in range(1, 11)] + [
    {"step": 0, "eval_loss": 3.1}, {"step": 10, "eval_loss": 1.2},
]  # fmt: skip


@pytest.fixture
def plan(trained):
    return WorkerOrder.model_validate_json((trained / "order.json").read_text()).plan


def test_the_curve_is_a_picture_with_both_lines(plan, tmp_path):
    artifact_writer.loss_curve(HISTORY, tmp_path / "loss.png", plan)
    with Image.open(tmp_path / "loss.png") as picture:
        colours = {c for _, c in picture.convert("RGB").getcolors(1_000_000) or []}
    assert (59, 110, 165) in colours
    assert (200, 85, 61) in colours
