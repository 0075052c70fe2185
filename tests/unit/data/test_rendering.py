import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podtune.core.dataset import Conversation, Message
from podtune.data import rendering
from podtune.data.rendering import Renderer, prompt_text, template_messages
from podtune.data.template import TemplateRefusedError
from support import build

THINKING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and not loop.last %}{{ m.content.split('</think>')[-1] }}"
    "{% else %}{{ m.content }}{% endif %}<|im_end|>{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}"
)
"""Rewrites history where it holds reasoning."""

NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}"
    "{% endif %}<start_of_turn>{{ m.role }}\n{{ m.content | trim }}<end_of_turn>{{ '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>assistant{{ '\\n' }}{% endif %}"
)

SHOUTING = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.content == 'loud' %}LOUD{% else %}{{ m.content }}{% endif %}<|im_end|>{{ '\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}"
)
"""Looks at contents: for some rows the skeleton does not hold."""

BACKWARDS = (
    "{% for m in messages | reverse %}{{ m.content }}|{% endfor %}"
    "{% if add_generation_prompt %}answer:{% endif %}"
)

TOOLS = (
    "{% if tools %}<tools>{{ tools | tojson }}</tools>{{ '\\n' }}{% endif %}"
    + build.CHATML.replace(
        "{{ message['content'] }}",
        "{% for c in message.tool_calls or [] %}<call>{{ c.function.name }} "
        "{{ c.function.arguments.city }}</call>{% endfor %}{{ message['content'] }}",
    )
)


def folder(tmp_path, template=build.CHATML):
    return build.tokenizer_folder(tmp_path, template)


def turns(*texts, system=None):
    roles = itertools.cycle(["user", "assistant"])
    messages = [Message(role, text) for role, text in zip(roles, texts, strict=False)]
    if system is not None:
        messages.insert(0, Message("system", system))
    return Conversation(tuple(messages), line=1)


def slowly(row, model, system_prompt=None):
    """The same by rendering every prefix."""
    return rendering._slowly(row, template_messages(row, system_prompt), model)


def answers(document):
    return [document.text[start:end] for start, end in document.spans]


def test_answers_are_found_where_they_stand(tmp_path):
    (document,) = Renderer(folder(tmp_path)).documents(turns("Why?", "Because.", "And?", "So."))
    assert answers(document) == ["Because.<|im_end|>\n", "So.<|im_end|>\n"]


def test_an_answer_that_stands_in_the_question_too_is_found_in_its_place(tmp_path):
    (document,) = Renderer(folder(tmp_path)).documents(turns("Say yes", "yes", "yes", "Say yes"))
    assert answers(document) == ["yes<|im_end|>\n", "Say yes<|im_end|>\n"]


def test_an_answer_of_weight_0_has_no_span(tmp_path):
    row = turns("Why?", "Because.", "And?", "So.")
    messages = list(row.messages)
    messages[1] = messages[1]._replace(weight=0)
    (document,) = Renderer(folder(tmp_path)).documents(row._replace(messages=tuple(messages)))
    assert answers(document) == ["So.<|im_end|>\n"]


def test_rows_with_equal_roles_and_other_weights_are_not_confused(tmp_path):
    row = turns("Why?", "Because.", "And?", "So.")
    silent = tuple(m._replace(weight=0) if m.content == "So." else m for m in row.messages)
    renderer = Renderer(folder(tmp_path))
    assert len(renderer.documents(row)[0].spans) == 2
    assert len(renderer.documents(row._replace(messages=silent))[0].spans) == 1


def test_a_template_that_rewrites_history_gives_one_document_for_each_answer(tmp_path):
    row = turns("Why?", "<think>a</think>Because.", "And?", "<think>b</think>So.")
    first, second = Renderer(folder(tmp_path, THINKING)).documents(row)
    assert answers(first) == ["<think>a</think>Because.<|im_end|>\n"]
    assert answers(second) == ["<think>b</think>So.<|im_end|>\n"]
    assert "<think>a" not in second.text


def test_the_same_template_gives_one_document_where_nothing_is_rewritten(tmp_path):
    assert len(Renderer(folder(tmp_path, THINKING)).documents(turns("a", "b", "c", "d"))) == 1


def test_a_content_that_the_template_looks_at_is_rendered_the_slow_way(tmp_path):
    model = folder(tmp_path, SHOUTING)
    renderer = Renderer(model)
    plain, loud = turns("Why?", "Because."), turns("Why?", "loud")
    assert answers(renderer.documents(plain)[0]) == ["Because.<|im_end|>\n"]
    assert answers(renderer.documents(loud)[0]) == ["LOUD<|im_end|>\n"]


def test_a_system_text_goes_before_the_first_question_where_there_is_no_such_role(tmp_path):
    row = turns("Why?", "Because.", system="Be short.")
    (document,) = Renderer(folder(tmp_path, NO_SYSTEM)).documents(row)
    assert "user\nBe short.\n\nWhy?<end_of_turn>" in document.text
    assert answers(document) == ["Because.<end_of_turn>\n"]


def test_a_system_prompt_is_put_before_rows_without_one(tmp_path):
    renderer = Renderer(folder(tmp_path), "Be kind.")
    assert "system\nBe kind.<|im_end|>" in renderer.documents(turns("a", "b"))[0].text
    assert "Be kind." not in renderer.documents(turns("a", "b", system="Own."))[0].text


def test_a_refusal_of_the_template_is_raised(tmp_path):
    template = "{{ raise_exception('never') }}"
    with pytest.raises(TemplateRefusedError, match="never"):
        Renderer(folder(tmp_path, template)).documents(turns("a", "b"))


def test_a_template_that_turns_the_order_round_is_no_prefix_of_itself(tmp_path):
    row = turns("Why?", "Because.")
    model = folder(tmp_path, BACKWARDS)
    assert Renderer(model).documents(row) == slowly(row, model)


def test_tools_and_calls_reach_the_template_with_arguments_as_objects(tmp_path):
    call = {
        "type": "function",
        "id": "1",
        "function": {"name": "weather", "arguments": '{"city": "Linz"}'},
    }
    row = Conversation(
        (
            Message("user", "Weather?"),
            Message("assistant", None, (call,)),
            Message("tool", "12 degrees", tool_call_id="1"),
            Message("assistant", "12 degrees."),
        ),
        line=1,
        tools=({"type": "function", "function": {"name": "weather"}},),
    )
    (document,) = Renderer(folder(tmp_path, TOOLS)).documents(row)
    assert document.text.startswith("<tools>")
    assert answers(document) == ["<call>weather Linz</call><|im_end|>\n", "12 degrees.<|im_end|>\n"]


def test_what_the_template_writes_behind_an_answer_is_known(tmp_path):
    spoken = build.CHATML.replace("<|im_end|>", "<|im_end|> (end of turn)")
    model, row = folder(tmp_path, spoken), turns("Why?", "Because.")
    for (document,) in (Renderer(model).documents(row), slowly(row, model)):
        assert document.closings == (len("<|im_end|> (end of turn)\n"),)
        assert answers(document) == ["Because.<|im_end|> (end of turn)\n"]


@pytest.mark.parametrize(
    ("text", "content", "closing"),
    [("a b.<e>", "b.", 3), ("b<e>", " b\n", 3), ("end<end>", "end", 1), ("x<e>", "y", 0), ("<e>", "", 0)],
)  # fmt: skip
def test_of_what_looks_like_the_answer_the_last_is_taken(text, content, closing):
    assert rendering._closing(text, content) == closing


def test_each_answer_can_have_a_document_that_ends_with_it(tmp_path):
    row = turns("Why?", "Because.", "And?", "So.", system="s")
    first, second = Renderer(folder(tmp_path)).one_each(row)
    assert answers(first) == ["Because.<|im_end|>\n"]
    assert first.text.endswith("Because.<|im_end|>\n")
    assert answers(second) == ["So.<|im_end|>\n"]
    assert "Because." in second.text
    assert (first.turns, second.turns) == (3, 5)
    assert first.is_one_answer
    assert second.is_one_answer
    (whole,) = Renderer(folder(tmp_path)).documents(row)
    assert not whole.is_one_answer


ENDS_NOWHERE = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content %}<think>"
    "{{ m.reasoning_content }}</think>{% endif %}{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def test_the_next_turn_is_what_stands_between_an_answer_and_the_words_after_it(tmp_path):
    renderer = Renderer(folder(tmp_path, ENDS_NOWHERE))
    row = turns("Why?", "Because.", "And?", "So.")
    assert renderer.next_turn(row, 2).startswith("<|user|>")
    thinking = row._replace(
        messages=tuple(m._replace(reasoning_content="hm") if m.role == "assistant" else m for m in row.messages)
    )  # fmt: skip
    assert renderer.next_turn(thinking, 4) == renderer.next_turn(row, 4)


