# ruff: noqa: RUF001 - DeepSeek writes its markers with fullwidth signs
"""Masks under every chat template that TRL ships: by what they write, and against TRL's own."""

import itertools
import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import pytest
from jinja2 import TemplateError as JinjaError
from transformers import PreTrainedTokenizerFast

from podtune.core.dataset import Conversation, Message, Severity
from podtune.data.findings import CODES
from podtune.data.masks import IGNORED, encode
from podtune.data.rendering import template_messages
from podtune.data.template import TemplateRefusedError, TokenizerFolder
from support.chat_templates import (
    CALL,
    CASES,
    FAMILIES,
    TOOL,
    WRITTEN,
    Family,
    folder_of_templates,
    write_model,
)

EVERY = pytest.mark.parametrize("name", sorted(FAMILIES))
EVERY_CASE = pytest.mark.parametrize("case", CASES)
NOW = datetime.now().astimezone()
"""TRL and transformers tell templates the clock's day."""

ASKED = ("Why?", "And?", "Be brief.", "12 degrees", "13 degrees", "Weather?", "Thanks", "Wie?")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Name of a template -> its model's folder; the day that templates are told is today's."""
    root = tmp_path_factory.mktemp("models")

    @cache
    def of(name):
        write_model(root / name, FAMILIES[name], source(name))
        return TokenizerFolder(root / name, today=NOW)

    return of


def source(name):
    return WRITTEN.get(name) or (folder_of_templates() / f"{name}.jinja").read_text(
        encoding="utf-8"
    )


def trained_runs(ids, labels):
    """(first, behind the last) of each run of trained tokens."""
    found, at = [], 0
    for is_trained, run in itertools.groupby(labels, key=lambda label: label != IGNORED):
        length = len(list(run))
        if is_trained:
            found.append((at, at + length))
        at += length
    assert at == len(ids)
    return found


def written(folder, ids):
    return folder.tokenizer.decode(list(ids), skip_special_tokens=False)


def takes(family: Family, case):
    """Whether a template can show what a case holds."""
    return family.call is not None or not CASES[case].row.tools


def test_the_table_names_every_template_that_trl_ships():
    shipped = {path.stem for path in folder_of_templates().glob("*.jinja")}
    originals = {name for name in shipped if not name.endswith("_training")}
    assert set(FAMILIES) == originals | set(WRITTEN)
    assert not originals & set(WRITTEN)


@EVERY
@EVERY_CASE
def test_the_answers_are_trained_up_to_their_stop_token_and_nothing_else(folders, name, case):
    family, folder, (row, answers) = FAMILIES[name], folders(name), CASES[case]
    encoded = encode([row], folder)
    if not takes(family, case):
        assert encoded.examples == ()
        assert [(f.code, f.line, f.severity) for f in encoded.findings] == [
            (family.without_calls, 7, Severity.ERROR)
        ]
        return
    assert encoded.findings == ()
    found, stops = [], set()
    for example in encoded.examples:
        for first, end in trained_runs(example.input_ids, example.labels):
            assert list(example.labels[first:end]) == list(example.input_ids[first:end])
            found.append(written(folder, example.input_ids[first:end]))
            stops.add(folder.tokenizer.id_to_token(example.input_ids[end - 1]))
    assert found == [family.expected(answer) for answer in answers]
    assert stops <= set(family.stops)
    assert not any(words in text for text in found for words in ASKED)
    assert len(encoded.examples) == (len(answers) if case in family.split else 1)
    told = {
        "reasoning_left_out": family.thought is None and any(a.thought for a in answers),
        "asked_with_more": case in family.asked_with_more,
        "stop_token_added": family.adds_stop,
    }
    assert encoded.counts == {code: 1 for code, is_so in told.items() if is_so}
    assert {note.code for note in encoded.notes} == set(encoded.counts)
    assert all(CODES[note.code].severity is not Severity.ERROR for note in encoded.notes)


THOUGHT_BEFORE_CALL = Conversation(
    (
        Message("user", "Weather?"),
        Message("assistant", None, (CALL,), reasoning_content="I look."),
        Message("tool", "12 degrees", tool_call_id="call00001", name="weather"),
        Message("assistant", "It is mild.", reasoning_content="Mild."),
    ),
    line=1,
    tools=(TOOL,),
)


@pytest.mark.parametrize(
    ("name", "before_call", "before_answer"),
    [
        ("gemma4_v5", "<|channel>thought\nI look.\n<channel|>", "<|channel>thought\nMild.\n<channel|>"),
        ("glm4moe", "\n<think>I look.</think>", "\n<think>Mild.</think>"),
        (
            "gptoss",  # drops the first thought from history once an answer follows
            "<|channel|>analysis<|message|>I look.<|end|><|start|>assistant",
            "<|channel|>analysis<|message|>Mild.<|end|><|start|>assistant",
        ),
        ("lfm2_2_5", "<think>I look.</think>", "<think>Mild.</think>"),
        ("muse_glimmer", " to=self<|message|>I look.<|eom|><|start|>assistant", " to=self<|message|>Mild.<|eom|><|start|>assistant"),
        ("nemotron_3_nano", "I look.\n", "Mild.\n"),
        ("qwen3", "<think>\nI look.\n</think>\n\n", "<think>\nMild.\n</think>\n\n"),
        ("qwen3_5_think", "I look.", "Mild."),
    ],
)  # fmt: skip
def test_the_thoughts_before_a_call_and_before_an_answer_are_trained(
    folders, name, before_call, before_answer
):
    examples, findings, *_ = encode([THOUGHT_BEFORE_CALL], folders(name))
    assert findings == ()
    called, answered = [
        written(folders(name), example.input_ids[first:end])
        for example in examples
        for first, end in trained_runs(example.input_ids, example.labels)
    ]
    assert called.startswith(before_call)
    assert answered.startswith(before_answer)
    assert called.endswith(FAMILIES[name].call.removeprefix("<think>\n\n</think>\n\n").removeprefix("\n<think></think>"))  # fmt: skip
    assert "It is mild." in answered
    assert "12 degrees" not in called + answered


# Against transformers: the same text


def plain_messages(row, *, parts=False, json_arguments=False):
    """Messages as a user of transformers would write them."""
    messages = []
    for message in row.messages:
        turn = {"role": message.role, "content": message.content or ""}
        if parts:
            turn["content"] = [{"type": "text", "text": turn["content"]}]
        if message.reasoning_content:
            turn["reasoning_content"] = message.reasoning_content
        if message.tool_call_id:
            turn |= {"tool_call_id": message.tool_call_id, "name": message.name}
        if message.tool_calls:
            turn["tool_calls"] = [
                call if json_arguments else {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
                for call in message.tool_calls
            ]  # fmt: skip
        messages.append(turn)
    return messages


@cache
def transformers_tokenizer(folder, name):
    """A tokenizer with a template of TRL, as transformers has them."""
    config = json.loads((folder.folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    return PreTrainedTokenizerFast(
        tokenizer_object=folder.tokenizer,
        bos_token=config["bos_token"],
        eos_token=config["eos_token"],
        chat_template=source(name),
    )


WANT_PARTS = {"idefics3", "smolvlm", "llava_next"}
WANT_JSON_ARGUMENTS = {"deepseekv3"}
NO_SYSTEM = {"gemma"}
REFUSES_TOOLS = {"cohere", "cohere2", "gemma", "gemma3", "llava_next"}
"""Templates that refuse turns of tools; of others the calls would only be missing."""


@EVERY
@EVERY_CASE
@pytest.mark.parametrize("open_answer", [False, True])
def test_a_text_is_the_one_that_transformers_renders(folders, name, case, open_answer):
    row = CASES[case].row
    options = {"parts": name in WANT_PARTS, "json_arguments": name in WANT_JSON_ARGUMENTS}
    messages = plain_messages(row, **options)
    if open_answer:
        messages = messages[:-1]
    tokenizer = transformers_tokenizer(folders(name), name)
    template = folders(name).template

    def theirs():
        return tokenizer.apply_chat_template(
            messages, tools=list(row.tools) or None, tokenize=False,
            add_generation_prompt=open_answer,
        )  # fmt: skip

    def ours():
        given = template_messages(row)[: len(messages)]
        return template.render(given, open_answer=open_answer, tools=row.tools)

    try:
        expected = theirs()
    except JinjaError:
        if (name, case) == ("gemma", "system"):
            assert "Be brief.\n\nWhy?" in ours()
            return
        assert name in REFUSES_TOOLS
        assert row.tools
        with pytest.raises(TemplateRefusedError):
            ours()
    else:
        assert ours() == expected


@EVERY
def test_how_a_template_wants_its_messages_is_told_from_the_template(folders, name):
    template = folders(name).template
    assert template.wants_parts is (name in WANT_PARTS)
    assert template.wants_json_arguments is (name in WANT_JSON_ARGUMENTS)
    assert template.takes_system is (name not in NO_SYSTEM)


def test_the_day_in_a_system_text_is_the_same_on_every_day(folders):
    for name, day in {
        "llama3_2": "Today Date: 26 Jul 2024",
        "gptoss": "Current date: 2024-07-26",
        "muse_glimmer": "Current date: 2024-07-26.",
    }.items():
        question = [{"role": "user", "content": "x"}]
        assert day in TokenizerFolder(folders(name).folder).template.render(question)
        later = TokenizerFolder(folders(name).folder, today=datetime(2031, 12, 24, tzinfo=UTC))
        assert "2031" in later.template.render(question)


# Against TRL: the same masks, but for differences that have a reason


class Reason(StrEnum):
    """Why TRL's patched template and we train on other tokens."""

    LINE_END = "TRL also trains the line end behind the end of a turn, which nobody generates"
    HEADER = "TRL also trains the beginning of the turn, which the prompt supplies"
    OPENED = "TRL also trains the thought that the prompt has opened"
    RESULT = "TRL also trains the end of the tool's result, which the prompt supplies"
    NO_STOP = "TRL does not train the token at which generation stops for a tool"
    NO_TURN = "TRL does not train the beginning of a turn that the prompt lacks after a tool"


