"""Negation reaches its clause, a correction makes the last word count, two words are a conflict."""

import pytest

from podtune.intake.words.candidates import Candidate
from podtune.intake.words.clauses import is_refused, settle, without_asked


@pytest.mark.parametrize(
    ("words", "family"),
    [
        ("not llama but mistral", "mistral"), ("kein Llama, sondern Mistral", "mistral"), ("mistral instead of llama", "mistral"),
        ("llama - no, mistral", "mistral"), ("use mistral, not llama", "mistral"), ("don't use llama. mistral", "mistral"), ("no Llama sino Mistral", "mistral"),
    ],
)  # fmt: skip
def test_what_is_refused_is_not_chosen(fields, words, family):
    assert fields(f"train {words} on rows.csv")["base_model_family"] == family


@pytest.mark.parametrize("words", ["please don't start before I say so: qwen3 4b", "no H100 when an A4000 does it too, qwen3 4b"])  # fmt: skip
def test_a_negation_ends_with_its_clause(fields, words):
    found = fields(f"{words}, rows.csv")
    assert found["base_model_family"] == "qwen"
    assert found.get("gpu_type") == ("A4000" if "A4000" in words else None)


def test_what_is_listed_behind_a_refusal_is_refused(fields):
    assert fields("qwen3 4b on rows.csv. don't use: A100")["gpu_avoid"] == ["A100"]


def test_the_last_word_after_a_correction():
    values = [Candidate("epochs", 3, 0, 5), Candidate("epochs", 2, 20, 25)]
    assert settle(values, [10]).chosen["epochs"].value == 2
    assert settle(values, []).conflicts == ["epochs"]
    assert settle([values[0], values[0]._replace(start=9)], []).chosen["epochs"].value == 3


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [("spot or on-demand? spot", "spot", True), ("spot ou à la demande ? à la demande", "spot", False), ("$5 or $10? make it $5", "budget_amount", 5), ("private or public? private", "visibility", "private"), ("A100 or H100? H100", "gpu_type", "H100")],
)  # fmt: skip
def test_whoever_answers_their_own_question_chooses(read, words, field, value):
    found = read(f"{words}. qwen3 8b on rows.csv")
    assert (found.fields[field], found.conflicts) == (value, [])


def test_a_choice_of_which_one_side_is_known_states_nothing():
    asked = Candidate("cloud_tier", "community", 10, 19)
    assert without_asked([asked], [25]) == []
    assert without_asked([asked], []) == [asked]


@pytest.mark.parametrize("words", ["spot: no", "spot=false", "spot? no", "spot is a no-go", "spot ist nicht ok", "niente spot", "nichts mit spot", "nada de spot", "spot brauche ich nicht"])  # fmt: skip
def test_a_refusal_right_beside_a_wish(words):
    loose = words.replace("-", " ")
    start = loose.index("spot")
    assert is_refused(loose, start, start + 4)


@pytest.mark.parametrize("words", ["spot: no problem", "spot is fine", "spot is not only cheaper", "spot, no wait", "spot nehmen wenn nicht teurer", "spot und nicht lokal"])  # fmt: skip
def test_no_refusal(words):
    assert not is_refused(words, 0, 4)
