"""Packed rows must train exactly as their documents would alone."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, TrainerCallback, TrainingArguments

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


class Gradients(TrainerCallback):
    """Keeps the gradient of every optimizer step."""

    def __init__(self):
        self.steps = []

    def on_pre_optimizer_step(self, args, state, control, *, model, **_):
        trained = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        self.steps.append(torch.cat(trained).clone())


def arguments(folder, **options):
    settings = {"use_cpu": True, "report_to": "none", "disable_tqdm": True, "logging_steps": 1,
                "save_strategy": "no", "max_grad_norm": 0.0, "learning_rate": 1e-3}  # fmt: skip
    return TrainingArguments(output_dir=str(folder), **settings | options)


def adapted(tiny, precision=torch.float32, seed=0):
    document_attention.register()
    model = AutoModelForCausalLM.from_pretrained(
        tiny, attn_implementation=document_attention.NAME, dtype=precision
    )
    model.requires_grad_(False)
    model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear"))
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = 0.1 * torch.randn(parameter.shape, generator=generator)
    return model


def trained(model, rows, folder, **options):
    """One epoch; the trainer and the gradients of its steps."""
    kinds = {"apart", "piece_bytes"}
    gradients = Gradients()
    trainer = packed_trainer.PackedTrainer(
        model=model,
        args=arguments(folder, **{k: v for k, v in options.items() if k not in kinds}),
        train_dataset=rows,
        callbacks=[gradients],
        **{k: v for k, v in options.items() if k in kinds},
    )
    trainer.train()
    return trainer, gradients.steps


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


def test_the_loss_equals_transformers_own_on_one_document(model, examples):
    example = examples[4]
    ours, trained, _ = token_loss(model, collate(lay_out([example], [[0]])))
    stock = model(
        input_ids=torch.tensor([example.input_ids]), labels=torch.tensor([example.labels])
    )
    assert float(ours.detach() / trained) == pytest.approx(float(stock.loss.detach()), rel=1e-5)


def test_evaluation_is_weighted_by_tokens(model, examples, tmp_path):
    rows = lay_out(examples, [[4], [3]])
    trainer = packed_trainer.PackedTrainer(
        model=model, args=arguments(tmp_path), train_dataset=rows, eval_dataset=rows
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


def test_a_step_is_the_mean_over_its_tokens_however_they_are_spread(tiny, examples, tmp_path):
    """Rows of 3 to 21 trained tokens: a mean of row means would be another gradient."""
    rows = lay_out(examples, singles([len(e.input_ids) for e in examples]))
    _, (at_once,) = trained(adapted(tiny), rows, tmp_path, per_device_train_batch_size=6,
                            num_train_epochs=1)  # fmt: skip
    trainer, (in_three,) = trained(
        adapted(tiny), rows, tmp_path, per_device_train_batch_size=2,
        gradient_accumulation_steps=3, num_train_epochs=1,
    )  # fmt: skip
    assert relative(in_three, at_once) < 1e-5
    _, expected = loss_and_gradient(adapted(tiny), lay_out(examples, [range(6)]))
    assert relative(at_once, expected) < 1e-5
    assert trainer.tokens_seen == sum(len(e.input_ids) for e in examples)


def test_the_logged_loss_is_the_mean_over_the_steps_tokens(tiny, examples, tmp_path):
    rows = lay_out(examples, singles([len(e.input_ids) for e in examples]))
    trainer, _ = trained(adapted(tiny), rows, tmp_path, per_device_train_batch_size=2,
                         gradient_accumulation_steps=3, num_train_epochs=1)  # fmt: skip
    expected, _ = loss_and_gradient(adapted(tiny), rows)
    assert trainer.state.log_history[0]["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("way", [{"apart": True}, {"piece_bytes": 4 * 400 * 5}],
                         ids=["one document at a time", "head in pieces"])  # fmt: skip
def test_other_ways_through_the_model_give_the_same_gradient(way, tiny, examples, tmp_path):
    rows = lay_out(examples, [[0, 1, 2], [3, 4, 5]])
    options = {"per_device_train_batch_size": 2, "num_train_epochs": 1}
    _, (usual,) = trained(adapted(tiny), rows, tmp_path, **options)
    _, (other,) = trained(adapted(tiny), rows, tmp_path, **options, **way)
    assert relative(other, usual) < 1e-5


def test_gradient_checkpointing_changes_nothing(tiny, examples, tmp_path):
    rows = lay_out(examples, [range(6)])
    _, (usual,) = trained(adapted(tiny), rows, tmp_path, num_train_epochs=1)
    model = adapted(tiny)
    model.activation_checkpointing_enable({"use_reentrant": False})
    model.enable_input_require_grads()
    _, (kept_less,) = trained(model, rows, tmp_path, num_train_epochs=1)
    assert relative(kept_less, usual) < 1e-6


def test_plain_text_trains_every_token_but_the_first(tiny, tmp_path):
    """Continued pre-training: transformers' own loss with labels = ids, document by document."""
    generator = torch.Generator().manual_seed(5)
    texts = [torch.randint(0, 250, (n,), generator=generator).tolist() for n in (40, 25, 33)]
    rows = lay_out([Example(t, t, 1) for t in texts], [[0, 1], [2]])
    model = adapted(tiny)
    with torch.no_grad():
        stock = [model(input_ids=torch.tensor([t]), labels=torch.tensor([t])) for t in texts]
    tokens = [len(t) - 1 for t in texts]
    expected = sum(float(o.loss) * n for o, n in zip(stock, tokens, strict=True)) / sum(tokens)
    trainer, _ = trained(model, rows, tmp_path, per_device_train_batch_size=2, num_train_epochs=1)
    assert trainer.state.log_history[0]["loss"] == pytest.approx(expected, rel=1e-5)


