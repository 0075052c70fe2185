"""What a sentence asks instead of ordering; most of it is seen by the intent it leads to."""

import pytest

from podtune.intake.words import inquiries
from podtune.intake.words.parse import documented
from support.words import NOW


@pytest.fixture
def says():
    """A question about a text, by the name of its function."""
    return lambda name, words: getattr(inquiries, name)(documented(words, NOW))


@pytest.mark.parametrize(
    "words",
    [
        "I'd like to know what three epochs on rows.csv come to", "would $20 cover it?", "cost of qwen3 4b on rows.csv?", "how many GPU hours does it need", "tell me the price", "Mit welchen Kosten muss ich rechnen?", "Wie lange würde das dauern?",
        "Dis-moi ce que coûterait llama 3.2 3b", "Dime el precio", "Calcola il costo", "Qual seria o custo?", "大概要多少美元?",
    ],
)  # fmt: skip
def test_a_price_is_asked_for(says, words):
    assert says("asks_price", words)


@pytest.mark.parametrize(
    "words",
    [
        "no matter what it costs", "I don't care what it costs", "what it costs is not important", "a bot that tells people what shipping costs", "Mach mir einen Bot, der sagt, was ein Umzug kostet", "teach llama 3.2 3b to say what things cost", "at most $5",
    ],
)  # fmt: skip
def test_no_price_is_asked_for(says, words):
    assert not says("asks_price", words)


@pytest.mark.parametrize(
    "words",
    ["don't start anything yet", "do not launch anything: qwen3 8b", "noch nichts starten", "ne lance rien", "no empieces todavía", "non avviare niente", "先不要训练"],
)  # fmt: skip
def test_nothing_may_start(says, words):
    assert says("holds_off", words)


@pytest.mark.parametrize(
    "words",
    ["don't train more than 3 epochs", "do not run longer than 2 hours", "don't train on rows without an answer", "not on runpod! run it on this machine", "don't start from scratch"],
)  # fmt: skip
def test_a_limit_holds_nothing_off(says, words):
    assert not says("holds_off", words)


@pytest.mark.parametrize(
    ("words", "intent"),
    [
        ("what did job-31 cost", "status"), ("what happened to my job from last night?", "status"), ("What did my last run cost?", "status"), ("Was hat mein letzter Lauf gekostet?", "status"), ("how much did I spend this month?", "status"), ("are we done yet?", "status"), ("teach qwen3 4b to estimate delivery times from rows.csv", "train"), ("un bot que diga cuánto cuesta un viaje, rows.csv, qwen3 4b", "train"), ("how long will job-12 still take", "status"), ("how much would it cost to run job-12 again with 5 epochs", "estimate"), ("job-12?", "status"), ("is the qwen training finished?", "status"), ("how's the llama run going?", "status"),
        ("I want job-5 stopped", "stop"), ("I'd like you to end run r-204", "stop"), ("kill the training on rows.csv", "stop"), ("Peux-tu stopper le job 12-b ?", "stop"), ("stop training after 500 steps, qwen3 4b on rows.csv", "train"), ("rerun job-7 on rows.csv", "train"),
        ("is there anything wrong with rows.csv?", "check_data"), ("can I use rows.csv for training?", "check_data"), ("Does my spreadsheet rows.xlsx need cleaning?", "check_data"), ("Taugt rows.csv als Trainingsdaten?", "check_data"), ("check whether rows.csv parses, no training for now", "check_data"), ("is rows.csv fine? if so train qwen3 4b on it", "train"),
        ("What is LoRA?", "other"), ("which models can you train?", "other"), ("write me a poem about llamas", "other"), ("Was ist QLoRA?", "other"), ("combien d'époques faut-il ?", "other"), ("combien coûte une époque ?", "estimate"), ("你支持哪些模型?", "other"), ("Could you fine-tune qwen3 4b on rows.csv?", "train"), ("¿Podrías entrenar qwen3 4b con rows.csv?", "train"), ("能不能用 rows.csv 微调 Qwen3-4B?", "train"),
    ],
)  # fmt: skip
def test_what_it_leads_to(fields, words, intent):
    assert fields(words)["intent"] == intent
