"""What is asked before and after: the same prompt that was trained on."""

import pytest
from tokenizers.processors import TemplateProcessing

from podtune.core.dataset import TEXT_ROLE, Conversation, Message
from podtune.core.spec import Method
from podtune.data.prompts import BEGINNING, asked
from podtune.data.rendering import prompt_text
from podtune.data.text_pieces import encode_texts
from support import build


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build.tokenizer_folder(tmp_path_factory.mktemp("tokenizer"))


def text(content):
    return Conversation((Message(TEXT_ROLE, content),), 1)


def test_a_conversation_is_asked_its_last_question(folder):
    row = build.conversation("Why?", "So.")
    (found,) = asked([row], folder, "Be brief.", Method.SFT)
    assert found.prompt == prompt_text(row, folder, "Be brief.")
    assert (found.question, found.expected) == ("Why?", "So.")


@pytest.mark.parametrize("method", [Method.DPO, Method.ORPO, Method.KTO])
def test_a_weighed_answer_is_asked_for_as_any_other(method, folder):
    row = build.conversation("Why?", "So.")._replace(rejected=(Message("assistant", "No."),))
    assert asked([row], folder, None, method) == asked([row], folder, None, Method.SFT)


def test_a_text_is_to_be_gone_on_with(folder):
    content = "Once upon a time there was a fox. " * 40
    (found,) = asked([text(content)], folder, None, Method.CPT)
    assert found.prompt == found.question
    assert found.question + found.expected == content
    ids = folder.tokenizer.encode(found.prompt, add_special_tokens=False).ids
    assert len(ids) == BEGINNING
    (whole,) = encode_texts([text(content)], folder).examples
    assert list(whole.input_ids[: len(ids) - 1]) == ids[:-1]


def test_of_a_short_text_half_is_shown(folder):
    (found,) = asked([text("ab cd")], folder, None, Method.CPT)
    assert found.question
    assert found.expected
    assert found.question + found.expected == "ab cd"


@pytest.mark.parametrize("content", ["x", "\u00e9", "\U0001f44d"])
def test_the_shortest_text_is_a_prompt_too(content, folder):
    (found,) = asked([text(content)], folder, None, Method.CPT)
    assert folder.tokenizer.encode(found.prompt, add_special_tokens=False).ids


def test_a_prompt_begins_as_the_texts_that_are_trained_on(tmp_path):
    folder = build.tokenizer_folder(tmp_path, None)
    begins = TemplateProcessing(single="<|im_start|> $A", special_tokens=[("<|im_start|>", 1)])
    folder.tokenizer.post_processor = begins
    (found,) = asked([text("Once upon a time.")], folder, None, Method.CPT)
    ids = folder.tokenizer.encode(found.prompt, add_special_tokens=False).ids
    assert ids[0] == 1
    assert found.prompt == "<|im_start|>" + found.question
