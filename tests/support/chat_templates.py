# ruff: noqa: RUF001 - DeepSeek writes its markers with fullwidth signs
"""What the chat templates that TRL ships write for an answer, and the conversations to try them on.

The templates are read from the installed package. Each family's stop tokens are those of the
published generation config; the texts stand here as they are read in the template, so that nothing
of podtune tells what is expected of podtune.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from podtune.core.dataset import Conversation, Message

CALL = {
    "id": "call00001",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Linz"}'},
}
LATER_CALL = {**CALL, "id": "call00002"}
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "A city"}},
            "required": ["city"],
        },
    },
}
THOUGHT = "Let me see."


class Answer(NamedTuple):
    """An answer of a case that is trained on."""

    content: str = ""
    thought: str = ""
    calls: bool = False
    follows_tool: bool = False


class Case(NamedTuple):
    """A conversation, and its answers that are trained on."""

    row: Conversation
    answers: tuple[Answer, ...]


def _case(*messages: Message, answers: tuple[Answer, ...], tools: bool = False) -> Case:
    return Case(Conversation(messages, line=7, row=7, tools=(TOOL,) if tools else ()), answers)


def _asked(text: str) -> Message:
    return Message("user", text)


def _said(text: str, thought: str | None = None, weight: float | None = None) -> Message:
    return Message("assistant", text, reasoning_content=thought, weight=weight)


_CALLED = (
    _asked("Weather?"),
    Message("assistant", None, (CALL,)),
    Message("tool", "12 degrees", tool_call_id="call00001", name="weather"),
)
_BLANK, _UNICODE = "\n Because.\n\n ", "Größer. 是 🙂"

CASES: Mapping[str, Case] = {
    "single": _case(_asked("Why?"), _said("Because."), answers=(Answer("Because."),)),
    "several": _case(
        _asked("Why?"), _said("Because."), _asked("And?"), _said("So."), _asked("Ok?"), _said("Yes."),
        answers=(Answer("Because."), Answer("So."), Answer("Yes.")),
    ),
    "system": _case(
        Message("system", "Be brief."), _asked("Why?"), _said("Because."),
        answers=(Answer("Because."),),
    ),
    "tools": _case(
        *_CALLED, _said("It is mild."), tools=True,
        answers=(Answer(calls=True), Answer("It is mild.", follows_tool=True)),
    ),
    "rounds": _case(
        *_CALLED,
        Message("assistant", None, (LATER_CALL,)),
        Message("tool", "13 degrees", tool_call_id="call00002", name="weather"),
        _said("It is mild."), _asked("Thanks"), _said("Bye."),
        tools=True,
        answers=(
            Answer(calls=True), Answer(calls=True, follows_tool=True),
            Answer("It is mild.", follows_tool=True), Answer("Bye."),
        ),
    ),
    "reasoning": _case(
        _asked("Why?"), _said("Because.", THOUGHT), answers=(Answer("Because.", THOUGHT),)
    ),
    "reasoning twice": _case(
        _asked("Why?"), _said("Because.", THOUGHT), _asked("And?"), _said("So.", "Hm."),
        answers=(Answer("Because.", THOUGHT), Answer("So.", "Hm.")),
    ),
    "weight 0": _case(
        _asked("Why?"), _said("Because.", weight=0), _asked("And?"), _said("So.", weight=1),
        answers=(Answer("So."),),
    ),
    "blanks": _case(_asked(" Why? \n"), _said(_BLANK), answers=(Answer(_BLANK),)),
    "unicode": _case(_asked("Wie? 🙂"), _said(_UNICODE), answers=(Answer(_UNICODE),)),
    "repeated": _case(
        _asked("Because."), _said("Because."), _asked("So. Because."), _said("So."),
        answers=(Answer("Because."), Answer("So.")),
    ),
}  # fmt: skip


class Family(NamedTuple):
    """What one template writes."""

    stops: tuple[str, ...]
    """Tokens that end generation, by the published generation config."""
    answer: str
    """An answer from where the prompt ends up to its stop token; `{}` is the content."""
    thought: str | None = None
    """The same with reasoning, `{thought}` and `{}`; None where the template leaves that out."""
    call: str | None = None
    """A call of `weather` for Linz; None where the template cannot show calls."""
    without_calls: str = "tool_calls_lost"
    """How a row with calls is refused there."""
    later_call: str | None = None
    """A call after a tool spoke, where that reads otherwise."""
    after_tool: str | None = None
    """An answer after a tool spoke, where that reads otherwise."""
    written: Callable[[str], str] = str
    """What becomes of a content."""
    split: tuple[str, ...] = ()
    """Cases of several answers in which the template rewrites history: a document for each."""
    asked_with_more: tuple[str, ...] = ()
    """Cases whose prompt shows what the finished text lacks."""
    adds_stop: bool = False
    """Whether the template writes no stop token of its own."""
    bos: str | None = None
    eos: str | None = None
    """The tokenizer's; the first stop token where it is None."""

    def expected(self, answer: Answer) -> str:
        """The text of an answer's trained tokens."""
        if answer.calls:
            assert self.call is not None
            return (self.later_call if answer.follows_tool else None) or self.call
        pattern = (self.after_tool if answer.follows_tool else None) or self.answer
        if answer.thought and self.thought:
            pattern = self.thought.replace("{thought}", answer.thought)
        return pattern.replace("{}", self.written(answer.content))


