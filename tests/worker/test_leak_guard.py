"""Whether documents leak is measured on the model that is there."""

import pytest
import torch

import document_attention
import leak_guard
from failures import PlanMismatchError
from packed_rows import PackedRow, collate, lay_out
from packed_trainer import token_loss
from podtune.data.masks import Example
from support import model_families
from token_scores import TokenScorer

PACKED = [PackedRow([1, 2, 3, 4], [1, 2, 3, 4], [2, 2])]
SINGLE = [PackedRow([1, 2], [1, 2], [2]), PackedRow([3, 4], [3, 4], [2])]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module", autouse=True)
def _registered():
    document_attention.register()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("family", ["llama", "mistral", "gemma2", "gpt_oss", "qwen3_moe"])
def test_models_that_keep_documents_apart_pass(family, dtype):
    model = model_families.build(family, document_attention.NAME).to(dtype)
    leak = leak_guard.measure_leak(model)
    assert leak.change < leak.limit / 5
    assert not leak.is_found
    leak_guard.refuse_leaking(model, PACKED)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_leak_is_found_and_refused(dtype):
    """transformers' own attention lets gpt-oss's documents see each other."""
    model = model_families.build("gpt_oss", "eager").to(dtype)
    leak = leak_guard.measure_leak(model)
    assert leak.change > 2 * leak.limit
    with pytest.raises(PlanMismatchError, match=r"do(es)? not keep .* of their spread") as caught:
        leak_guard.refuse_leaking(model, PACKED)
    assert caught.value.code == "documents_leak"
    assert "training.packing=false" in caught.value.hint
    leak_guard.refuse_leaking(model, SINGLE)


def test_a_convolution_that_runs_on_into_the_next_document_is_found(monkeypatch):
    """Without `seq_idx` LFM2's convolution leaks two tokens into the next document, silently."""
    model = model_families.build("lfm2", document_attention.NAME)
    monkeypatch.setattr(leak_guard, "is_hybrid", lambda config: False)
    leak = leak_guard.measure_leak(model.to(torch.bfloat16))
    assert leak.is_found
    assert leak.change == pytest.approx(0.09, abs=0.03)


@pytest.mark.parametrize("family", sorted(model_families.HYBRID))
def test_hybrid_models_pack_with_their_kernels_only(family):
    model = model_families.build(family, document_attention.NAME)
    assert leak_guard.is_hybrid(model.config)
    if leak_guard.hybrid_kernels_available():
        pytest.skip("kernels for hybrid layers are installed here")
    with pytest.raises(PlanMismatchError, match="refuses") as caught:
        leak_guard.refuse_leaking(model, PACKED)
    assert "causal_conv1d" in caught.value.hint
    leak_guard.refuse_leaking(model, SINGLE)
    assert leak_guard.measure_leak(model).is_found


@pytest.mark.parametrize("family", sorted(model_families.HYBRID))
def test_hybrid_models_train_exactly_one_document_at_a_time(family):
    model = model_families.build(family, document_attention.NAME)
    generator = torch.Generator().manual_seed(0)
    ids = [torch.randint(3, 320, (n,), generator=generator).tolist() for n in (12, 7)]
    examples = [Example(i, i, 1) for i in ids]
    apart = TokenScorer(apart=True)
    together = token_loss(model, collate(lay_out(examples, [[0, 1]])), apart)[0]
    with torch.no_grad():
        alone = sum(
            float(model(input_ids=torch.tensor([i]), labels=torch.tensor([i])).loss) * (len(i) - 1)
            for i in ids
        )
    assert float(together.detach()) == pytest.approx(alone, rel=1e-5)
    together.backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)


def test_attention_alone_is_not_hybrid():
    for family in ("llama", "gemma2", "gpt_oss"):
        assert not leak_guard.is_hybrid(
            model_families.build(family, document_attention.NAME).config
        )
