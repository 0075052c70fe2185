"""DPO, ORPO and KTO: TRL's losses and gradients, from packed rows."""

from itertools import accumulate, pairwise

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback, TrainingArguments

import document_attention
from podtune.data.masks import IGNORED, Example
from podtune.data.packing import best_fit_decreasing
from podtune.data.preferences import Pair, Rated
from preference_losses import Weights
from preference_rows import lay_out_pairs, lay_out_rated, pair_lengths, rated_lengths
from preference_trainer import TRAINERS, DPOTrainer, KTOTrainer, ORPOTrainer

LORA = {"r": 4, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
SIZES = ((5, 9, 4), (3, 6, 12), (8, 2, 7), (1, 15, 3), (6, 8, 8))
"""Tokens of prompt, better and worse answer of each pair."""

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


class Gradients(TrainerCallback):
    def __init__(self):
        self.steps = []

    def on_pre_optimizer_step(self, args, state, control, *, model, **_):
        self.steps.append(gradient(model))


def gradient(model):
    named = sorted((n, p.grad) for n, p in model.named_parameters() if p.grad is not None)
    return torch.cat([grad.flatten() for _, grad in named])


def relative(left, right):
    return float((left - right).norm() / right.norm())


def texts(sizes=SIZES):
    """Prompt, better answer, worse answer; ids only."""
    generator = torch.Generator().manual_seed(4)
    return [
        [torch.randint(0, 250, (n,), generator=generator).tolist() for n in row] for row in sizes
    ]


def document(prompt, answer, line):
    return Example([*prompt, *answer], [*[IGNORED] * len(prompt), *answer], line)


def pairs(sizes=SIZES):
    return [
        Pair(document(p, good, line), document(p, bad, line), line)
        for line, (p, good, bad) in enumerate(texts(sizes), start=1)
    ]


def rated():
    """Every answer to a prompt of its own: unrelated ones are then TRL's, the row's before."""
    return [
        Rated(document(prompt, answer, line), good, line)
        for line, (prompt, answer, good) in enumerate(ratings(), start=1)
    ]


def ratings():
    return [
        rating
        for line, (prompt, better, worse) in enumerate(texts())
        for rating in ((prompt, better, True), ([*prompt, line], worse, False))
    ]


def base(tiny):
    document_attention.register()
    model = AutoModelForCausalLM.from_pretrained(tiny, attn_implementation=document_attention.NAME)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2.0)
    return model


def set_adapter(model):
    """An adapter that has learnt something already: policy and reference differ."""
    for name, parameter in sorted(model.named_parameters()):
        if "lora_" in name:
            generator = torch.Generator().manual_seed(len(name))
            parameter.data = 0.2 * torch.randn(parameter.shape, generator=generator)
    return model


def adapted(tiny):
    model = base(tiny)
    model.requires_grad_(False)
    return set_adapter(get_peft_model(model, LoraConfig(**LORA)))


def ours(kind, model, rows, folder, **options):
    """One optimizer step over all rows; the trainer and its gradients."""
    gradients = Gradients()
    own = {k: options.pop(k) for k in ("weights", "apart", "piece_bytes") if k in options}
    settings = {"use_cpu": True, "report_to": "none", "disable_tqdm": True, "max_grad_norm": 0.0,
                "learning_rate": 1e-3, "save_strategy": "no", "num_train_epochs": 1,
                "logging_steps": 1, "per_device_train_batch_size": len(rows)}  # fmt: skip
    trainer = kind(
        model=model, args=TrainingArguments(output_dir=str(folder), **settings | options),
        train_dataset=rows, eval_dataset=rows, callbacks=[gradients], beta=0.3, **own,
    )  # fmt: skip
    return trainer, gradients


def packed_pairs(made, capacity=40):
    return lay_out_pairs(made, best_fit_decreasing(pair_lengths(made), capacity))


def packed_rated(made, capacity=40):
    return lay_out_rated(made, best_fit_decreasing(rated_lengths(made), capacity))


