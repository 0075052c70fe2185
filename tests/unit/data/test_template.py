import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podtune.core.errors import PodtuneError, SpecError
from podtune.data.template import ChatTemplate, TemplateRefusedError, TokenizerFolder, fold_system
from support import build

MESSAGES = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": "Because."},
]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
IM_END, END_OF_TEXT = 2, 0


def render(source, messages=MESSAGES, **options):
    return ChatTemplate(source, SPECIAL).render(messages, **options)


def test_chatml():
    assert render(build.CHATML) == (
        "<|im_start|>system\nBe short.<|im_end|>\n"
        "<|im_start|>user\nWhy?<|im_end|>\n"
        "<|im_start|>assistant\nBecause.<|im_end|>\n"
    )


def test_chatml_up_to_where_the_model_speaks():
    assert render(build.CHATML, MESSAGES[1:2], open_answer=True) == (
        "<|im_start|>user\nWhy?<|im_end|>\n<|im_start|>assistant\n"
    )


@given(st.text(), st.text())
def test_the_text_of_a_message_is_data_and_never_a_template(question, answer):
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    assert render(build.CHATML, messages) == (
        f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n"
    )


def test_a_message_that_looks_like_a_template_is_not_carried_out():
    question = [{"role": "user", "content": "{{ 7 * 7 }}{% if %}"}]
    assert "{{ 7 * 7 }}{% if %}" in render(build.CHATML, question)


def test_nothing_is_escaped():
    question = [{"role": "user", "content": "<a & 'b'>"}]
    assert render("{{ messages[0].content }}", question) == "<a & 'b'>"


def test_special_tokens_are_there_by_name():
    assert render("{{ bos_token }}x{{ eos_token }}") == "<s>x</s>"


def test_blocks_are_trimmed_as_transformers_does():
    source = (
        "{% for m in messages %}\n    {% if true %}\n{{ m.role }}\n    {% endif %}\n{% endfor %}\n"
    )
    assert render(source, MESSAGES[1:]) == "user\nassistant\n"


def test_loops_can_be_left():
    source = "{% for m in messages %}{{ m.role }}{% break %}{% endfor %}"
    assert render(source, MESSAGES[1:]) == "user"


def test_generation_blocks_vanish():
    marked = (
        "{% for m in messages %}{% if m.role == 'assistant' %}"
        "{% generation %}{{ m.content }}!{% endgeneration %}"
        "{% else %}[{{ m.content }}]{% endif %}{% endfor %}"
    )
    assert render(marked) == "[Be short.][Why?]Because.!"


def test_tojson_keeps_letters_and_order():
    source = "{{ {'b': 'é<>&', 'a': [1, none, true]} | tojson }}"
    assert render(source) == '{"b": "é<>&", "a": [1, null, true]}'


def test_tojson_with_indent():
    assert json.loads(render("{{ {'a': 1} | tojson(indent=2) }}")) == {"a": 1}
    assert "\n" in render("{{ {'a': 1} | tojson(indent=2) }}")


def test_a_day_is_at_hand():
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", render("{{ strftime_now('%Y-%m-%d') }}"))


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.__class__.__base__.__subclasses__() }}",
        "{{ ''['__class__']['__mro__'] }}",
        "{{ (''|attr('__class__')).__mro__ }}",
        "{{ raise_exception.__globals__['__builtins__']['open']('/etc/passwd').read() }}",
        "{{ cycler.__init__.__globals__.os.environ }}",
        "{{ '{0.__class__.__mro__}'.format(messages)[5] ~ nothing.at.all }}",
        "{{ messages.append(1) }}",
        "{{ messages.clear() }}",
        "{{ messages[0].update({'role': 'user'}) }}",
        "{% include '/etc/passwd' %}",
        "{% import '/etc/passwd' as x %}",
    ],
)
def test_the_sandbox_refuses(source):
    with pytest.raises(TemplateRefusedError, match="the chat template refused"):
        render(source)


@pytest.mark.parametrize(
    "hidden", ["raise_exception.__globals__", "''.__class__", "messages.__init__"]
)
def test_hidden_attributes_read_as_nothing(hidden):
    assert render(f"[{{{{ {hidden} }}}}]") == "[]"


