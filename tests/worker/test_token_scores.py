"""Scores of trained tokens: those of the model's own logits, whole or in pieces."""

import pytest
import torch
from peft import LoraConfig, get_peft_model

import document_attention
from packed_rows import collate, lay_out
from podtune.data.masks import IGNORED, Example
from support import model_families
from token_scores import TokenScorer, scorer_of

CAPPED = {"gemma2": {"final_logit_softcapping": 1.5}, "granite": {"logits_scaling": 3.0},
          "cohere": {"logit_scale": 0.25}, "llama": {}}  # fmt: skip
"""What these families do to their logits; the values are strong enough to be seen."""


@pytest.fixture(scope="module", autouse=True)
def _registered():
    document_attention.register()


@pytest.fixture(scope="module")
def batch():
    generator = torch.Generator().manual_seed(2)
    examples = []
    for length in (9, 30, 5):
        ids = torch.randint(3, 320, (length,), generator=generator).tolist()
        examples.append(Example(ids, [IGNORED] * 2 + ids[2:], 1))
    return collate(lay_out(examples, [[0, 1, 2]]))


def build(family):
    return model_families.build(family, document_attention.NAME, **CAPPED[family])


def scored(scorer, model, batch, weights=None):
    model.zero_grad()
    scores = scorer.score(model, batch)
    weights = torch.ones_like(scores.log_probs) if weights is None else weights
    (scores.log_probs * weights).sum().backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return scores, gradient


@pytest.mark.parametrize("family", sorted(CAPPED))
def test_scores_are_those_of_the_models_own_logits(family, batch):
    model = build(family)
    inputs = {n: v for n, v in batch.items() if n not in ("labels", "trained_positions")}
    with torch.no_grad():
        logits = model(**inputs, use_cache=False).logits[0]
        scores = TokenScorer().score(model, batch)
    keep = batch["trained_positions"]
    targets = batch["input_ids"][0, keep + 1]
    expected = logits[keep].log_softmax(-1).gather(1, targets[:, None])[:, 0]
    assert torch.allclose(scores.log_probs, expected, atol=1e-5)
    assert scores.documents.tolist() == [0] * 7 + [1] * 28 + [2] * 3


@pytest.mark.parametrize("family", sorted(CAPPED))
@pytest.mark.parametrize("adapted", [True, False], ids=["adapter", "full"])
def test_in_pieces_the_scores_and_gradients_are_the_same(family, adapted, batch):
    """Five tokens at a time; weighed unequally, as preference losses do."""
    model = build(family)
    if adapted:
        torch.manual_seed(0)
        model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
    weights = torch.linspace(-1, 2, batch["trained_positions"].numel())
    pieces = scorer_of(model, tokens=44, piece_bytes=5 * 4 * 320)
    assert pieces._head is not None
    assert pieces._head.tokens == 5
    whole, gradient = scored(TokenScorer(), model, batch, weights)
    parts, gradient_of_parts = scored(pieces, model, batch, weights)
    assert torch.allclose(parts.log_probs, whole.log_probs, atol=1e-5)
    assert float((gradient_of_parts - gradient).norm() / gradient.norm()) < 1e-5


def test_an_adapted_head_is_trained_through_the_pieces(batch):
    model = get_peft_model(build("llama"), LoraConfig(r=4, target_modules=["lm_head", "q_proj"]))
    _, gradient = scored(TokenScorer(), model, batch)
    pieces = scorer_of(model, tokens=44, piece_bytes=5 * 4 * 320)
    _, gradient_of_parts = scored(pieces, model, batch)
    named = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert any("lm_head" in name and grad.abs().max() > 0 for name, grad in named.items())
    assert float((gradient_of_parts - gradient).norm() / gradient.norm()) < 1e-5


def test_logits_are_never_whole_in_pieces(batch):
    """The largest tensor that autograd keeps or makes is a piece, not [trained, vocabulary]."""
    model = get_peft_model(build("llama"), LoraConfig(r=4, target_modules=["q_proj"]))
    pieces = scorer_of(model, tokens=44, piece_bytes=5 * 4 * 320)
    sizes = []
    handle = model.get_output_embeddings().register_forward_hook(
        lambda _, __, logits: sizes.append(logits.numel())
    )
    scored(pieces, model, batch)
    handle.remove()
    assert max(sizes) == 5 * 320
    assert sum(sizes) == batch["trained_positions"].numel() * 320


def test_few_logits_stay_whole():
    assert scorer_of(build("llama"), tokens=100)._head is None


def test_an_unknown_way_with_logits_leaves_them_whole(batch):
    """A model whose logits no known form explains: slower memory, right numbers."""
    model = build("llama")
    handle = model.register_forward_hook(
        lambda _, __, output: output | {"logits": output.logits**3} if output else None
    )
    odd = scorer_of(model, tokens=44, piece_bytes=5 * 4 * 320)
    handle.remove()
    assert odd._head is None


def test_documents_one_by_one_score_the_same(batch):
    model = build("llama")
    together, gradient = scored(TokenScorer(), model, batch)
    alone, gradient_alone = scored(TokenScorer(apart=True), model, batch)
    assert torch.allclose(alone.log_probs, together.log_probs, atol=1e-5)
    assert torch.equal(alone.documents, together.documents)
    assert float((gradient_alone - gradient).norm() / gradient.norm()) < 1e-5


def test_sums_go_to_their_documents(batch):
    scores = TokenScorer().score(build("llama"), batch)
    sums, counts = scores.by_document(3)
    assert counts.tolist() == [7, 28, 3]
    assert float(sums[2].detach()) == pytest.approx(float(scores.log_probs[-3:].sum().detach()))


def test_a_batch_in_which_nothing_is_trained_has_a_gradient_of_zero(batch):
    model = build("llama")
    nothing = {**batch, "labels": torch.full_like(batch["labels"], IGNORED)}
    del nothing["trained_positions"]
    scores, gradient = scored(TokenScorer(), model, nothing)
    assert scores.log_probs.numel() == 0
    assert not gradient.any()


def test_an_attention_mask_is_refused(batch):
    masked = {**batch, "attention_mask": torch.ones_like(batch["input_ids"])}
    with pytest.raises(ValueError, match="attention_mask"):
        TokenScorer().score(build("llama"), masked)
