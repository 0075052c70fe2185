"""Two processes must train exactly as one does on the same rows."""

import pytest
import torch

from process_group import Member
from support import rank_programs, ranks

RUNS = {
    "even": {"rows": 8, "accumulation": 2},
    "uneven": {"rows": 7, "accumulation": 2},
    "odd": {"rows": 5, "accumulation": 1, "micro_batch": 2},
    "dpo": {"method": "dpo", "rows": 5, "accumulation": 1},
    "orpo": {"method": "orpo", "rows": 5, "accumulation": 1},
    "kto": {"method": "kto", "rows": 5, "accumulation": 1},
    "apart": {"rows": 5, "accumulation": 1, "apart": True},
    "half": {"rows": 5, "accumulation": 1, "model": {"dtype": "float16"}},
    "full": {"rows": 5, "accumulation": 1, "model": {"full": True}},
    "spread": {"rows": 7, "accumulation": 2, "spread": True},
    "spread_untied": {"rows": 5, "spread": True, "model": {"tied": False, "checkpointing": True}},
    "spread_kto": {"method": "kto", "rows": 5, "spread": True},
}

RESUMED = {
    kind: {"rows": 7, "accumulation": 2, "spread": kind == "spread", "model": {"dropout": 0.1}}
    for kind in ("copied", "spread")
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    return folder, ranks.run("trainings", folder, runs=RUNS)


@pytest.fixture(scope="module")
def resumed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resumed")
    runs = {}
    for kind, options in RESUMED.items():
        runs[f"{kind} whole"] = options
        checkpoint = f"{kind} whole/checkpoints/checkpoint-3"
        runs[f"{kind} resumed"] = {**options, "resume": checkpoint}
    return folder, ranks.run("trainings", folder, runs=runs)


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_train_as_one_does(name, pairs, tmp_path):
    folder, two = pairs
    options = {**RUNS[name], "spread": False}
    options["accumulation"] = 2 * options.get("accumulation", 1)
    one = rank_programs.train(Member(), tmp_path, **options)
    for both in two:
        assert both[name]["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert both[name]["norm"] == pytest.approx(one["norm"], rel=1e-4)
        assert both[name]["held_out"] == pytest.approx(one["held_out"], rel=1e-5)
        assert both[name]["tokens"] == one["tokens"]
    alone = torch.load(tmp_path / "adapter-0.pt")
    for rank in (0, 1):
        together = torch.load(folder / name / f"adapter-{rank}.pt")
        assert together.keys() == alone.keys()
        for weight, value in alone.items():
            assert torch.allclose(together[weight], value, atol=1e-5), (rank, weight)


@pytest.mark.parametrize("kind", RESUMED)
def test_resuming_is_bit_equal(kind, resumed):
    """With dropout: every process goes on with its own random numbers."""
    folder, two = resumed
    for rank, both in enumerate(two):
        whole, again = both[f"{kind} whole"], both[f"{kind} resumed"]
        assert len(whole["loss"]) == 4
        assert again["loss"] == whole["loss"]  # the first three come from the checkpoint
        assert again["held_out"] == whole["held_out"]
        expected = torch.load(folder / f"{kind} whole" / f"adapter-{rank}.pt")
        found = torch.load(folder / f"{kind} resumed" / f"adapter-{rank}.pt")
        assert all(torch.equal(found[name], weight) for name, weight in expected.items())