def test_rendering_leaves_the_messages_as_they_are():
    before = json.dumps(MESSAGES)
    render("{% set messages = messages[1:] %}{{ messages }}")
    assert json.dumps(MESSAGES) == before


def test_a_template_can_refuse_a_conversation_in_its_own_words():
    source = "{% if messages[0].role == 'tool' %}{{ raise_exception('No tool role') }}{% endif %}"
    with pytest.raises(TemplateRefusedError, match="No tool role") as caught:
        render(source, [{"role": "tool", "content": "x"}])
    assert caught.value.code == "template_refused"
    assert render(source, MESSAGES[1:]) == ""


# The system role where a template has none

REFUSES = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    + build.CHATML
)
DROPS = build.CHATML.replace("{% for message in messages %}", "{% for message in messages if message['role'] != 'system' %}")  # fmt: skip


@pytest.mark.parametrize("source", [REFUSES, DROPS])
def test_a_system_text_goes_before_the_first_question(source):
    template = ChatTemplate(source, SPECIAL)
    assert not template.takes_system
    assert template.render(MESSAGES) == (
        "<|im_start|>user\nBe short.\n\nWhy?<|im_end|>\n<|im_start|>assistant\nBecause.<|im_end|>\n"
    )
    asked = template.render(MESSAGES[:2], open_answer=True)
    assert template.render(MESSAGES).startswith(asked)


@pytest.mark.parametrize("source", [REFUSES, DROPS])
def test_a_system_text_without_a_question_is_asked_itself(source):
    folded = ChatTemplate(source, SPECIAL).render([MESSAGES[0], MESSAGES[2]])
    assert folded.startswith("<|im_start|>user\nBe short.<|im_end|>\n<|im_start|>assistant")


def test_a_template_that_takes_a_system_text_gets_it():
    template = ChatTemplate(build.CHATML, SPECIAL)
    assert template.takes_system
    assert "system\nBe short." in template.render(MESSAGES)


def test_folding_leaves_the_messages_as_they_are():
    before = json.dumps(MESSAGES)
    assert fold_system(MESSAGES)[0]["content"] == "Be short.\n\nWhy?"
    assert json.dumps(MESSAGES) == before


# Tools


def test_tools_are_passed_on_and_none_are_none():
    tools = [{"type": "function", "function": {"name": "find"}}]
    source = "{% if tools %}{{ tools | tojson }}{% else %}{{ tools is none }}{% endif %}"
    assert json.loads(render(source, tools=tools)) == tools
    assert render(source) == "True"


def test_calls_are_rendered_from_what_they_are():
    calling = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "find", "arguments": {"q": "é"}}}],
    }
    source = "{{ messages[0].tool_calls[0].function.arguments | tojson }}"
    assert render(source, [calling]) == '{"q": "é"}'


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages + 1 }}",
        "{{ messages[9].content }}",
        "{{ unknown_function() }}",
        "{{ none.strip() }}",
        "{{ messages[0].content.index('no such text') }}",
        "{{ 1 // 0 }}",
        "{{ range(10 ** 9) | list }}",
        "{{ strftime_now(3) }}",
        "{{ messages | tojson(indent=messages) }}",
    ],
)
def test_whatever_goes_wrong_inside_a_template_is_its_refusal(source):
    with pytest.raises(TemplateRefusedError):
        render(source)


@pytest.mark.parametrize(
    "source", ["{% if %}", "{{ messages", "{% generation %}", "{{ x | nope }}"]
)
def test_a_template_that_is_none_is_an_error_of_the_model(source):
    with pytest.raises(PodtuneError, match="template"):
        ChatTemplate(source, SPECIAL)


# The folder of a base model


def test_a_folder_is_loaded(tmp_path):
    folder = build.tokenizer_folder(tmp_path)
    assert folder.folder == tmp_path
    assert folder.stop_ids == {IM_END}
    assert folder.template.render(MESSAGES[1:2]) == "<|im_start|>user\nWhy?<|im_end|>\n"
    ids = folder.tokenizer.encode("<|im_end|>", add_special_tokens=False).ids
    assert ids == [IM_END]


