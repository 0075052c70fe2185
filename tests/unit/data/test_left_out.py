import pytest

from podtune.core.dataset import Conversation, Message
from podtune.data.left_out import left_out
from podtune.data.rendering import Renderer
from support import build

CALL = {"id": "1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}
TOOL = {"type": "function", "function": {"name": "find"}}

DECLARES = "{{ tools | tojson }}" + build.CHATML
"""Shows which tools there are, and no call."""

SHOWS = DECLARES.replace(
    "{{ message['content'] }}",
    "{% for c in message.tool_calls or [] %}[{{ c.function.name }}]{% endfor %}"
    "{{ message['content'] }}",
)
FIRST_CALL_ONLY = SHOWS.replace("message.tool_calls or []", "(message.tool_calls or [])[:1]")
THINKS = build.CHATML.replace(
    "{{ message['content'] }}", "{{ message.reasoning_content }}{{ message['content'] }}"
)
OTHER_NAME = build.CHATML.replace("message['content']", "message.text")
"""Looks for the words where they are not."""

SHOUTS = build.CHATML.replace("message['content'] ", "message['content'] | upper ")
SPLITS = build.CHATML.replace("message['content'] ", "message['content'].split('</think>')[-1] ")


def row(*answers, tools=(), **more):
    messages = [Message("user", "Find it."), *answers]
    return Conversation(tuple(messages), line=1, tools=tools)


def missing(tmp_path, template, conversation):
    folder = build.tokenizer_folder(tmp_path, template)
    return left_out(conversation, Renderer(folder).documents(conversation), folder)


SAID = Message("assistant", "There.")
CALLED = Message("assistant", None, (CALL,))
THOUGHT = Message("assistant", "There.", reasoning_content="Hm, where?")


@pytest.mark.parametrize(
    ("template", "answers", "code"),
    [
        (build.CHATML, [SAID], None),
        (OTHER_NAME, [SAID], "answer_lost"),
        (OTHER_NAME, [SAID, Message("user", "x"), SAID], "answer_lost"),
        (SHOUTS, [SAID], None),
        (SPLITS, [Message("assistant", "<think>a</think>There.")], None),
        (DECLARES, [CALLED], "tool_calls_lost"),
        (SHOWS, [CALLED], None),
        (SHOWS, [Message("assistant", None, (CALL, CALL))], None),
        (FIRST_CALL_ONLY, [Message("assistant", None, (CALL, CALL))], "tool_calls_lost"),
        (build.CHATML, [THOUGHT], "reasoning_left_out"),
        (THINKS, [THOUGHT], None),
    ],
)
def test_what_is_left_out_is_told(tmp_path, template, answers, code):
    tools = (TOOL,) if any(m.tool_calls for m in answers) else ()
    assert missing(tmp_path, template, row(*answers, tools=tools)) == code


def test_an_answer_of_weight_0_may_be_left_out(tmp_path):
    conversation = row(THOUGHT._replace(weight=0), Message("user", "x"), SAID)
    assert missing(tmp_path, build.CHATML, conversation) is None


def test_an_empty_answer_is_not_lost(tmp_path):
    assert missing(tmp_path, OTHER_NAME, row(Message("assistant", " "))) is None


def test_the_system_prompt_is_counted_with(tmp_path):
    folder = build.tokenizer_folder(tmp_path, THINKS)
    conversation = row(THOUGHT)
    documents = Renderer(folder, "Be brief.").documents(conversation)
    assert left_out(conversation, documents, folder, "Be brief.") is None