def trl_settings(config, folder, **options):
    return config(output_dir=str(folder), use_cpu=True, bf16=False, report_to="none", beta=0.3,
                  gradient_checkpointing=False, remove_unused_columns=False, max_length=None,
                  **options)  # fmt: skip


def trl_gradient(trainer, batch):
    """TRL's loss of a batch made by hand, and its gradient for the same adapter."""
    trainer.model.train()
    set_adapter(trainer.model)
    trainer.model.zero_grad()
    loss = trainer.compute_loss(trainer.model, batch)
    loss.backward()
    return float(loss.detach()), gradient(trainer.model)


def test_dpo_is_trls(tiny, tmp_path):
    from datasets import Dataset
    from trl import DPOConfig
    from trl import DPOTrainer as Peer
    from trl.trainer.dpo_trainer import DataCollatorForPreference

    words = [{"prompt": "a", "chosen": "b", "rejected": "c"}]
    peer = Peer(
        model=base(tiny), args=trl_settings(DPOConfig, tmp_path / "peer"),
        train_dataset=Dataset.from_list(words), peft_config=LoraConfig(**LORA),
        processing_class=AutoTokenizer.from_pretrained(tiny),
    )  # fmt: skip
    batch = DataCollatorForPreference(pad_token_id=0)(
        [{"prompt_ids": p, "chosen_ids": good, "rejected_ids": bad} for p, good, bad in texts()]
    )
    expected, expected_gradient = trl_gradient(peer, batch)
    trainer, gradients = ours(DPOTrainer, adapted(tiny), packed_pairs(pairs()), tmp_path)
    trainer.train()
    logs = trainer.state.log_history[0]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert relative(gradients.steps[0], expected_gradient) < 1e-4
    said = peer._metrics["train"]
    for name in ("rewards/chosen", "rewards/rejected", "rewards/margins", "rewards/accuracies"):
        assert logs[name] == pytest.approx(said[name][-1], rel=1e-4, abs=1e-6)


def test_kto_is_trls(tiny, tmp_path):
    from datasets import Dataset
    from trl import KTOConfig
    from trl import KTOTrainer as Peer

    rows = rated()
    words = [{"prompt": "a", "completion": "b", "label": g} for g in (True, False)]
    peer = Peer(
        model=base(tiny), args=trl_settings(KTOConfig, tmp_path / "peer", desirable_weight=2.0),
        train_dataset=Dataset.from_list(words), peft_config=LoraConfig(**LORA),
        processing_class=AutoTokenizer.from_pretrained(tiny),
    )  # fmt: skip
    answers = [(prompt, answer) for prompt, answer, _ in ratings()]
    examples = [
        {"prompt_ids": prompt, "completion_ids": answer, "label": row.good,
         "KL_completion_ids": answers[index - 1][1]}
        for index, ((prompt, answer), row) in enumerate(zip(answers, rows, strict=True))
    ]  # fmt: skip
    expected, expected_gradient = trl_gradient(peer, peer.data_collator(examples))
    divergence = peer._metrics["train"]["kl"][-1]
    # Ours cuts unrelated answers at the longest document: none is longer than that here.
    assert max(len(p) + len(answers[i - 1][1]) for i, (p, _) in enumerate(answers)) <= 18 + 5

    trainer, gradients = ours(
        KTOTrainer, adapted(tiny), uncut(rows), tmp_path, weights=Weights(2.0, 1.0)
    )
    trainer.train()
    assert trainer._divergence == pytest.approx(divergence, rel=1e-4)
    assert divergence > 0
    logs = trainer.state.log_history[0]
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert relative(gradients.steps[0], expected_gradient) < 1e-4
    for name in ("rewards/chosen", "rewards/rejected", "rewards/margins"):
        assert logs[name] == pytest.approx(peer._metrics["train"][name][-1], rel=1e-4)


