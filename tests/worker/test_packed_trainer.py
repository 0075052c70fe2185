"""Packed rows must train exactly as their documents would alone."""

import pytest
import torch
from transformers import AutoModelForCausalLM

import document_attention
import packed_trainer
from packed_trainer import collate, lay_out, token_loss
from podtune.data.masks import IGNORED, Example
from podtune.data.packing import best_fit_decreasing, singles


@pytest.fixture(scope="module")
def model(tiny):
    document_attention.register()
    loaded = AutoModelForCausalLM.from_pretrained(tiny, attn_implementation=document_attention.NAME)
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.mul_(3.0)  # random weights hardly attend; three times as large, they do
    return loaded


@pytest.fixture(scope="module")
def examples():
    generator = torch.Generator().manual_seed(3)
    made = []
    for number, length in enumerate((9, 30, 17, 5, 41, 12)):
        ids = torch.randint(0, 250, (length,), generator=generator).tolist()
        labels = [IGNORED] * (length // 2) + ids[length // 2 :]
        made.append(Example(tuple(ids), tuple(labels), number + 1))
    return made


def loss_and_gradient(model, rows):
    model.zero_grad()
    total, count = torch.zeros(()), 0
    for row in rows:
        loss, trained, _ = token_loss(model, collate([row]))
        total, count = total + loss, count + trained
    (total / count).backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    return float(total.detach() / count), gradient.clone()


def relative(left, right):
    return float((left - right).norm() / right.norm())


def test_packed_loss_and_gradient_equal_separate(model, examples):
    lengths = [len(e.input_ids) for e in examples]
    packed = lay_out(examples, best_fit_decreasing(lengths, 64))
    alone = lay_out(examples, singles(lengths))
    assert len(packed) < len(alone)
    loss_packed, gradient_packed = loss_and_gradient(model, packed)
    loss_alone, gradient_alone = loss_and_gradient(model, alone)
    assert loss_packed == pytest.approx(loss_alone, rel=1e-5)
    assert relative(gradient_packed, gradient_alone) < 1e-5


def test_an_attention_mask_would_leak_and_is_refused(model, examples):
    batch = collate(lay_out(examples, [[0, 1]]))
    batch["attention_mask"] = torch.ones_like(batch["input_ids"])
    with pytest.raises(ValueError, match="attention_mask"):
        token_loss(model, batch)


def test_packed_positions_without_bounds_are_refused(model, examples):
    batch = collate(lay_out(examples, [[0, 1]]))
    with pytest.raises(ValueError, match="leak"):
        model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)


def test_a_document_does_not_see_its_neighbour(model, examples):
    def logits(first):
        batch = collate(lay_out([first, examples[1]], [[0, 1]]))
        batch.pop("labels")
        with torch.no_grad():
            return model(**batch, use_cache=False).logits[0, len(first.input_ids) :]

    other = examples[0]._replace(input_ids=tuple(reversed(examples[0].input_ids)))
    assert torch.equal(logits(examples[0]), logits(other))


def test_the_first_token_of_a_document_is_never_trained(examples):
    trained = [e._replace(labels=e.input_ids) for e in examples]
    row = lay_out(trained, [[0, 1]])[0]
    assert row.labels[0] == IGNORED
    assert row.labels[len(examples[0].input_ids)] == IGNORED
    assert sum(label != IGNORED for label in row.labels) == len(row.labels) - 2


def test_bounds_positions_and_lengths_agree(examples):
    batch = collate(lay_out(examples, [[0, 1], [2]]))
    assert batch["cu_seq_lens_q"].tolist() == [0, 9, 39, 56]
    assert batch["position_ids"][0, 9] == 0
    assert batch["position_ids"][0, 8] == 8
    assert batch["max_length_q"] == 30
    assert "attention_mask" not in batch


def test_the_loss_equals_transformers_own_on_one_document(model, examples):
    example = examples[4]
    ours, trained, _ = token_loss(model, collate(lay_out([example], [[0]])))
    stock = model(
        input_ids=torch.tensor([example.input_ids]), labels=torch.tensor([example.labels])
    )
    assert float(ours.detach() / trained) == pytest.approx(float(stock.loss.detach()), rel=1e-5)


def test_a_window_shorter_than_a_document_is_refused():
    states = torch.zeros(1, 2, 8, 4)
    with pytest.raises(ValueError, match="window"):
        document_attention.document_attention(
            torch.nn.Module(), states, states, states, None,
            cu_seq_lens_q=torch.tensor([0, 8], dtype=torch.int32), sliding_window=4,
        )  # fmt: skip


def test_evaluation_is_weighted_by_tokens(model, examples, tmp_path):
    from transformers import TrainingArguments

    rows = lay_out(examples, [[4], [3]])
    trainer = packed_trainer.PackedTrainer(
        model=model,
        args=TrainingArguments(output_dir=str(tmp_path), use_cpu=True, report_to="none"),
        train_dataset=rows,
        eval_dataset=rows,
    )
    with torch.no_grad():
        parts = [token_loss(model, collate([row]))[:2] for row in rows]
    expected = float(sum(loss for loss, _ in parts)) / sum(count for _, count in parts)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_loss_equals_trls_on_the_same_rows(model, examples, tmp_path):
    """An independent trainer: TRL's SFTTrainer, padded, on the same tokens and labels."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    rows = [{"input_ids": list(e.input_ids), "labels": list(e.labels)} for e in examples]
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to="none",
            per_device_eval_batch_size=len(rows), gradient_checkpointing=False, max_length=None,
            dataset_kwargs={"skip_prepare_dataset": True}, eos_token="<|im_end|>",
        ),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows),
        processing_class=_tokenizer(model),
    )  # fmt: skip
    lengths = [len(e.input_ids) for e in examples]
    packed = lay_out(examples, best_fit_decreasing(lengths, 64))
    with torch.no_grad():
        parts = [token_loss(model, collate([row]))[:2] for row in packed]
    ours = float(sum(loss for loss, _ in parts)) / sum(count for _, count in parts)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(ours, rel=1e-5)


def _tokenizer(model):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(model.config._name_or_path)
