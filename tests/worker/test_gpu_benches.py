"""The GPU benchmarks run from end to end on a CPU, and their arithmetic is right."""

import importlib
import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(300)  # each runs a benchmark with processes of its own

SHRUNKEN = ["--device", "cpu", "--hidden", "64", "--vocab", "256"]


@pytest.fixture(scope="module")
def gpu(root):
    return root / "bench" / "gpu"


@pytest.fixture
def module(gpu, monkeypatch):
    """Imports a module of the benchmarks' folder, and forgets it."""
    monkeypatch.syspath_prepend(gpu)

    def load(name):
        monkeypatch.delitem(sys.modules, name, raising=False)
        found = importlib.import_module(name)
        monkeypatch.delitem(sys.modules, name)
        return found

    yield load
    for name in ("card", "shapes"):
        sys.modules.pop(name, None)


def run(script, *arguments):
    """What a benchmark wrote."""
    done = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(arguments[-1].read_text())


def test_three_trainers_on_the_same_chats(gpu, tmp_path):
    said = run(
        gpu / "training.py", *SHRUNKEN, "--layers", "1", "--chats", "40", "--row", "256",
        "--ways", "podtune lora", "trl lora", "unsloth lora", "--output", tmp_path / "x.json",
    )  # fmt: skip
    figures = said["figures"]
    ours, theirs = figures["podtune lora"], figures["trl lora"]
    assert ours["steps"] == theirs["steps"] > 4
    assert ours["loss"][0] == pytest.approx(theirs["loss"][0], abs=0.02)
    assert ours["tokens_per_s"] > 0
    assert ours["peak_memory"]["taken"] > 100e6
    assert 0 < ours["of_reachable"] < 1
    assert ours["times_trl"] == pytest.approx(
        ours["tokens_per_s"] / theirs["tokens_per_s"], abs=0.01
    )
    assert figures["unsloth lora"] == {"left_out": "unsloth is not installed"}
    assert said["device"]["device"] == "cpu"


def test_the_large_mixture_is_built_and_trained_layer_by_layer(gpu, tmp_path):
    said = run(
        gpu / "qwen3_next_80b.py", "--device", "cpu", "--layers", "4", "--experts", "8",
        "--vocab", "1024", "--tokens", "64", "--steps", "2", "--output", tmp_path / "x.json",
    )  # fmt: skip
    figures = said["figures"]
    assert (figures["layers"], figures["experts"], figures["steps"]) == (4, 8, 2)
    assert figures["last_loss"] < figures["first_loss"]
    assert figures["trainable_parameters"] == 1_327_104
    assert 0 < figures["weights_gib"] < figures["peak_memory_gib"]
    assert figures["documents_per_row"] == 1  # without kernels for linear attention
    assert figures["goal_gib"] == 50


def test_memory_is_compared_with_the_plan(gpu, tmp_path):
    said = run(gpu / "memory.py", "--device", "cpu", "--output", tmp_path / "x.json")
    assert said["figures"]["failed"] == {}
    whole, quantised = said["figures"]["cases"]
    assert ("32 bits" in whole["case"], "4 bits" in quantised["case"]) == (True, True)
    for row in (whole, quantised):
        assert 0 < row["parts"] < row["planned_mib"] * 2**20
        assert 0.2 < row["measured_over_planned"] < 1.5


def test_what_cannot_run_is_said(gpu, tmp_path):
    said = run(
        gpu / "training.py", *SHRUNKEN, "--layers", "1", "--chats", "2", "--row", "256",
        "--ways", "podtune lora", "--folder", tmp_path / "nowhere", "--output", tmp_path / "x.json",
    )  # fmt: skip
    assert set(said["figures"]["podtune lora"]) == {"failed"}


@pytest.mark.parametrize(
    ("name", "billions"), [("qwen3-8b", 8.191), ("llama-3.1-8b", 8.030)]
)  # fmt: skip
def test_the_shapes_are_the_published_ones(module, name, billions):
    shapes = module("shapes")
    facts = shapes.facts(shapes.shape(name))
    assert facts.total_parameters / 1e9 == pytest.approx(billions, abs=0.001)


def test_a_smaller_shape_keeps_its_proportions(module):
    shapes = module("shapes")
    small = shapes.shape("qwen3-8b", layers=2, hidden=1024)
    assert small["intermediate_size"] == 3 * small["hidden_size"]
    assert small["num_attention_heads"] * small["head_dim"] == small["hidden_size"]
    assert small["num_attention_heads"] == 4 * small["num_key_value_heads"]


def test_chats_are_the_same_every_time_and_half_of_each_is_trained(module):
    shapes = module("shapes")
    chats = shapes.chats(300, vocab=100, longest=512)
    assert chats == shapes.chats(300, vocab=100, longest=512)
    lengths = sorted(len(c.input_ids) for c in chats)
    assert lengths[-1] <= 512
    assert 130 < lengths[150] < 190
    for chat in chats:
        assert (
            chat.labels
            == [-100] * (len(chat.labels) // 2) + chat.input_ids[len(chat.labels) // 2 :]
        )


def test_operations_are_counted_as_torch_counts_them(module):
    """Against torch's own counter, on a frozen model with LoRA of rank 1 and one document."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoConfig, AutoModelForCausalLM

    shapes = module("shapes")
    sizes = shapes.shape("qwen3-8b", layers=2, hidden=256, vocab=512)
    options = {k: v for k, v in sizes.items() if k != "model_type"}
    config = AutoConfig.for_model("qwen3", **options)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    model.requires_grad_(False)
    model.enable_input_require_grads()
    adapted = get_peft_model(model, LoraConfig(r=1, target_modules=shapes.TARGETS))
    ids = torch.randint(2, 512, (1, 64))
    with FlopCounterMode(display=False) as counter:
        adapted(input_ids=ids, labels=ids).loss.backward()
    counted = counter.get_total_flops() / 64
    # torch counts attention over the whole square, and the adapters
    square = shapes.flops_per_token(sizes, [128], 128)
    assert counted == pytest.approx(square, rel=0.04)


def test_the_fit_finds_the_constants_that_made_its_figures(module):
    memory = module("memory")
    parts = (1e9, 5e9, 2e10)
    rows = [
        {"parts": p, "measured": {"taken": 1.25 * p, "context": c}}
        for p, c in zip(parts, (4e8, 5e8, 6e8), strict=True)
    ]
    fitted = memory.fit(rows)
    assert fitted["ALLOCATOR"] == fitted["smallest"] == fitted["largest"] == 1.25
    assert fitted["LIBRARIES_BYTES"] == 5e8


def test_a_ratio_needs_both_and_a_share_needs_a_promise(module):
    training = module("training")
    figures = {
        "podtune lora": {"tokens_per_s": 300.0},
        "trl lora": {"tokens_per_s": 200.0},
        "podtune qlora": {"tokens_per_s": 100.0},
        "trl qlora": {"failed": "out of memory"},
    }
    training.shares(figures, 1e6, {"mfu": None, "of_reachable": 1e9})
    assert figures["podtune lora"]["times_trl"] == 1.5
    assert figures["podtune lora"]["of_reachable"] == 0.3
    assert "mfu" not in figures["podtune lora"]
    assert "times_trl" not in figures["podtune qlora"]
    assert figures["trl qlora"] == {"failed": "out of memory"}