def test_fp16_gradients_do_not_depend_on_how_many_tokens_a_step_has(tiny, tmp_path):
    """The gradient of a mean over 3,776 tokens is already below what fp16 can tell apart."""
    generator = torch.Generator().manual_seed(1)
    texts = [torch.randint(0, 250, (60,), generator=generator).tolist() for _ in range(64)]
    rows = lay_out([Example(t, t, 1) for t in texts], [range(i, i + 8) for i in range(0, 64, 8)])
    options = {"gradient_accumulation_steps": 8, "per_device_train_batch_size": 1,
               "num_train_epochs": 1}  # fmt: skip
    _, (exact,) = trained(adapted(tiny), rows, tmp_path, **options)
    half = adapted(tiny, torch.float16)
    trainer, (ours,) = trained(half, rows, tmp_path, **options)
    assert relative(ours, exact) < 3e-3
    assert not any(p._backward_hooks for p in half.parameters())

    _, plain_mean = loss_and_gradient_of_mean(adapted(tiny, torch.float16), rows)
    assert relative(plain_mean, exact) > 3 * relative(ours, exact)
    first = trainer.state.log_history[0]["loss"]
    assert first == pytest.approx(loss_and_gradient(adapted(tiny), rows)[0], rel=1e-3)


def loss_and_gradient_of_mean(model, rows):
    """The stock way: each batch's loss is divided before its backward."""
    model.zero_grad()
    tokens = sum(collate([row])["trained_positions"].numel() for row in rows)
    for row in rows:
        (token_loss(model, collate([row]))[0] / tokens).backward()
    trained = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return tokens, torch.cat(trained)


def test_a_batch_comes_in_parts_that_add_up(tiny, examples, tmp_path):
    trainer = packed_trainer.PackedTrainer(
        model=adapted(tiny), args=arguments(tmp_path), train_dataset=lay_out(examples, [range(6)])
    )
    batch = trainer.batch_of(trainer.train_dataset)
    parts = trainer.parts(batch, 4)
    assert len(parts) == 4
    assert trainer.units(batch) == 6
    assert sum(trainer.weight_of(part) for part in parts) == trainer.weight_of(batch)
    with torch.no_grad():
        whole = float(trainer.loss_of(trainer.model, batch))
        added = sum(float(trainer.loss_of(trainer.model, part)) for part in parts)
    assert added == pytest.approx(whole, rel=1e-5)
