"""What is named is what is there: packages by their version, and what a real model runs on."""

import importlib.metadata
import sys

import pytest

import fast_kernels
from support import tiny_mixtures


def package(folder, name, *, distribution=None, version="1.2.3"):
    """An installed package that breaks when it is imported."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("raise RuntimeError('imported')")
    info = folder / f"{(distribution or name).replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution or name}\nVersion: {version}\n"
    )
    (info / "top_level.txt").write_text(f"{name}\n")
    (info / "RECORD").write_text(f"{name}/__init__.py,,\n")


def test_what_is_installed_is_named_with_its_version_and_not_imported(tmp_path, monkeypatch):
    package(tmp_path, "fla", distribution="flash-linear-attention")
    package(tmp_path, "causal_conv1d", distribution="causal-conv1d", version="1.5.2")
    monkeypatch.syspath_prepend(tmp_path)
    found = fast_kernels.detect()
    assert found["fla"] == "1.2.3"
    assert found["causal_conv1d"] == "1.5.2"
    assert "fla" not in sys.modules


def test_what_is_not_installed_is_not_named_and_no_module_of_ours_is_taken_for_it():
    found = fast_kernels.detect()
    assert not {"mamba_ssm", "kernels"} & set(found)
    assert found["bitsandbytes"] == importlib.metadata.version("bitsandbytes")


def test_a_package_without_metadata_is_still_named(tmp_path, monkeypatch):
    (tmp_path / "mamba_ssm").mkdir()
    (tmp_path / "mamba_ssm" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    assert fast_kernels.detect()["mamba_ssm"] == "unknown"


@pytest.fixture
def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    sizes = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    return LlamaForCausalLM(LlamaConfig(vocab_size=64, **sizes, **heads))


def test_a_dense_model(llama):
    assert fast_kernels.in_use(llama) == {"attention": "sdpa", "weights": "8 Linear"}


def test_notes_of_those_who_know_better_win(llama):
    said = fast_kernels.in_use(llama, attention="flash varlen", head="in pieces of 512 tokens")
    assert said["attention"] == "flash varlen"
    assert said["head"] == "in pieces of 512 tokens"


def test_an_adapter_and_quantised_layers_are_seen_through(llama):
    import bitsandbytes
    from peft import LoraConfig, get_peft_model

    layer = llama.model.layers[0]
    layer.mlp.up_proj = bitsandbytes.nn.Linear4bit(64, 64, bias=False)
    adapted = get_peft_model(llama, LoraConfig(r=2, target_modules=["q_proj"]))
    said = fast_kernels.in_use(adapted)
    assert said["attention"] == "sdpa"
    assert "1 Linear4bit" in said["weights"]


def test_a_hybrid_mixture():
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_config(tiny_mixtures.config("qwen3_next"))
    said = fast_kernels.in_use(model)
    assert said["linear_attention"] == "transformers' own, in plain torch"
    assert said["experts"] == model.config._experts_implementation


def test_kernels_of_the_hub_are_named(llama, monkeypatch):
    monkeypatch.setattr(llama, "_use_kernels", True, raising=False)
    assert "hub_kernels" in fast_kernels.in_use(llama)
