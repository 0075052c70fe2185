import pytest

from podtune.data import answer_start
from podtune.data.answer_start import STAND_IN
from podtune.data.template import ChatTemplate
from support import build

OPENS_THOUGHT = build.CHATML.replace(
    "<|im_start|>assistant{{ '\\n' }}{% endif %}",
    "<|im_start|>assistant{{ '\\n<think>\\n' }}{% endif %}",
)
"""The prompt opens a thought that the finished turn does not show."""

FORGETS_THOUGHTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and loop.last %}<think>{{ m.reasoning_content }}</think>"
    "{% endif %}{{ m.content }}<|im_end|>{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}"
)
"""Shows the thought of the last answer, were it a prompt's or a finished one's."""

DROPS_BEFORE_AN_ANSWER = (
    "{% set ns = namespace(done=false) %}{% for m in messages %}"
    "{% if m.role == 'assistant' and not m.tool_calls %}{% set ns.done = true %}{% endif %}"
    "{% endfor %}{% for m in messages %}<|start|>{{ m.role }}"
    "{% if m.tool_calls %}{% if not ns.done %}<a>{{ m.reasoning_content }}<|start|>{{ m.role }}"
    "{% endif %} to={{ m.tool_calls[0].function.name }}<|call|>"
    "{% elif m.reasoning_content %}<a>{{ m.reasoning_content }}<|start|>{{ m.role }}<f>"
    "{{ m.content }}<|return|>{% else %}<f>{{ m.content }}<|end|>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant{% endif %}"
)
"""Drops the thought before a call once an answer follows, as gpt-oss does."""


def found(source, messages):
    template = ChatTemplate(source, {})
    text, start, grew = answer_start.find(template, messages)
    assert text == template.render(messages)
    return text[start:], grew


def turn(role, content, **more):
    return {"role": role, "content": content, **more}


ASKED = turn("user", "Why?")


def test_an_answer_begins_where_the_prompt_ends():
    answer, grew = found(build.CHATML, [ASKED, turn("assistant", "Because.")])
    assert (answer, grew) == ("Because.<|im_end|>\n", True)


@pytest.mark.parametrize("content", ["Because.", "<thin", "<think>\nx", ""])
def test_an_opened_thought_that_the_text_lacks_hides_nothing_of_the_answer(content):
    answer, grew = found(OPENS_THOUGHT, [ASKED, turn("assistant", content)])
    assert answer == f"{content}<|im_end|>\n" or (content, answer) == (
        "<think>\nx",
        "x<|im_end|>\n",
    )
    assert grew is (content == "<think>\nx")


def test_of_two_answers_in_a_row_only_the_last_is_found():
    thinking = {"reasoning_content": "hm"}
    messages = [ASKED, turn("assistant", "One.", **thinking), turn("assistant", "Two.", **thinking)]
    answer, grew = found(FORGETS_THOUGHTS, messages)
    assert (answer, grew) == ("<think>hm</think>Two.<|im_end|>\n", False)


def test_what_a_tool_said_is_none_of_the_answer_after_it():
    call = {"function": {"name": "look", "arguments": {}}}
    messages = [
        ASKED,
        turn("assistant", "", tool_calls=[call], reasoning_content="I look."),
        turn("tool", "Found it."),
        turn("assistant", "There.", reasoning_content="Good."),
    ]
    answer, grew = found(DROPS_BEFORE_AN_ANSWER, messages)
    assert (answer, grew) == ("<a>Good.<|start|>assistant<f>There.<|return|>", False)


def test_a_message_without_words_keeps_its_calls_and_loses_its_thoughts():
    message = turn("assistant", "So.", reasoning_content="a", thinking="a", tool_calls=[1])
    assert answer_start.wordless(message) == turn("assistant", STAND_IN, tool_calls=[1])
    assert answer_start.wordless(turn("assistant", "")) == turn("assistant", "")
