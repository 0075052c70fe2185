"""Attention inside documents: the same as each document alone, for every kind of attention."""

import pytest
import torch

import document_attention
from packed_rows import collate, lay_out
from packed_trainer import token_loss
from podtune.data.masks import IGNORED, Example
from support import model_families

LENGTHS = (9, 30, 5, 21)
WINDOW = model_families.SIZES["sliding_window"]

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.fixture(scope="module", autouse=True)
def _registered():
    document_attention.register()


@pytest.fixture(scope="module")
def examples():
    generator = torch.Generator().manual_seed(2)
    made = []
    for length in LENGTHS:
        ids = torch.randint(3, 320, (length,), generator=generator).tolist()
        made.append(Example(ids, [IGNORED] * (length // 2) + ids[length // 2 :], 1))
    return made


def loss_and_gradient(model, batches):
    model.zero_grad()
    total = sum(token_loss(model, batch)[0] for batch in batches)
    total.backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return float(total.detach()), gradient


@pytest.mark.parametrize("family", sorted(model_families.ATTENTIVE))
def test_packed_equals_separate_in_transformers_own_attention(family, examples):
    """The other side is `eager`, one document at a time: no code of ours, no packing."""
    model = model_families.build(family, "eager")
    alone = [collate(lay_out([example], [[0]])) for example in examples]
    expected, expected_gradient = loss_and_gradient(model, alone)

    model.set_attn_implementation(document_attention.NAME)
    together = collate(lay_out(examples, [range(len(examples))]))
    for batches in ([together], alone):
        loss, gradient = loss_and_gradient(model, batches)
        assert loss == pytest.approx(expected, rel=1e-5)
        assert float((gradient - expected_gradient).norm() / expected_gradient.norm()) < 1e-5


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3_text", "granite", "qwen3_moe"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_transformers_own_packed_mask_is_exact_too(family, attention, examples):
    model = model_families.build(family, attention)
    alone = [collate(lay_out([example], [[0]])) for example in examples]
    expected, expected_gradient = loss_and_gradient(model, alone)
    loss, gradient = loss_and_gradient(model, [collate(lay_out(examples, [range(4)]))])
    assert loss == pytest.approx(expected, rel=1e-5)
    assert float((gradient - expected_gradient).norm() / expected_gradient.norm()) < 1e-5


def test_gpt_oss_leaks_in_transformers_own_attention(examples):
    """Its mask is made without positions (transformers 5.23): only the bounds keep them apart."""
    model = model_families.build("gpt_oss", "eager")
    with torch.no_grad():
        alone = sum(token_loss(model, collate(lay_out([e], [[0]])))[0] for e in examples)
        packed = token_loss(model, collate(lay_out(examples, [range(4)])))[0]
    assert float(packed) != pytest.approx(float(alone), rel=1e-3)


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma2", "gpt_oss", "qwen3_moe"])
def test_padded_batches_and_generation_are_transformers_own(family, examples):
    model = model_families.build(family, "eager")
    ids = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(e.input_ids) for e in examples], batch_first=True
    )
    mask = (ids != 0).long()
    options = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    prompt = torch.tensor([examples[3].input_ids])

    def run():
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
            return logits[mask.bool()], model.generate(prompt, **options)

    stock, said = run()
    model.set_attn_implementation(document_attention.NAME)
    ours, said_by_ours = run()
    assert torch.allclose(ours, stock, rtol=1e-4, atol=1e-4)
    assert torch.equal(said_by_ours, said)


def test_a_token_sees_itself_and_the_window_before_it():
    """Brute force: every pair of positions, one long document and a short one."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = torch.randn(3, 1, 2, 25, 4, generator=generator)
    bounds = torch.tensor([0, 21, 25], dtype=torch.int32)
    found, _ = document_attention.document_attention(
        torch.nn.Module(), query, key, value, None, cu_seq_lens_q=bounds, sliding_window=5
    )
    for position in range(25):
        first = max(0 if position < 21 else 21, position - 4)
        seen = slice(first, position + 1)
        weights = (query[0, :, position, None] @ key[0, :, seen].transpose(-1, -2) / 2).softmax(-1)
        assert torch.allclose(found[0, position], (weights @ value[0, :, seen])[:, 0], atol=1e-6)


def test_a_long_document_costs_its_window_and_not_its_square():
    """65,536 tokens with a window of 16: the square would be 17 GB of scores a head."""
    states = torch.zeros(1, 1, 65_536, 2)
    bounds = torch.tensor([0, 65_536], dtype=torch.int32)
    found, _ = document_attention.document_attention(
        torch.nn.Module(), states, states, states, None, cu_seq_lens_q=bounds, sliding_window=16
    )
    assert found.shape == (1, 65_536, 1, 2)


def test_sinks_take_weight_and_give_no_value():
    states = torch.zeros(1, 2, 3, 4)
    value = torch.ones(1, 1, 3, 4)
    found, _ = document_attention.document_attention(
        torch.nn.Module(), states, states[:, :1], value, None,
        cu_seq_lens_q=torch.tensor([0, 1, 3], dtype=torch.int32),
        s_aux=torch.tensor([0.0, -1e4]), scaling=1.0,
    )  # fmt: skip
    assert found[0, :, 0, 0].tolist() == pytest.approx([1 / 2, 1 / 2, 2 / 3])
    assert found[0, :, 1, 0].tolist() == pytest.approx([1, 1, 1])


def test_dropout_is_applied_where_scores_are_explicit():
    states = torch.zeros(1, 1, 64, 4)
    value = torch.ones(1, 1, 64, 4)
    torch.manual_seed(0)
    found, _ = document_attention.document_attention(
        torch.nn.Module(), states, states, value, None, dropout=0.5, softcap=30.0,
        cu_seq_lens_q=torch.tensor([0, 64], dtype=torch.int32),
    )  # fmt: skip
    assert not torch.allclose(found, torch.ones(()))
    assert float(found[0, 32:].mean()) == pytest.approx(1.0, abs=0.1)


def test_an_unsound_batch_is_refused():
    states = torch.zeros(1, 2, 8, 4)
    bounds = torch.tensor([0, 3, 8], dtype=torch.int32)

    def attend(states, mask, **options):
        document_attention.document_attention(
            torch.nn.Module(), states, states, states, mask, **options
        )

    with pytest.raises(ValueError, match="no attention_mask"):
        attend(states, torch.ones(1, 1, 8, 8), cu_seq_lens_q=bounds)
    with pytest.raises(ValueError, match="one row"):
        attend(states.repeat(2, 1, 1, 1), None, cu_seq_lens_q=bounds)
    with pytest.raises(ValueError, match="end at 8, the row has 7"):
        attend(states[:, :, :7], None, cu_seq_lens_q=bounds)
    with pytest.raises(ValueError, match="leak"):
        attend(states, None, position_ids=torch.tensor([[0, 1, 2, 0, 1, 2, 3, 4]]))


def test_the_attention_is_chosen_by_what_is_there():
    name, note = document_attention.choose_attention("cpu")
    assert (name, note) == (document_attention.NAME, "torch's sdpa, document by document")
    on_cuda = document_attention.choose_attention("cuda")
    assert on_cuda.name == document_attention.NAME
    assert on_cuda.note == f"flash varlen of torch {torch.__version__}"


def test_torchs_varlen_attention_takes_what_it_is_given():
    """Its kernels are CUDA's; the shapes and names of the call are checked on no device at all."""
    scores = document_attention.Scores(0.5, 0.0, 8, None, None)
    query = torch.empty(1, 4, 30, 16, dtype=torch.bfloat16, device="meta")
    key, value = torch.empty(2, 1, 2, 30, 16, dtype=torch.bfloat16, device="meta")
    bounds = torch.empty(3, dtype=torch.int32, device="meta")
    found = document_attention._flash(query, key, value, bounds, [0, 9, 30], scores)
    assert found.shape == (1, 30, 4, 16)
    assert not document_attention._fits_varlen(query, value, scores)  # not on a GPU