_SEVERAL = ("several", "tools", "rounds", "reasoning twice", "repeated")
_PLAIN_SEVERAL = ("several", "reasoning twice", "repeated")
_HERMES = '<tool_call>\n{"name": "weather", "arguments": {"city": "Linz"}}\n</tool_call><|im_end|>'
_XML = "<tool_call>\n<function=weather>\n<parameter=city>\nLinz\n</parameter>\n</function>\n</tool_call>"
_LFM = "<|tool_call_start|>[weather(city='Linz')]<|tool_call_end|><|im_end|>"
_GEMMA = '<|tool_call>call:weather{city:<|"|>Linz<|"|>}<tool_call|><|tool_response>'
_LLAMA = '{"name": "weather", "parameters": {"city": "Linz"}}<|eot_id|>'
_DEEPSEEK = (
    "<｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
    '{"city": "Linz"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>'
)
_ATEM = (
    '<atem:function_calls>\n<atem:invoke name="weather">\n'
    '<atem:parameter name="city">Linz</atem:parameter>\n</atem:invoke>\n</atem:function_calls>'
)

_COHERE = Family(
    ("<|END_OF_TURN_TOKEN|>",),
    "{}<|END_OF_TURN_TOKEN|>",
    without_calls="template_refused",
    written=str.strip,
    bos="<BOS_TOKEN>",
)
_GEMMA_3 = Family(
    ("<eos>", "<end_of_turn>"),
    "{}<end_of_turn>",
    without_calls="template_refused",
    written=str.strip,
    bos="<bos>",
)
_GEMMA_4 = Family(
    ("<eos>", "<turn|>", "<|tool_response>"),
    "{}<turn|>",
    call=_GEMMA,
    written=str.strip,
    bos="<bos>",
)
_GEMMA_4_THINKS = _GEMMA_4._replace(
    thought="<|channel>thought\n{thought}\n<channel|>{}<turn|>", split=("reasoning twice",)
)
_LFM2 = Family(("<|im_end|>",), "{}<|im_end|>", bos="<|startoftext|>")
_LFM2_5 = _LFM2._replace(
    call=_LFM, thought="<think>{thought}</think>{}<|im_end|>", split=("reasoning twice",)
)
_LLAMA_3 = Family(
    ("<|end_of_text|>", "<|eot_id|>"),
    "{}<|eot_id|>",
    written=str.strip,
    bos="<|begin_of_text|>",
    eos="<|eot_id|>",
)
_LLAMA_3_1 = _LLAMA_3._replace(stops=("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"), call=_LLAMA)
_NEMOTRON = Family(
    ("<|im_end|>",),
    "</think>{}<|im_end|>",
    call=f"</think>\n{_XML}\n<|im_end|>",
    thought="{thought}\n</think>\n{}<|im_end|>",
    written=str.rstrip,
    split=_SEVERAL,
    asked_with_more=tuple(name for name in CASES if not name.startswith("reasoning")),
)
_NEMOTRON_TIGHT = _NEMOTRON._replace(thought="{thought}</think>{}<|im_end|>")
_PHI = Family(
    ("<|endoftext|>", "<|end|>", "<|assistant|>"),
    "{}<|end|>\n<|endoftext|>",
    split=_PLAIN_SEVERAL,
)
_QWEN = Family(("<|im_end|>", "<|endoftext|>"), "{}<|im_end|>", call=_HERMES)
_QWEN_3_5 = Family(
    ("<|im_end|>", "<|endoftext|>"),
    "\n</think>\n\n{}<|im_end|>",
    call=f"\n</think>\n\n{_XML}<|im_end|>",
    thought="{thought}\n</think>\n\n{}<|im_end|>",
    written=str.strip,
    split=(*_PLAIN_SEVERAL, "rounds"),
)
_UTTERANCE = Family(("<end_of_utterance>",), " {}<end_of_utterance>")

