"""Numbers belong to fields only beside their words, in every language, corrected by the last word."""

import pytest


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("3 epochs", "epochs", 3), ("epochs: 3", "epochs", 3), ("three epochs", "epochs", 3), ("half an epoch", "epochs", 0.5), ("one and a half epochs", "epochs", 1.5),
        ("3 Epochen", "epochs", 3), ("drei Epochen", "epochs", 3), ("trois époques", "epochs", 3), ("tres épocas", "epochs", 3), ("tre epoche", "epochs", 3), ("três épocas", "epochs", 3), ("训练3轮", "epochs", 3), ("三轮", "epochs", 3),
        ("3 ephocs", "epochs", 3), ("500 steps", "max_steps", 500), ("max steps 1,000", "max_steps", 1000), ("500 Schritte", "max_steps", 500), ("500 pasos", "max_steps", 500),
        ("lr 2e-4", "learning_rate", 2e-4), ("learning rate of 0.0002", "learning_rate", 2e-4), ("lr=5x10^-5", "learning_rate", 5e-5), ("learning rate five e minus six", "learning_rate", 5e-6), ("accumulate 4", "grad_accum", 4), ("训练 2 个epoch", "epochs", 2), ("lr 1x10⁻⁴", "learning_rate", 1e-4), ("learning_rate: 1e-4", "learning_rate", 1e-4),
        ("Lernrate 0,0001", "learning_rate", 1e-4), ("taux d'apprentissage 0,0002", "learning_rate", 2e-4), ("tasa de aprendizaje 0,0002", "learning_rate", 2e-4), ("学习率 1e-4", "learning_rate", 1e-4),
        ("batch of eight", "batch_size", 8), ("batch size 4", "batch_size", 4), ("bs=2", "batch_size", 2), ("Batchgröße 4", "batch_size", 4), ("effective batch size 32", "effective_batch_size", 32), ("global batch of 64", "effective_batch_size", 64),
        ("grad accum 8", "grad_accum", 8), ("gradient_accumulation_steps: 16", "grad_accum", 16), ("rank 16", "lora_rank", 16), ("r=32", "lora_rank", 32), ("Rang 8", "lora_rank", 8), ("rank thirty-two", "lora_rank", 32),
        ("rank 8, alpha twice the rank", "lora_alpha", 16), ("r=8 alpha=2r", "lora_alpha", 16), ("alpha same as rank, rank 8", "lora_alpha", 8), ("dropout .05", "lora_dropout", 0.05), ("dropout 5%", "lora_dropout", 0.05),
        ("max length 4k", "max_seq_len", 4096), ("16k context", "max_seq_len", 16384), ("2048-token context", "max_seq_len", 2048), ("truncate to 1024 tokens", "max_seq_len", 1024), ("Kontextlänge 2048", "max_seq_len", 2048),
        ("warmup 3%", "warmup_ratio", 0.03), ("10% warmup", "warmup_ratio", 0.1), ("100 warmup steps", "warmup_steps", 100), ("warmup 100 steps", "warmup_steps", 100), ("weight decay 0.01", "weight_decay", 0.01), ("seed 7", "seed", 7), ("r=8 a=32", "lora_alpha", 32), ("r 16, a 32, lr 1e-4", "lora_alpha", 32), ("warmup 5 percent", "warmup_ratio", 0.05), ("une seule époque", "epochs", 1),
        ("lr 1e-4, no wait 2e-4", "learning_rate", 2e-4), ("3 epochs. actually no, make it 2", "epochs", 2), ("don't train more than 4 epochs", "epochs", 4), ("3 Epochen, nein, 2 Epochen", "epochs", 2),
        ("raise the rank from 8 to 16", "lora_rank", 16), ("change lr from 1e-4 to 2e-4", "learning_rate", 2e-4), ("6 epochs. oh wait, 4 is enough", "epochs", 4), ("3 Epochen, nein, 2 reichen", "epochs", 2), ("3 époques, non, 2 suffisent", "epochs", 2), ("sequences up to 8k", "max_seq_len", 8192), ("log every 10 steps, 300 steps in total", "max_steps", 300),
    ],
)  # fmt: skip
def test_a_number_finds_its_field(fields, words, field, value):
    found = fields(f"qwen3 8b; {words}; rows.csv")
    assert found[field] == pytest.approx(value)


def test_many_without_commas(fields):
    found = fields(
        "gemma 2 2b rows.csv 3 epochs batch 4 rank 8 alpha 16 dropout 0.1 lr 1e-4 seed 3"
    )
    wanted = {"epochs": 3, "batch_size": 4, "lora_rank": 8, "lora_alpha": 16, "lora_dropout": 0.1, "learning_rate": 1e-4, "seed": 3}  # fmt: skip
    assert {k: found[k] for k in wanted} == wanted


@pytest.mark.parametrize(
    "words",
    [
        "use 8",
        "3-5 epochs",
        "three to four epochs",
        "two or three epochs",
        "not 3 epochs",
        "we are 12 people",
        "save every 100 steps",
        "5 epochs were too many",
        "5 epochs overfit",
        "toutes les 50 étapes",
        "two more epochs than last time",
        "first I thought of 5 epochs",
        "version 2",
    ],
)
def test_no_field_without_its_word(fields, words):
    assert not set(fields(f"{words}, rows.csv")) & {
        "epochs",
        "batch_size",
        "lora_rank",
        "max_steps",
    }


@pytest.mark.parametrize(
    "words", ["rank 8 to 16", "lr 2e-5 to 5e-5", "Rang 8 bis 16", "3-5 epochs", "epochs: 2-4"]
)
def test_the_ends_of_a_range_are_no_value(fields, words):
    found = fields(f"qwen3 8b; {words}; rows.csv")
    assert not {"lora_rank", "learning_rate", "epochs"} & set(found)


def test_two_different_numbers_are_a_conflict(read):
    found = read("3 epochs, qwen3 8b on rows.csv, 5 epochs")
    assert found.conflicts == ["epochs"]
    assert "epochs" not in found.fields
