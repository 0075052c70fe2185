"""A question of fact is no order, and what is named in it is stated by nobody."""

import pytest

from podtune.intake.words import facts
from podtune.intake.words.parse import documented
from support.words import NOW

QUESTIONS = [
    "what is an epoch?", "Was ist ein Epoch?", "Qu'est-ce qu'une époque ?", "¿Qué es una época?", "Cos'è un'epoca?", "O que é uma época?", "什么是LoRA?", "combien d'époques faut-il ?",
    "Should I take 2 or 3 epochs?", "is rank 64 too much?", "is $5 a usual budget?", "dois-je prendre 3 époques ?", "brauche ich Spot?", "will my adapter be public?", "what happens after 3 epochs?", "explain what rank 16 means", "Hi! Just curious. Which learning rate is usual?",
    "can you explain what rank means? don't train anything", "If I leave it out, will it be private?",
    "Ich möchte wissen, was ein LoRA ist.", "Je voudrais savoir ce qu'est un LoRA", "Me gustaría saber qué es una época", "vorrei sapere cos'è un LoRA", "define epoch", "Compare LoRA with QLoRA", "don't do anything yet, I just want to know what LoRA is", "How do I stop a run?", "wie kann ich einen Lauf abbrechen?",
]  # fmt: skip


@pytest.mark.parametrize("words", QUESTIONS)
def test_a_question_states_nothing(read, words):
    found = read(words)
    assert dict(found.fields) == {"intent": "other"}
    assert (found.must_ask, found.must_confirm, found.conflicts) == ([], [], [])


@pytest.mark.parametrize(
    "words",
    [
        "could you train qwen3 4b on rows.csv?", "can you fine-tune mistral on our support tickets?", "kannst du Gemma auf unseren Mails trainieren?", "what is an epoch? qwen3 4b on rows.csv, 2 of them", "why not 3 epochs, qwen3 4b", "how about rank 8?", "qwen3 4b, 3 epochs, ok?", "Is this enough? Then 3 epochs.", "I was wondering whether you could fine-tune Gemma on our FAQ", "Erklärbot mit qwen3 4b, 3 Epochen", "run it again but cheaper",
    ],
)  # fmt: skip
def test_an_order_may_end_with_a_question_mark(fields, words):
    assert fields(words)["intent"] == "train"


def test_whether_a_model_fits_on_a_card_is_told_by_a_plan(fields):
    found = fields("does a 70b fit on one T4?")
    assert (found["intent"], found["gpu_type"]) == ("estimate", "T4")


def test_data_beside_a_verb_of_training_is_an_order_unless_it_is_asked_how():
    document = documented("is it possible to train on my mails?", NOW)
    assert not facts.asks_only(document, has_data=True, trains=True)
    document = documented("how do I train on my mails?", NOW)
    assert facts.asks_only(document, has_data=True, trains=True)


@pytest.mark.parametrize("words", ["which model would you take for rows.csv?", "how many epochs should I use for rows.csv?", "before training, what checks do you run on rows.csv?", "what would you need to train on rows.csv?"])  # fmt: skip
def test_a_question_about_data_is_answered_with_a_plan(fields, words):
    found = fields(words)
    assert (found["intent"], found["dataset_ref"]) == ("estimate", "rows.csv")
    assert facts.asks_all(documented(words, NOW), trains=False)
    assert not facts.asks_all(documented(f"{words} qwen3 4b please", NOW), trains=False)


def test_beside_a_verb_of_training_only_what_and_its_like_order_nothing():
    assert facts.asks_all(documented("if I train on rows.csv, who can see it?", NOW), trains=True)
    assert not facts.asks_all(documented("is it possible to train on rows.csv?", NOW), trains=True)


@pytest.mark.parametrize(("words", "is_asked"), [("how do I stop a run?", True), ("how is my run going?", False), ("stop my run", False)])  # fmt: skip
def test_how_something_is_done(words, is_asked):
    assert facts.asks_how(documented(words, NOW)) == is_asked
