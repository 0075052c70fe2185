"""Requests made from parts whose meaning is known, in six languages."""

from datetime import datetime

from hypothesis import strategies as st

NOW = datetime(2026, 11, 22, 10)  # noqa: DTZ001 - local time

LANGUAGES = {
    "en": ("Please train {model} on {data}", "{n} epochs", "at most {m} dollars", "learning rate {lr}", "batch size {b}", "keep it private"),
    "de": ("Trainiere bitte {model} auf {data}", "{n} Epochen", "höchstens {m} Dollar", "Lernrate {lr}", "Batchgröße {b}", "bitte privat"),
    "fr": ("Entraîne {model} sur {data}", "{n} époques", "pas plus de {m} dollars", "taux d'apprentissage {lr}", "taille de batch {b}", "garde-le privé"),
    "es": ("Entrena {model} con {data}", "{n} épocas", "no más de {m} dólares", "tasa de aprendizaje {lr}", "tamaño de lote {b}", "déjalo privado"),
    "it": ("Addestra {model} su {data}", "{n} epoche", "al massimo {m} dollari", "tasso di apprendimento {lr}", "dimensione del batch {b}", "tienilo privato"),
    "pt": ("Treine o {model} com {data}", "{n} épocas", "no máximo {m} dólares", "taxa de aprendizado {lr}", "tamanho do lote {b}", "deixe privado"),
}  # fmt: skip
MODELS = {
    "Llama 3.1 8B": ("llama", "3.1", 8), "qwen2.5-7b": ("qwen", "2.5", 7), "Mistral 7B v0.3": ("mistral", "0.3", 7), "gemma 2 9b": ("gemma", "2", 9), "SmolLM2 360M": ("smollm", "2", 0.36),
    "granite 3.3 2b": ("granite", "3.3", 2), "Qwen/Qwen3-4B": ("qwen", "3", 4), "phi-4": ("phi", "4", None), "falcon 7b": ("falcon", None, 7),
}  # fmt: skip
DATA = (
    "rows.csv",
    "./a/rows.jsonl",
    "~/exports/chats.json",
    "s3://bkt/rows.parquet",
    "https://example.com/rows.jsonl",
    "/data/rows.jsonl.gz",
)
CARDS = ("A100", "H100", "RTX 4090", "L40S", "T4")


@st.composite
def composed(draw):
    """A request and what it states: parts in any order, each there or not."""
    language = draw(st.sampled_from(sorted(LANGUAGES)))
    start, epochs, money, rate, batch, private = LANGUAGES[language]
    model, data = draw(st.sampled_from(sorted(MODELS))), draw(st.sampled_from(DATA))
    n, m, b = (draw(st.integers(low, high)) for low, high in ((1, 9), (1, 90), (1, 64)))
    lr = draw(st.sampled_from(("0.0002", "2e-4", "0.00005")))
    parts = [
        (epochs.format(n=n), {"epochs": n}),
        (money.format(m=m), {"budget_amount": m, "budget_currency": "USD", "budget_scope": "total", "budget_kind": "max"}),
        (rate.format(lr=lr), {"learning_rate": float(lr)}),
        (batch.format(b=b), {"batch_size": b}),
        (private, {"visibility": "private"}),
    ]  # fmt: skip
    card = draw(st.sampled_from(CARDS))
    parts.append((card, {"gpu_type": card}))
    chosen = draw(st.lists(st.sampled_from(parts), unique_by=lambda part: part[0], max_size=6))
    family, version, size = MODELS[model]
    wanted = {
        "base_model_family": family,
        "base_model_version": version,
        "base_model_size_b": size,
        "dataset_ref": data,
        "intent": "train",
    }
    for absent in (
        "epochs",
        "budget_amount",
        "batch_size",
        "visibility",
        "gpu_type",
        "gpu_count",
        "max_hours",
        "where",
        "region",
        "spot",
    ):
        wanted[absent] = None
    for _, states in chosen:
        wanted |= states
    joint = draw(st.sampled_from((", ", "; ", ". ")))
    return joint.join(
        (start.format(model=model, data=data), *(words for words, _ in chosen))
    ), wanted
