import torch

import machine_facts


def test_peak_memory_is_bytes_of_this_process():
    held = torch.ones(64 * 2**20, dtype=torch.uint8)
    assert machine_facts.peak_memory("cpu") > held.numel()


def test_versions_name_the_libraries_that_decide_a_result():
    found = machine_facts.versions()
    assert found["torch"] == torch.__version__
    assert {"podtune", "python", "transformers", "peft", "tokenizers"} <= found.keys()