def uncut(rows):
    """Rows beside one long bad answer that is not trained: nothing unrelated has to be cut."""
    rows = list(rows)
    long = Rated(document([1], list(range(60)), 99), False, 99)
    (row,) = lay_out_rated([*rows, long], [range(len(rows))])
    first = document(
        rows[0].example.input_ids[: SIZES[0][0]], texts()[-1][2], rows[0].line
    )  # TRL's circle closes with the last row
    unrelated = row.unrelated
    cut = unrelated.lengths[0]
    return [
        row._replace(
            unrelated=unrelated._replace(
                input_ids=[*first.input_ids, *unrelated.input_ids[cut:]],
                labels=[*first.labels, *unrelated.labels[cut:]],
                lengths=[len(first.input_ids), *unrelated.lengths[1:]],
            )
        )
    ]


@pytest.mark.parametrize("prompt", [1, 5])
def test_orpo_is_trls(prompt, tiny, tmp_path):
    """TRL also trains the better side's prompt; with one prompt token there is nothing of it."""
    from datasets import Dataset
    from trl.experimental.orpo import ORPOConfig
    from trl.experimental.orpo import ORPOTrainer as Peer

    sizes = [(prompt, good, bad) for _, good, bad in SIZES]
    made = pairs(sizes)
    words = [{"prompt": "a", "chosen": "b", "rejected": "c"}]
    model = get_peft_model(base(tiny), LoraConfig(**LORA))
    peer = Peer(
        model=model, args=trl_settings(ORPOConfig, tmp_path / "peer", disable_dropout=False),
        train_dataset=Dataset.from_list(words), processing_class=AutoTokenizer.from_pretrained(tiny),
    )  # fmt: skip

    def padded(side):
        documents = [getattr(pair, side) for pair in made]
        ids = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(d.input_ids) for d in documents], batch_first=True
        )
        labels = torch.nn.utils.rnn.pad_sequence(
            [torch.tensor(d.labels) for d in documents], batch_first=True, padding_value=IGNORED
        )
        lengths = torch.tensor([len(d.input_ids) for d in documents])[:, None]
        mask = (torch.arange(ids.shape[1]) < lengths).long()
        return {f"{side}_input_ids": ids, f"{side}_labels": labels, f"{side}_attention_mask": mask}

    expected, expected_gradient = trl_gradient(peer, padded("chosen") | padded("rejected"))
    trainer, gradients = ours(ORPOTrainer, adapted(tiny), packed_pairs(made), tmp_path)
    trainer.train()
    loss = trainer.state.log_history[0]["loss"]
    if prompt == 1:
        assert loss == pytest.approx(expected, rel=1e-5)
        assert relative(gradients.steps[0], expected_gradient) < 1e-4
    else:
        likelihood = [likelihoods(adapted(tiny), made, whole=whole) for whole in (True, False)]
        assert expected - loss == pytest.approx(likelihood[0] - likelihood[1], rel=1e-3)


def likelihoods(model, made, *, whole):
    """Mean negative log-likelihood of the better sides' tokens: all, or their answers'."""
    total, tokens = 0.0, 0
    with torch.no_grad():
        for pair in made:
            ids = torch.tensor([pair.chosen.input_ids])
            labels = ids if whole else torch.tensor([pair.chosen.labels])
            count = int((labels[:, 1:] != IGNORED).sum())
            total += float(model(input_ids=ids, labels=labels).loss) * count
            tokens += count
    return total / tokens


def rows_of(method, capacity=40):
    if method == "kto":
        return packed_rated(rated(), capacity)
    return packed_pairs(pairs(), capacity)


@pytest.mark.parametrize("method", sorted(TRAINERS))
def test_a_step_is_the_same_however_it_is_cut(method, tiny, tmp_path):
    whole, *others = [
        step(method, tiny, tmp_path, 200),
        step(method, tiny, tmp_path, 40, per_device_train_batch_size=1,
             gradient_accumulation_steps=100),
        step(method, tiny, tmp_path, 40, apart=True),
        step(method, tiny, tmp_path, 200, piece_bytes=4 * 300 * 5),
    ]  # fmt: skip
    for other in others:
        assert other[0] == pytest.approx(whole[0], rel=1e-5)
        assert relative(other[1], whole[1]) < 2e-5


