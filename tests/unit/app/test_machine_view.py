"""Pictures of machines: replaced whole, read by anybody, and a hint from the card's load."""

import pytest

from podtune.app import machine_view
from podtune.app.machine_view import MachineView
from podtune.core.handover import GpuUse
from support import build


def view(memory=None, util=None):
    card = GpuUse(util=util, memory_used_bytes=memory, memory_total_bytes=100)
    return MachineView(attempt=1, step="training", at=build.NOW, gpus=(card,))


def test_a_picture_comes_back_as_it_was(tmp_path):
    assert machine_view.read(tmp_path) is None
    machine_view.write(tmp_path, view(40, 93.5))
    assert machine_view.read(tmp_path) == view(40, 93.5)
    (tmp_path / machine_view.FILE).write_text("{half a")
    assert machine_view.read(tmp_path) is None


@pytest.mark.parametrize(
    ("memory", "util", "words"),
    [
        (0, 0, "initializing / installing deps"),
        (60, 5, "loading model"),
        (60, 60, "training in progress"),
        (5, 5, "training complete or failed"),
        (30, 30, None),
        (60, 30, None),
        (None, None, None),
    ],
)
def test_the_four_words_of_the_specification(memory, util, words):
    assert machine_view.hint(view(memory, util)) == words


def test_without_a_card_there_is_no_hint():
    assert machine_view.hint(MachineView(attempt=1, step="training", at=build.NOW)) is None
