"""Wishes of a few words, and their negation."""

import pytest


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        ("dpo", "method", "dpo"), ("continued pretraining", "method", "cpt"), ("qlora", "adapter", "qlora"), ("qlora", "quant_bits", 4), ("4-bit", "adapter", "qlora"), ("8-bit", "quant_bits", 8), ("full fine-tune", "adapter", "full"), ("dora", "adapter", "dora"),
        ("bf16", "precision", "bf16"), ("cosine schedule", "lr_scheduler", "cosine"), ("packing on", "packing", True), ("no packing", "packing", False), ("packing off", "packing", False), ("without evaluation", "eval_enabled", False), ("niente valutazione", "eval_enabled", False), ("ohne Evaluation", "eval_enabled", False),
        ("locally", "where", "local"), ("on my laptop", "where", "local"), ("auf meinem Rechner", "where", "local"), ("on runpod", "where", "runpod"), ("serverless", "runpod_mode", "serverless"), ("secure cloud", "cloud_tier", "secure"), ("spot is fine", "spot", True), ("spot: no", "spot", False), ("spot not allowed", "spot", False), ("不要用spot", "spot", False), ("在runpod上", "where", "runpod"), ("à la demande", "spot", False), ("nada de spot", "spot", False), ("train right here", "where", "local"), ("lora or qlora? lora", "adapter", "lora"), ("no spot", "spot", False),
        ("strip emails and phone numbers", "redact_pii", True), ("anonymisiere die E-Mails", "redact_pii", True), ("supprime les e-mails", "redact_pii", True), ("脱敏", "redact_pii", True), ("nothing may leave this machine", "local_only", True), ("don't upload anything", "local_only", True), ("non devono lasciare questo computer", "local_only", True), ("os dados não podem sair da minha máquina", "local_only", True), ("the names have to be blacked out", "redact_pii", True), ("where: local", "where", "local"), ("nichts hochladen", "local_only", True),
        ("delete the data afterwards", "delete_after", True), ("without asking me", "skip_confirmation", True), ("ohne nachzufragen", "skip_confirmation", True), ("sin preguntar", "skip_confirmation", True),
    ],
)  # fmt: skip
def test_a_wish(fields, words, field, value):
    assert fields(f"qwen3 8b on rows.csv, {words}")[field] == value


@pytest.mark.parametrize(
    ("words", "field"),
    [("don't use community cloud", "cloud_tier"), ("no serverless", "runpod_mode"), ("not a pod", "runpod_mode"), ("not on runpod", "where"), ("don't strip emails", "redact_pii"), ("lora_alpha: 8", "adapter"), ("no qlora", "adapter"), ("community cloud is not ok", "cloud_tier"), ("runpod: no", "where")],
)  # fmt: skip
def test_what_is_refused_states_nothing(fields, words, field):
    assert field not in fields(f"qwen3 8b on rows.csv, {words}")


@pytest.mark.parametrize(
    ("words", "field"),
    [("the data is on my laptop, upload it", "where"), ("die Daten liegen auf meinem Rechner", "where"), ("don't upload the adapter to the hub", "local_only"), ("do not upload it to Hugging Face", "local_only"), ("save it locally", "where"), ("speichere das Ergebnis lokal", "where"), ("emails are already removed", "redact_pii"), ("it should learn to remove personal data", "redact_pii"), ("secure or community cloud", "cloud_tier"), ("data may not leave the EU", "local_only"), ("a bot that runs locally", "where"), ("I want to run the model on my laptop later", "where")],
)  # fmt: skip
def test_what_is_said_of_something_else(fields, words, field):
    assert field not in fields(f"qwen3 8b with rows.csv, {words}")