def test_after_a_call_a_tool_speaks_next(tmp_path):
    call = {"type": "function", "id": "1", "function": {"name": "w", "arguments": "{}"}}
    row = Conversation((Message("user", "a"), Message("assistant", None, (call,))), line=1)
    assert Renderer(folder(tmp_path, ENDS_NOWHERE)).next_turn(row, 2).startswith("<|tool|>")


def test_there_is_no_next_turn_where_the_template_refuses_it(tmp_path):
    template = "{% if messages | length > 2 %}{{ raise_exception('enough') }}{% endif %}x"
    assert Renderer(folder(tmp_path, template)).next_turn(turns("a", "b"), 2) == ""


def test_a_document_tells_whether_it_goes_on_from_its_prompt(tmp_path):
    opened = build.CHATML.replace("assistant{{ '\\n' }}", "assistant{{ '\\n<think>' }}")
    assert opened != build.CHATML
    assert not Renderer(folder(tmp_path, opened)).documents(turns("a", "b"))[0].grew
    assert Renderer(folder(tmp_path)).documents(turns("a", "b"))[0].grew


def test_messages_for_the_template_hold_nothing_that_is_absent():
    row = Conversation(
        (Message("user", "a", name="Jo"), Message("assistant", "b", reasoning_content="hm")), line=1
    )
    assert template_messages(row) == [
        {"role": "user", "content": "a", "name": "Jo"},
        {"role": "assistant", "content": "b", "reasoning_content": "hm", "thinking": "hm"},
    ]
    assert json.dumps(template_messages(row, "s")[0]) == '{"role": "system", "content": "s"}'


def test_the_prompt_ends_where_the_model_would_speak(tmp_path):
    row = turns("Why?", "Because.", "And?", "So.")
    prompt = prompt_text(row, folder(tmp_path))
    assert prompt.endswith("<|im_start|>user\nAnd?<|im_end|>\n<|im_start|>assistant\n")


TEXTS = st.text(max_size=30).map(str.strip).filter(bool)


@given(
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3),
    st.none() | TEXTS,
    st.sampled_from([build.CHATML, THINKING, NO_SYSTEM, SHOUTING, BACKWARDS]),
)
@settings(deadline=None)
def test_the_fast_way_gives_what_the_slow_way_gives(tmp_path_factory, pairs, system, template):
    model = _folder_of(tmp_path_factory, template)
    row = turns(*itertools.chain.from_iterable(pairs), system=system)
    fast = Renderer(model).documents(row)
    without = {"compared": False, "closings": ()}
    assert [d._replace(**without) for d in fast] == [
        d._replace(**without) for d in slowly(row, model)
    ]


_FOLDERS = {}


def _folder_of(tmp_path_factory, template):
    if template not in _FOLDERS:
        _FOLDERS[template] = folder(tmp_path_factory.mktemp("model"), template)
    return _FOLDERS[template]
