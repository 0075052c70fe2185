"""The base model: by id it is stated, by name it is assumed, and what is open is asked."""

import pytest

from podtune.core.errors import SpecError
from support.understanding import asked, heard


def test_an_id_is_stated():
    found = heard("Train Qwen/Qwen3-0.6B on a.csv")
    assert found.stated["base_model.name"] == "Qwen/Qwen3-0.6B"
    assert asked(found, "base_model") is None


def test_a_whole_name_is_looked_up_and_not_asked():
    found = heard("llama 3.2 1b on a.csv")
    name, why = found.assumed["base_model.name"]
    assert name == "meta-llama/Llama-3.2-1B-Instruct"
    assert why.startswith("the release of that name")
    assert found.quotes["base_model.name"] == "llama 3.2 1b"
    assert asked(found, "base_model") is None


def test_a_name_that_leaves_several_is_confirmed():
    found = heard("Fine-tune Mistral on a.csv")
    question = asked(found, "base_model")
    assert not question.must
    names = [o.value for o in question.options]
    assert names[:2] == ["mistralai/Mistral-7B-Instruct-v0.3", "mistralai/Mistral-7B-Instruct-v0.2"]
    assert found.assumed["base_model.name"][0] == names[0]
    assert all(o.why for o in question.options)


def test_what_cannot_be_trained_is_asked_with_what_can():
    found = heard("gemma-3-4b-it on a.csv")
    question = asked(found, "base_model")
    assert question.must
    assert "sees pictures" in question.text
    assert "base_model.name" not in found.assumed
    assert asked(heard("Finetune gpt-4o-mini on a.csv"), "base_model").must


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("2", "mistralai/Mistral-7B-Instruct-v0.2"),
        ("mistralai/Mistral-7B-v0.1", "mistralai/Mistral-7B-v0.1"),
        ("acme/ours", "acme/ours"),
        ("qwen3 8b", "Qwen/Qwen3-8B"),
    ],
)
def test_an_answer_is_stated(answer, name):
    found = heard("Fine-tune Mistral on a.csv", base_model=answer)
    assert found.stated["base_model.name"] == name
    assert asked(found, "base_model") is None


@pytest.mark.parametrize("answer", ["the best one", "qwen3 999b", "../../etc", "/etc/passwd"])
def test_an_answer_that_names_none_is_refused(answer):
    with pytest.raises(SpecError, match="no answer"):
        heard("Fine-tune Mistral on a.csv", base_model=answer)