class Difference(NamedTuple):
    """What one side trains on more, before or behind an answer."""

    reason: Reason
    theirs_before: str = ""
    theirs_behind: str = ""
    ours_before: str = ""
    ours_behind: str = ""
    where: str = "every answer"
    """Or `calls`, `words`, `after tools`, `thoughts` ...: which answers it concerns."""

    def concerns(self, answer, family):
        thinks = bool(answer.thought) and family.thought is not None
        return {
            "every answer": True,
            "calls": answer.calls,
            "words": not answer.calls,
            "after tools": answer.follows_tool,
            "words after tools": answer.follows_tool and not answer.calls,
            "not after tools": not answer.follows_tool,
            "thoughts": thinks,
            "no thoughts": not thinks,
        }[self.where]


LINE_END = Difference(Reason.LINE_END, theirs_behind="\n")
DEEPSEEK = Difference(Reason.HEADER, theirs_before="<｜Assistant｜>", where="not after tools")
NEMOTRON = (
    LINE_END,
    Difference(Reason.OPENED, theirs_before="<think>\n", where="thoughts"),
    Difference(Reason.OPENED, theirs_before="<think>", where="no thoughts"),
)
QWEN_3_5 = (
    LINE_END,
    Difference(Reason.OPENED, theirs_before="<think>\n"),
)
DIFFERENCES: dict[str, tuple[Difference, ...]] = {
    "cohere": (),
    "cohere2": (),
    "deepseek_r1_distill": (DEEPSEEK,),
    "deepseekv3": (
        DEEPSEEK,
        Difference(
            Reason.RESULT, theirs_before="<｜tool▁outputs▁end｜>", where="words after tools"
        ),
    ),
    "diffusion_gemma": (
        LINE_END._replace(where="words"),
        Difference(Reason.NO_STOP, ours_behind="<|tool_response>", where="calls"),
        Difference(Reason.NO_TURN, ours_before="<|turn>model\n", where="after tools"),
    ),
    "gemma": (LINE_END,),
    "gemma3": (LINE_END,),
    "glm4moe": (),
    "gptoss": (Difference(Reason.HEADER, theirs_before="<|start|>assistant"),),
    "idefics3": (LINE_END,),
    "lfm2": (LINE_END,),
    "lfm2_v2": (LINE_END,),
    "lfm2_2_5": (LINE_END,),
    "lfm2_2_5_v2": (LINE_END,),
    "lfm2_2_5_vl": (LINE_END,),
    "llama3": (),
    "llava_next": (),
    "muse_glimmer": (Difference(Reason.HEADER, theirs_before="<|start|>assistant"),),
    "nemotron_3_5_lightning": NEMOTRON,
    "nemotron_3_nano": NEMOTRON,
    "nemotron_3_super": NEMOTRON,
    "nemotron_3_ultra": NEMOTRON,
    "phi3": (),
    "phi3_5": (),
    "qwen2_5": (LINE_END, Difference(Reason.HEADER, theirs_before="\n")),
    "qwen2_5_vl": (LINE_END,),
    "qwen3": (LINE_END,),
    "qwen3_5_nothink": (
        LINE_END,
        Difference(Reason.OPENED, theirs_before="<think>\n", where="thoughts"),
        Difference(Reason.OPENED, theirs_before="<think>\n\n</think>\n\n", where="no thoughts"),
    ),
    "qwen3_5_think": QWEN_3_5,
    "qwen3_6": QWEN_3_5,
    "qwen3_8": QWEN_3_5,
    "qwen3_instruct_2507": (LINE_END,),
    "qwen3_vl": (LINE_END,),
    "smolvlm": (LINE_END,),
}
"""Every template that TRL can train with, and each of our differences from it."""

