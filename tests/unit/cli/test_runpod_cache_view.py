"""What `podtune runpod cache` shows."""

from decimal import Decimal

import pytest

from podtune.app.cache_volume import VolumePlan
from podtune.app.model_cache import CachePlan, CacheResult, MachinePlan
from podtune.cli import runpod_cache_view as view
from podtune.cli.console import Output
from podtune.core.cache_filling import FillProgress

VOLUME = VolumePlan(
    id=None, name="qwen-model-cache", data_center="US-TX-3", size_gb=220, present_gb=None,
    action="make", usd_per_month=Decimal("15.40"), why_here="A100: stock for workers is high",
)  # fmt: skip
MACHINE = MachinePlan(id="cpu5c", name="4 cores", has_gpu=False, usd_per_hour=Decimal("0.14"))
PLAN = CachePlan(
    model="Qwen/Q", commit="c" * 40, files=50, weight_files=41, total_bytes=159_000_000_000,
    is_restricted=False, folder="/runpod-volume/models/Q", volume=VOLUME, is_filled=False,
    machines=(MACHINE, MACHINE), minutes_p50=14, minutes_p90=57, machine_usd_p50=Decimal("0.04"),
    machine_usd_most=Decimal("0.84"), hours_most=6.0, notices=("[bold]odd[/] words",),
)  # fmt: skip


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")


def test_a_plan_says_what_it_costs(capsys):
    view.show_plan(PLAN, Output.HUMAN)
    said = capsys.readouterr()
    assert "159.0 GB in 50 files, 41 of weights" in said.out
    assert "made, 220 GB, $15.40 a month until it is deleted" in said.out
    assert "4 cores, no card, $0.140/h, or one of 1 others" in said.out
    assert "never over $0.84 (6.0 h)" in said.out
    assert "[bold]odd[/] words" in said.err  # foreign words are no markup
    words = view.words(PLAN)
    assert words.startswith("make volume qwen-model-cache (220 GB, $15.40 a month) and rent")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"action": "keep", "id": "v1", "present_gb": 220}, "there (v1), 220 GB"),
        ({"action": "grow", "id": "v1", "present_gb": 100}, "grown from 100 to 220 GB"),
    ],
)
def test_a_volume_that_is_there(capsys, changes, words):
    volume = VOLUME.model_copy(update=changes)
    view.render_plan(PLAN.model_copy(update={"volume": volume, "is_filled": True, "machines": ()}))
    said = capsys.readouterr()
    assert words in said.out
    assert "nothing is rented" in said.err


def test_progress_is_told_in_twentieths(capsys):
    meter = view.Meter()
    for done in (0, 1, 10, 11, 100):
        meter.tell(FillProgress(done_bytes=done, total_bytes=100, done_files=1))
    meter.tell(FillProgress())
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["0%", "10%", "100%"]


def test_the_result_names_the_folder(capsys):
    result = CacheResult(
        model="Qwen/Q", commit="c" * 40, volume_id="v1", volume_name="q", data_center="US-TX-3",
        size_gb=220, folder="/runpod-volume/models/Q", total_bytes=1, fetched_bytes=1,
        machine="4 cores", machine_usd=Decimal("0.0400"), seconds=840, proof="absent",
    )  # fmt: skip
    view.render_result(result)
    view.say("a step")
    said = capsys.readouterr()
    assert "volume v1 (q) in US-TX-3: /runpod-volume/models/Q" in said.out
    assert "$0.0400 by our meter; the machine is gone" in said.err
    assert "a step" in said.err