def test_truncation_and_padding_of_the_file_are_taken_off(tmp_path):
    build.tokenizer_folder(tmp_path)
    made = build.tokenizer()
    made.enable_truncation(3)
    made.enable_padding(length=50)
    made.save(str(tmp_path / "tokenizer.json"))
    loaded = TokenizerFolder(tmp_path).tokenizer
    assert len(loaded.encode("xyz" * 5).ids) == 15


def test_a_folder_without_tokenizer(tmp_path):
    with pytest.raises(SpecError, match=r"no tokenizer\.json") as caught:
        TokenizerFolder(tmp_path)
    assert caught.value.code == "no_tokenizer"


@pytest.mark.parametrize("template", [None, [], [{"name": "tool_use", "template": "x"}], 3])
def test_a_folder_without_chat_template(tmp_path, template):
    folder = build.tokenizer_folder(tmp_path, template)
    assert folder.tokenizer.encode("plain text needs none").ids
    with pytest.raises(SpecError, match="no chat template") as caught:
        _ = folder.template
    assert caught.value.code == "no_chat_template"


def test_the_default_of_several_templates_is_taken(tmp_path):
    several = [{"name": "tool_use", "template": "tool"}, {"name": "default", "template": "plain"}]
    assert build.tokenizer_folder(tmp_path, several).template.render([]) == "plain"


def test_a_template_in_a_file_of_its_own_wins(tmp_path):
    build.tokenizer_folder(tmp_path, "config")
    (tmp_path / "chat_template.jinja").write_text("fïle", encoding="utf-8")
    assert TokenizerFolder(tmp_path).template.render([]) == "fïle"


def test_a_folder_without_tokenizer_config_needs_a_template_of_its_own(tmp_path):
    build.tokenizer_folder(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    with pytest.raises(SpecError, match="no chat template"):
        _ = TokenizerFolder(tmp_path).template
    (tmp_path / "chat_template.jinja").write_text(build.CHATML, encoding="utf-8")
    assert TokenizerFolder(tmp_path).stop_ids == frozenset()


def test_special_tokens_may_be_written_as_objects(tmp_path):
    settings = {
        "bos_token": {"content": "<|im_start|>", "lstrip": False},
        "eos_token": {"content": "<|im_end|>"},
        "pad_token": None,
        "chat_template": "{{ bos_token }}{{ eos_token }}[{{ pad_token }}{{ unk_token }}]",
    }
    folder = build.tokenizer_folder(tmp_path, files={"tokenizer_config.json": settings})
    assert folder.template.render([]) == "<|im_start|><|im_end|>[]"
    assert folder.stop_ids == {IM_END}


@pytest.mark.parametrize(
    ("files", "stops"),
    [
        ({}, {IM_END}),
        ({"generation_config.json": {"eos_token_id": 0}}, {END_OF_TEXT}),
        ({"generation_config.json": {"eos_token_id": [2, 0]}}, {END_OF_TEXT, IM_END}),
        ({"config.json": {"eos_token_id": 0}}, {END_OF_TEXT}),
        ({"config.json": {"eos_token_id": [0]}}, {END_OF_TEXT}),
        (
            {"generation_config.json": {"eos_token_id": 2}, "config.json": {"eos_token_id": 0}},
            {IM_END},
        ),
        ({"generation_config.json": {}, "config.json": {"eos_token_id": 0}}, {END_OF_TEXT}),
        ({"generation_config.json": {"eos_token_id": None}}, {IM_END}),
        ({"generation_config.json": {"eos_token_id": []}}, {IM_END}),
    ],
    ids=str,
)
def test_stop_ids_come_from_generation_config_then_config_then_eos(tmp_path, files, stops):
    assert build.tokenizer_folder(tmp_path, files=files).stop_ids == stops


def test_an_eos_token_that_the_tokenizer_lacks_stops_nothing(tmp_path):
    settings = {"eos_token": "<nothing>", "chat_template": "x"}
    folder = build.tokenizer_folder(tmp_path, files={"tokenizer_config.json": settings})
    assert folder.stop_ids == frozenset()


@pytest.mark.parametrize(
    "name", ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]
)
@pytest.mark.parametrize(
    "content",
    ["", '{"eos_token": ', "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"],
    ids=["empty", "cut", "lfs-pointer"],
)
def test_a_damaged_file_of_the_model_is_named(tmp_path, name, content):
    build.tokenizer_folder(tmp_path)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(PodtuneError, match=name):
        TokenizerFolder(tmp_path)