NATIVE = {"lfm2_2_5", "lfm2_2_5_v2", "lfm2_2_5_vl"}
"""Marked for training by their makers; TRL has no variant of its own."""

KEPT_THOUGHTS = {"qwen3", "qwen3_5_nothink", "qwen3_5_think", "qwen3_6"}
"""Where TRL's variant keeps thoughts in history that the model's own template drops."""

LOSES_BYTES = "diffusion_gemma"
"""Where TRL marks a content by itself. transformers takes of its last letter only the first token:
of a letter of four bytes three stay untrained. All else that we compare ends in a marker.
"""

COMPARED = [(n, c) for n in sorted(DIFFERENCES) for c in CASES if takes(FAMILIES[n], c)]


def test_every_template_that_trl_can_train_is_compared():
    variants = {p.stem.removesuffix("_training") for p in folder_of_templates().glob("*_training.jinja")}  # fmt: skip
    assert set(DIFFERENCES) == variants | NATIVE
    assert set(FAMILIES) - set(DIFFERENCES) - set(WRITTEN) == {
        "llama3_1", "llama3_2", "gemma4", "gemma4_v2", "gemma4_v3", "gemma4_v4", "gemma4_v5",
    }  # fmt: skip


def trl_tokens(folder, name, row, turns):
    """Ids of a conversation under TRL's variant, and (first, behind) of its last trained run."""
    tokenizer = transformers_tokenizer(folder, name if name in NATIVE else f"{name}_training")
    messages = plain_messages(row, parts=name in WANT_PARTS)[:turns]
    if name in NO_SYSTEM and messages[0]["role"] == "system":
        first, asked, *rest = messages
        messages = [{**asked, "content": f"{first['content']}\n\n{asked['content']}"}, *rest]
    made = tokenizer.apply_chat_template(
        messages, tools=list(row.tools) or None, return_dict=True, return_assistant_tokens_mask=True
    )
    ids = list(made["input_ids"])
    mask = [token if is_trained else IGNORED for token, is_trained in zip(ids, made["assistant_masks"], strict=True)]  # fmt: skip
    *earlier, (first, behind) = trained_runs(ids, mask)
    emoji = tokenizer.backend_tokenizer.encode("🙂", add_special_tokens=False).ids
    if earlier and ids[earlier[-1][1] - 1 : first] == emoji:
        assert name == LOSES_BYTES
        first = earlier[-1][0]
    return ids, (first, behind)