_TURNS = (
    "{% for m in messages %}<|im_start|>{{ m.role }}SEP{{ m.content }}<|im_end|>END{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistantSEP{% endif %}"
)
WRITTEN: Mapping[str, str] = {
    "mistral": (
        "{{ bos_token }}{% set ns = namespace(last=-1, system='') %}"
        "{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}"
        "{% elif m.role == 'system' %}{% set ns.system = m.content + '\\n\\n' %}{% endif %}{% endfor %}"
        "{% for m in messages %}{% set is_last = loop.index0 == ns.last %}"
        "{% if m.role == 'user' %}{% if tools and is_last %}"
        "[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
        "[INST]{{ ns.system if is_last else '' }}{{ m.content }}[/INST]"
        "{% elif m.tool_calls %}{% if m.tool_calls[0].id | length < 9 %}"
        "{{ raise_exception('ids of calls have nine letters') }}{% endif %}"
        "[TOOL_CALLS]{{ m.tool_calls[0].function | tojson }}{{ eos_token }}"
        "{% elif m.role == 'tool' %}[TOOL_RESULTS]{{ m.content }}[/TOOL_RESULTS]"
        "{% elif m.role == 'assistant' %}{{ m.content | trim }}{{ eos_token }}{% endif %}{% endfor %}"
    ),
    "phi4": _TURNS.replace("SEP", "<|im_sep|>").replace("END", ""),
    "smollm2": "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are SmolLM.<|im_end|>\n"
    "{% endif %}" + _TURNS.replace("SEP", "{{ '\\n' }}").replace("END", "{{ '\\n' }}"),
}
"""Formats of published models that TRL has no template of, written here: Mistral's puts system and
tools into the last question, which rewrites history.
"""

FAMILIES: Mapping[str, Family] = {
    "mistral": Family(
        ("</s>",), "{}</s>", written=str.strip, split=("rounds",), bos="<s>",
        call='[TOOL_CALLS]{"name": "weather", "arguments": {"city": "Linz"}}</s>',
    ),
    "phi4": Family(("<|im_end|>", "<|endoftext|>"), "{}<|im_end|>"),
    "smollm2": Family(("<|im_end|>",), "{}<|im_end|>"),
    "cohere": _COHERE,
    "cohere2": _COHERE._replace(answer="{}<|END_RESPONSE|><|END_OF_TURN_TOKEN|>", written=str),
    "deepseek_r1_distill": Family(
        ("<｜end▁of▁sentence｜>",), "{}<｜end▁of▁sentence｜>", split=_PLAIN_SEVERAL,
        asked_with_more=tuple(CASES), bos="<｜begin▁of▁sentence｜>",
    ),
    "deepseekv3": Family(
        ("<｜end▁of▁sentence｜>",), "{}<｜end▁of▁sentence｜>", call=f"<｜tool▁calls▁begin｜>{_DEEPSEEK}",
        later_call=f"\n{_DEEPSEEK}", split=_SEVERAL, asked_with_more=tuple(CASES),
        bos="<｜begin▁of▁sentence｜>",
    ),
    "diffusion_gemma": _GEMMA_4_THINKS._replace(
        after_tool="<|turn>model\n{}<turn|>", later_call=f"<|turn>model\n{_GEMMA}"
    ),
    "gemma": _GEMMA_3,
    "gemma3": _GEMMA_3,
    "gemma4": _GEMMA_4,
    "gemma4_v2": _GEMMA_4._replace(call=_GEMMA.replace("<|tool_response>", "<turn|>")),
    "gemma4_v3": _GEMMA_4,
    "gemma4_v4": _GEMMA_4,
    "gemma4_v5": _GEMMA_4_THINKS,
    "glm4moe": Family(
        ("<|endoftext|>", "<|user|>", "<|observation|>"), "\n<think></think>\n{}<|user|>",
        thought="\n<think>{thought}</think>\n{}<|user|>",
        call="\n<think></think>\n<tool_call>weather\n<arg_key>city</arg_key>\n"
        "<arg_value>Linz</arg_value>\n</tool_call><|observation|>",
        written=str.strip, split=("reasoning twice",), adds_stop=True,
    ),
    "gptoss": Family(
        ("<|return|>", "<|endoftext|>", "<|call|>"), "<|channel|>final<|message|>{}<|return|>",
        thought="<|channel|>analysis<|message|>{thought}<|end|><|start|>assistant"
        "<|channel|>final<|message|>{}<|return|>",
        call=' to=functions.weather<|channel|>commentary json<|message|>{"city": "Linz"}<|call|>',
        split=(*_PLAIN_SEVERAL, "rounds"),
    ),
    "idefics3": _UTTERANCE,
    "lfm2": _LFM2,
    "lfm2_v2": _LFM2._replace(call=_LFM),
    "lfm2_2_5": _LFM2_5,
    "lfm2_2_5_v2": _LFM2_5,
    "lfm2_2_5_vl": _LFM2_5,
    "llama3": _LLAMA_3,
    "llama3_1": _LLAMA_3_1,
    "llama3_2": _LLAMA_3_1,
    "llava_next": Family(("</s>",), " {}</s>", without_calls="template_refused"),
    "muse_glimmer": Family(
        ("<|eot|>",), " to=user<|message|>{}<|eot|>",
        thought=" to=self<|message|>{thought}<|eom|><|start|>assistant to=user<|message|>{}<|eot|>",
        call=f" to=weather<|message|>{_ATEM}<|eot|>", bos="<|begin|>",
    ),
    "nemotron_3_5_lightning": _NEMOTRON_TIGHT,
    "nemotron_3_nano": _NEMOTRON,
    "nemotron_3_super": _NEMOTRON,
    "nemotron_3_ultra": _NEMOTRON_TIGHT,
    "phi3": _PHI,
    "phi3_5": _PHI,
    "qwen2_5": _QWEN,
    "qwen2_5_vl": _QWEN._replace(call=None),
    "qwen3": _QWEN._replace(
        answer="<think>\n\n</think>\n\n{}<|im_end|>",
        thought="<think>\n{thought}\n</think>\n\n{}<|im_end|>",
        call=f"<think>\n\n</think>\n\n{_HERMES}",
        written=lambda content: content.lstrip("\n"), split=_SEVERAL,
    ),
    "qwen3_5_nothink": _QWEN_3_5._replace(
        answer="{}<|im_end|>", call=f"{_XML}<|im_end|>",
        asked_with_more=("reasoning", "reasoning twice"),
    ),
    "qwen3_5_think": _QWEN_3_5,
    "qwen3_6": _QWEN_3_5,
    "qwen3_8": _QWEN_3_5._replace(split=()),
    "qwen3_instruct_2507": _QWEN,
    "qwen3_vl": _QWEN,
    "smolvlm": _UTTERANCE,
}  # fmt: skip
"""Every template of TRL 1.16 that is no training variant, and those written here."""