# How a template wants its messages

PARTS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}: {% for p in m.content %}"
    "{% if p['type'] == 'text' %}{{ p['text'] }}{% endif %}{% endfor %}<|im_end|>{% endfor %}"
)
"""As templates for pictures are written: of a plain text nothing is left."""

JOINS_ARGUMENTS = (
    "{% for m in messages %}{{ m.role }}{% for c in m.tool_calls or [] %}"
    "{{ '[' + c.function.name + ' ' + c.function.arguments + ']' }}{% endfor %}{{ m.content }};"
    "{% endfor %}"
)


def calling(arguments):
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "find", "arguments": arguments}}],
    }


def test_contents_become_parts_where_only_these_come_through():
    template = ChatTemplate(PARTS, SPECIAL)
    assert template.wants_parts
    assert template.takes_system
    assert template.render(MESSAGES) == (
        "<|im_start|>system: Be short.<|im_end|><|im_start|>user: Why?<|im_end|>"
        "<|im_start|>assistant: Because.<|im_end|>"
    )
    assert not ChatTemplate(build.CHATML, SPECIAL).wants_parts


def test_a_template_that_shows_no_contents_at_all_gets_them_as_they_are():
    template = ChatTemplate("{{ messages[0].content is string }}", SPECIAL)
    assert not template.wants_parts
    assert template.render(MESSAGES) == "True"


def test_arguments_become_json_where_only_that_comes_through():
    template = ChatTemplate(JOINS_ARGUMENTS, SPECIAL)
    assert template.wants_json_arguments
    called = template.render([MESSAGES[1], calling({"q": "é"}), MESSAGES[2]])
    assert called == 'userWhy?;assistant[find {"q": "é"}];assistantBecause.;'


def test_arguments_stay_objects_where_these_come_through():
    source = "{{ messages[1].tool_calls[0].function.arguments | tojson }}"
    template = ChatTemplate(source, SPECIAL)
    assert not template.wants_json_arguments
    assert template.render([MESSAGES[1], calling({"q": 1})]) == '{"q": 1}'


def test_a_template_for_tools_is_used_for_conversations_with_tools(tmp_path):
    several = [
        {"name": "default", "template": "plain"},
        {"name": "tool_use", "template": "{{ tools | length }} tools"},
    ]
    template = build.tokenizer_folder(tmp_path, several).template
    assert template.render(MESSAGES) == "plain"
    assert template.render(MESSAGES, tools=[{"type": "function"}]) == "1 tools"


def test_a_token_that_the_tokenizer_lacks_is_undefined():
    assert ChatTemplate("{{ pad_token is defined }}", SPECIAL).render(MESSAGES) == "False"


def test_a_template_is_told_one_day_for_training_and_another_where_that_is_asked(tmp_path):
    source = "{{ strftime_now('%Y-%m-%d') }}"
    build.tokenizer_folder(tmp_path, source)
    assert TokenizerFolder(tmp_path).template.render([]) == "2024-07-26"
    later = TokenizerFolder(tmp_path, today=datetime(2031, 2, 3, tzinfo=UTC))
    assert later.template.render([]) == "2031-02-03"


@pytest.mark.parametrize(
    ("files", "end"),
    [
        ({}, IM_END),
        ({"generation_config.json": {"eos_token_id": [0, 2]}}, IM_END),
        ({"generation_config.json": {"eos_token_id": [5, 0]}}, 5),
        ({"generation_config.json": {"eos_token_id": [999_999, 0]}}, END_OF_TEXT),
        ({"generation_config.json": {"eos_token_id": 999_999}}, None),
    ],
    ids=str,
)
def test_a_text_is_ended_by_eos_where_that_stops_the_model_else_by_the_first(tmp_path, files, end):
    assert build.tokenizer_folder(tmp_path, files=files).end_id == end