def our_runs(folder, row):
    """(ids of the document, first, behind the last) of every trained answer."""
    return [
        (list(example.input_ids), *run)
        for example in encode([row], folder).examples
        for run in trained_runs(example.input_ids, example.labels)
    ]


def without_thoughts(text):
    """A prompt without the thoughts in its history; the last may be open."""
    return re.sub(r"<think>\n.*?</think>\n\n", "", text.removesuffix("<think>\n"), flags=re.DOTALL)


@pytest.mark.parametrize(("name", "case"), COMPARED)
def test_trl_trains_the_same_tokens_but_for_named_reasons(folders, name, case):
    folder, (row, answers) = folders(name), CASES[case]
    ends = [i + 1 for i, m in enumerate(row.messages) if m.role == "assistant" and m.weight != 0]
    for (ids, first, behind), answer, turns in zip(our_runs(folder, row), answers, ends, strict=True):  # fmt: skip
        theirs, (their_first, their_behind) = trl_tokens(folder, name, row, turns)
        concerned = [d for d in DIFFERENCES[name] if d.concerns(answer, FAMILIES[name])]

        def tokens(side, concerned=concerned):
            text = "".join(getattr(difference, side) for difference in concerned)
            return folder.tokenizer.encode(text, add_special_tokens=False).ids

        # The trained tokens, one by one; then where in the conversation they stand.
        assert tokens("ours_before") + theirs[their_first:their_behind] + tokens(
            "ours_behind"
        ) == tokens("theirs_before") + ids[first:behind] + tokens("theirs_behind")
        ahead, theirs_ahead = (
            ids[:first] + tokens("ours_before"),
            theirs[:their_first] + tokens("theirs_before"),
        )
        if ahead != theirs_ahead:
            assert name in KEPT_THOUGHTS
            text, other = written(folder, ahead), written(folder, theirs_ahead)
            assert other.count("<think>") > text.count("<think>")
            assert without_thoughts(other) == without_thoughts(text)
        if turns == len(row.messages):
            rest = tokens("theirs_behind") + theirs[their_behind:]
            assert ids[behind:] + tokens("ours_behind") == rest