def step(method, tiny, tmp_path, capacity, **options):
    trainer, gradients = ours(
        TRAINERS[method], adapted(tiny), rows_of(method, capacity), tmp_path, **options
    )
    trainer.train()
    assert len(gradients.steps) == 1
    return trainer.state.log_history[0]["loss"], gradients.steps[0]


@pytest.mark.parametrize("method", sorted(TRAINERS))
def test_held_out_loss_is_the_training_loss_of_the_same_rows(method, tiny, tmp_path):
    trainer, _ = ours(TRAINERS[method], adapted(tiny), rows_of(method), tmp_path)
    trainer.prepare_reference()
    held = trainer.evaluate()["eval_loss"]
    trainer.train()
    assert held == pytest.approx(trainer.state.log_history[0]["loss"], rel=1e-5)


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_parts_of_a_batch_add_up(method, tiny, tmp_path):
    trainer, _ = ours(TRAINERS[method], adapted(tiny), rows_of(method), tmp_path)
    trainer.prepare_reference()
    if method == "kto":
        trainer._divergence = 0.1
    batch = trainer.batch_of(trainer.train_dataset)
    parts = trainer.parts(batch, 3)
    assert len(parts) == 3
    assert sum(trainer.weight_of(part) for part in parts) == trainer.weight_of(batch)
    assert trainer.units(batch) == trainer.weight_of(batch)
    with torch.no_grad():
        whole = float(trainer.loss_of(trainer.model, batch))
        added = sum(float(trainer.loss_of(trainer.model, part)) for part in parts)
    assert added == pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("method", sorted(TRAINERS))
def test_a_batch_that_stands_in_for_a_missing_one_changes_nothing(method, tiny, tmp_path):
    trainer, _ = ours(TRAINERS[method], adapted(tiny), rows_of(method), tmp_path)
    trainer.prepare_reference()
    row = trainer.train_dataset[0]
    blank = trainer.batch_of([row._replace(labels=[IGNORED] * len(row.labels))])
    assert trainer.weight_of(blank) == 0
    loss = trainer.compute_loss(trainer.model, blank, num_items_in_batch=5.0)
    assert float(loss.detach()) == 0
    loss.backward()
    assert not gradient(trainer.model).any()


def test_the_reference_is_the_model_without_its_adapter(tiny, tmp_path):
    told = []
    rows = packed_pairs(pairs())
    trainer, _ = ours(DPOTrainer, adapted(tiny), rows, tmp_path)
    trainer._progress = lambda *done: told.append(done)
    trainer.prepare_reference()
    plain = base(tiny).eval()
    for row in trainer.train_dataset:
        bounds = [0, *accumulate(row.lengths)]
        for reference, (start, end) in zip(row.reference, pairwise(bounds), strict=True):
            ids = torch.tensor([row.input_ids[start:end]])
            labels = torch.tensor([row.labels[start:end]])
            with torch.no_grad():
                mean = float(plain(input_ids=ids, labels=labels).loss)
            assert -reference == pytest.approx(mean * int((labels != IGNORED).sum()), rel=1e-5)
    assert told[: len(rows)] == [(n, len(rows)) for n in range(1, len(rows) + 1)]
    known = trainer.train_dataset
    trainer.prepare_reference()
    assert trainer.train_dataset is known  # computed once


def test_where_every_weight_is_trained_the_reference_is_the_model_as_it_came(tiny, tmp_path):
    """No second model: what it said before the first step is all that is needed."""
    rows = packed_pairs(pairs())
    trainer, _ = ours(DPOTrainer, base(tiny), rows, tmp_path, num_train_epochs=4)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert losses[0] == pytest.approx(torch.log(torch.tensor(2.0)).item(), rel=1e-5)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("method", sorted(TRAINERS))
def test_training_prefers_the_better_answers(method, tiny, tmp_path):
    trainer, _ = ours(
        TRAINERS[method], adapted(tiny), rows_of(method), tmp_path,
        num_train_epochs=12, learning_rate=5e-3, per_device_train_batch_size=2,
    )  # fmt: skip
    trainer.train()
    margins = [e["rewards/margins"] for e in trainer.state.log_history if "rewards/margins" in e]
    assert margins[-1] > margins[0] + 0.05