def folder_of_templates() -> Path:
    """Where the installed TRL keeps its templates."""
    found = find_spec("trl")
    assert found is not None, "TRL is not installed: pip install -r runpod-worker/requirements.txt"
    assert found.submodule_search_locations is not None
    return Path(found.submodule_search_locations[0]) / "chat_templates"


MARKERS = re.compile(
    r"""<\|[^<>|\s]+\|>|<｜[^<>｜]+｜>|<\|[a-z_"]+>|<[a-z_]+\|>|<(?:start|end)_of_\w+>|</?think>|\[/?[A-Z_]+\]"""
)
"""Tokens that published tokenizers hold whole, as templates write them."""


def write_model(
    path: Path, family: Family, template: str, merges: Sequence[tuple[str, str]] = ()
) -> None:
    """The tokenizer files of a model with this template: bytes are tokens, and so are markers."""
    path.mkdir(parents=True, exist_ok=True)
    named = {family.bos, *family.stops} - {None}
    tokenizer = byte_tokenizer(sorted({*MARKERS.findall(template), *named}), merges)
    tokenizer.save(str(path / "tokenizer.json"))
    config = {"bos_token": family.bos, "eos_token": family.eos or family.stops[0]}
    (path / "tokenizer_config.json").write_text(
        json.dumps({**config, "chat_template": template}), encoding="utf-8"
    )
    stops = [tokenizer.token_to_id(stop) for stop in family.stops]
    (path / "generation_config.json").write_text(
        json.dumps({"eos_token_id": stops}), encoding="utf-8"
    )


def byte_tokenizer(markers: Sequence[str], merges: Sequence[tuple[str, str]]) -> Tokenizer:
    """One token a byte, one a marker, and one for each pair that is merged."""
    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(a + b for a, b in merges)]
    vocab = {letter: i for i, letter in enumerate(letters)}
    made = Tokenizer(models.BPE(vocab=vocab, merges=list(merges)))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(m, special=True, normalized=False) for m in markers])
    return made