def test_each_reason_is_needed(folders):
    assert {d.reason for differences in DIFFERENCES.values() for d in differences} == set(Reason)
    row = CASES["several"].row
    for name in KEPT_THOUGHTS:
        theirs, _ = trl_tokens(folders(name), name, row, len(row.messages))
        ids, *_ = our_runs(folders(name), row)[-1]
        assert theirs.count(thought := folders(name).tokenizer.token_to_id("<think>")) == 3
        assert ids.count(thought) == 1


def test_a_token_that_begins_in_the_prompt_is_trained_by_trl_alone(tmp_path):
    """Two line ends are one token here. The prompt ends with one, so no model generates that."""
    name = "lfm2"
    write_model(tmp_path, FAMILIES[name], source(name), merges=[("Ċ", "Ċ")])
    folder = TokenizerFolder(tmp_path, today=NOW)
    row = CASES["blanks"].row
    ((ids, first, behind),) = our_runs(folder, row)
    theirs, (their_first, their_behind) = trl_tokens(folder, name, row, 2)
    assert ids == theirs
    assert written(folder, ids[first:behind]) == " Because.\n\n <|im_end|>"
    assert written(folder, theirs[their_first:their_behind]) == "\n\n Because.\n\n <|im_end|>\n"
    assert (their_first, their_behind) == (first - 1, behind + 1)
