import torch

import trained_model
from podtune.core.artifact import ADAPTER_CONFIG, ADAPTER_WEIGHTS, MODEL_CONFIG, MODEL_WEIGHTS
from podtune.core.job import WorkerOrder

IDS = torch.tensor([[5, 9, 12, 40]])


def spec_of(trained):
    order = WorkerOrder.model_validate_json((trained / "order.json").read_text())
    return order.plan.spec


def logits(model):
    with torch.no_grad():
        return model(input_ids=IDS, use_cache=False).logits


def test_an_adapter_can_be_switched_off(trained, tiny):
    spec = spec_of(trained)
    base = trained_model.load_base(spec, tiny, "cpu")
    plain = logits(base)
    adapted = trained_model.apply(base, trained / "artifact", spec, "cpu")
    assert not torch.allclose(logits(adapted), plain, atol=1e-2)
    with adapted.disable_adapter():
        assert torch.equal(logits(adapted), plain)
    assert not adapted.training


def test_a_whole_model_leaves_the_base_alone(trained, tiny, tmp_path):
    spec = spec_of(trained)
    base = trained_model.load_base(spec, tiny, "cpu")
    plain = logits(base)
    other = trained_model.load_base(spec, tiny, "cpu")
    with torch.no_grad():
        other.model.norm.weight.mul_(2.0)
    other.save_pretrained(tmp_path)
    assert trained_model.is_whole(tmp_path)
    loaded = trained_model.apply(base, tmp_path, spec, "cpu")
    assert torch.equal(logits(loaded), logits(other))
    assert torch.equal(logits(base), plain)


def test_which_it_is_is_told_by_the_files(tmp_path):
    (tmp_path / MODEL_WEIGHTS).touch()
    (tmp_path / MODEL_CONFIG).touch()
    assert trained_model.is_whole(tmp_path)
    (tmp_path / ADAPTER_WEIGHTS).touch()
    (tmp_path / ADAPTER_CONFIG).touch()
    assert not trained_model.is_whole(tmp_path)
