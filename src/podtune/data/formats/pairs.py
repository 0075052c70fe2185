"""Questions with their answers: prompt/completion records, Alpaca, tables, and preference pairs.

A side may be text or a list of messages. Takes decoded values, knows nothing of files and lines.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

from podtune.core.dataset import Message
from podtune.data.formats import chat
from podtune.data.record import Converted, Problem, refused

PAIRS: Final = (
    ("prompt", "completion"),
    ("prompt", "response"),
    ("prompt", "output"),
    ("prompt", "answer"),
    ("input", "output"),
    ("input_text", "output_text"),
    ("source", "target"),
    ("query", "response"),
    ("context", "response"),
)
"""Keys of a record that is a prompt and its completion, by the names of published data sets."""

BETTER: Final = ("chosen", "preferred_output", "response_chosen", "preferred", "accepted")
WORSE: Final = ("rejected", "non_preferred_output", "response_rejected", "dispreferred", "refused")
"""Keys of the two answers of a preference pair."""

ASKED: Final = ("prompt", "input", "question", "instruction", "query", "conversations")
"""Keys of what a preference pair answers."""

_TURN: Final = re.compile(r"(?:\A|\n\n)(Human|Assistant): ?")
_SHORT_TURN: Final = re.compile(r"(?:\A|\n\n)(H|A): ?")
"""Turns inside a text, as Anthropic's published preference data writes them."""


def pair_keys(fields: Mapping[str, object]) -> tuple[str, str] | None:
    """The keys of a prompt/completion record; None where it is none."""
    by_lower = {key.lower(): key for key in fields}
    for prompt, completion in PAIRS:
        if prompt == "input" and "instruction" in by_lower:
            continue  # what stands under an instruction is no prompt
        if prompt in by_lower and completion in by_lower:
            return by_lower[prompt], by_lower[completion]
    return None


def from_pair(prompt: object, completion: object, system: object = None) -> Converted:
    """A question and its answer, with an optional system text; sides may be lists of messages."""
    if list in (type(prompt), type(completion)):
        return _from_lists(prompt, completion, system)
    problems = [
        Problem("not_text", f"{name} is {chat.kind_of(value)}")
        for name, value in (("prompt", prompt), ("completion", completion))
        if not isinstance(value, str) and not (value is None and name == "completion")
    ]
    if problems:
        return refused(*problems)
    messages = [
        Message("user", str(prompt).strip()),
        Message("assistant", str(completion).strip() if completion is not None else ""),
    ]
    if isinstance(system, str) and system.strip():
        messages.insert(0, Message("system", system.strip()))
    return chat.checked(messages, [])


def _from_lists(prompt: object, completion: object, system: object) -> Converted:
    asked = as_messages(prompt, "user")
    answered = as_messages(completion, "assistant")
    if asked is None or answered is None:
        return refused(Problem("not_text", "a side is neither text nor messages"))
    return chat.converted([*asked, *answered], None, system)


def as_messages(value: object, role: str) -> list[object] | None:
    """A side of a pair as a list of messages; None where it is neither text nor a list."""
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, dict):
        fields = cast("Mapping[str, object]", value)
        return as_messages(fields.get("messages", [fields]), role)
    return [_renamed(e) for e in cast("list[object]", value)] if isinstance(value, list) else None


def _renamed(entry: object) -> object:
    """A turn of ShareGPT as a message; others as they are."""
    if not isinstance(entry, dict) or "role" in entry or "from" not in entry:
        return cast("object", entry)
    fields = cast("Mapping[str, object]", entry)
    return {"role": fields["from"], "content": fields.get("value")}


def prompt_completion(fields: Mapping[str, object]) -> Converted:
    """A record with `prompt` and `completion`, or a pair of keys like them."""
    keys = pair_keys(fields)
    if keys is None:
        return _lacking(fields)
    return from_pair(fields[keys[0]], fields[keys[1]], fields.get("system"))


def _lacking(fields: Mapping[str, object]) -> Converted:
    present = {key.lower() for key in fields}
    for prompt, completion in PAIRS:
        if prompt in present:
            return refused(Problem("missing_column", f"no {completion!r}"))
        if completion in present:
            return refused(Problem("missing_column", f"no {prompt!r}"))
    return refused(Problem("no_messages", chat.named_keys(fields)))


def alpaca(fields: Mapping[str, object]) -> Converted:
    """An Alpaca record: `instruction`, `input` behind it after a blank line, `output`.

    Databricks' Dolly has `context` for the input.

    Source: data set cards of Stanford Alpaca and databricks-dolly-15k, 2023.
    """
    values = {key.lower(): value for key, value in fields.items()}
    further = _further(values)
    if not isinstance(further, str):
        return refused(Problem("not_text", f"input is {chat.kind_of(further)}"))
    output = values.get("output", values.get("response", values.get("completion")))
    if output is None and not values.keys() & {"output", "response", "completion"}:
        return refused(Problem("missing_column", "no 'output'"))
    converted = from_pair(_instructed(values), output, values.get("system"))
    history = values.get("history")
    if not converted.messages or not isinstance(history, list) or not history:
        return converted
    return _with_history(converted, cast("list[object]", history))


def _instructed(values: Mapping[str, object]) -> object:
    """An instruction with its input under it."""
    instruction, further = values.get("instruction"), _further(values)
    if isinstance(instruction, str) and isinstance(further, str) and further.strip():
        return f"{instruction.strip()}\n\n{further.strip()}"
    return instruction if isinstance(further, str) else further  # to be refused


def _further(values: Mapping[str, object]) -> object:
    """What stands under an instruction: text, empty where there is nothing, or what is no text."""
    given = (values.get(key) for key in ("input", "context"))
    return next((_as_text(value) for value in given if value not in (None, "")), "")


def _as_text(value: object) -> object:
    """A number as text, with the digits that the decoder left; others as they are."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def _with_history(converted: Converted, history: Sequence[object]) -> Converted:
    """LLaMA-Factory's `history`: earlier pairs, before the instruction."""
    earlier: list[Message] = []
    for entry in history:
        turns = cast("list[object]", entry) if isinstance(entry, list) else []
        if len(turns) == 2 and all(isinstance(t, str) for t in turns):
            earlier += [
                Message("user", str(turns[0]).strip()),
                Message("assistant", str(turns[1]).strip()),
            ]
    at = 1 if converted.messages[0].role == "system" else 0
    messages = [*converted.messages[:at], *earlier, *converted.messages[at:]]
    return chat.checked(messages, list(converted.problems))


def table_row(cells: Mapping[str, object], columns: Mapping[str, str]) -> Converted:
    """A row of a question/answer table under the columns that were mapped."""
    for role in ("prompt", "completion"):
        if columns.get(role) not in cells:
            named = columns.get(role, role)
            return refused(Problem("missing_column", f"the row has no cell under {named!r}"))
    values = {role: cells.get(column) for role, column in columns.items()}
    texts = {role: _as_text(value) for role, value in values.items()}
    prompt = "" if texts["prompt"] is None else texts["prompt"]
    return from_pair(prompt, texts["completion"], texts.get("system"))


def preference(fields: Mapping[str, object]) -> Converted:
    """A preference pair: what was asked, the better answer and the worse one."""
    asked = _asked(fields)
    better = _side(fields, BETTER, is_whole=asked is None)
    worse = _side(fields, WORSE, is_whole=asked is None)
    if better is None or worse is None:
        return refused(Problem("missing_column", "no 'chosen' or no 'rejected'"))
    prompt = as_messages(asked, "user") if asked is not None else []
    if prompt is None:
        return refused(Problem("not_text", f"prompt is {chat.kind_of(asked)}"))
    if prompt and _repeats(better, prompt):
        prompt = []
    tools = fields.get("tools")
    if tools is None and isinstance(asked, dict):
        tools = cast("Mapping[str, object]", asked).get("tools")  # as OpenAI writes pairs
    system = fields.get("system")
    chosen = chat.converted([*prompt, *better], tools, system)
    rejected = chat.converted([*prompt, *worse], tools, system)
    if not chosen.messages or not rejected.messages:
        return refused(*(rejected if chosen.messages else chosen).problems)
    if chosen.messages == rejected.messages:
        return refused(*chosen.problems, Problem("chosen_equals_rejected"))
    at, shared = _asked_until(chosen.messages), 0
    if rejected.messages[:at] != chosen.messages[:at]:
        at = shared = _common_prompt(chosen.messages, rejected.messages)
        if not shared:
            return refused(*chosen.problems, Problem("pair_prompts_differ"))
    mended = (p for p in rejected.problems if p.repair)  # wants consent as on the better side
    return chosen._replace(
        rejected=rejected.messages[at:],
        shared=shared,
        problems=(*chosen.problems, *mended),
    )


def _asked(fields: Mapping[str, object]) -> object:
    """What a pair answers; in Alpaca's form the input stands under the instruction."""
    if fields.get("prompt") is None and isinstance(fields.get("instruction"), str):
        return _instructed(fields)
    return next((fields[k] for k in ASKED if fields.get(k) is not None), None)


def _side(
    fields: Mapping[str, object], keys: Sequence[str], *, is_whole: bool
) -> list[object] | None:
    """An answer of a pair, or the whole conversation; `is_whole` where no prompt stands beside it."""
    value = next((fields[k] for k in keys if fields.get(k) is not None), None)
    if isinstance(value, str):
        for pattern in (_TURN, _SHORT_TURN) if is_whole else (_TURN,):
            if turns := _turns(value.strip(), pattern):
                return list(turns)
    return as_messages(value, "assistant")


def _turns(text: str, pattern: re.Pattern[str]) -> list[dict[str, str]]:
    """`Human:` and `Assistant:` turns of a text that begins with one; an answer may speak of them."""
    before, *parts = pattern.split(text)
    if before or len(parts) < 4:
        return []
    roles = {"H": "user", "A": "assistant"}
    return [
        {"role": roles[speaker[0]], "content": said}
        for speaker, said in zip(parts[::2], parts[1::2], strict=True)
    ]


def _repeats(side: Sequence[object], prompt: Sequence[object]) -> bool:
    """Whether an answer is a whole conversation that holds the prompt already."""
    return len(side) > 1 and chat.has_roles(side, ("role",)) and any(
        cast("Mapping[str, object]", e).get("role") in ("user", "human") for e in side if isinstance(e, dict)
    ) and bool(prompt)  # fmt: skip


def _asked_until(messages: Sequence[Message]) -> int:
    """Index behind the last user turn."""
    return next((i for i in range(len(messages), 0, -1) if messages[i - 1].role == "user"), 0)


def _common_prompt(chosen: Sequence[Message], rejected: Sequence[Message]) -> int:
    """How many messages both conversations begin with, up to where both assistants speak."""
    shorter = min(len(chosen), len(rejected)) - 1
    parted = next((i for i in range(shorter) if chosen[i] != rejected[i]), shorter)
    while parted and not chosen[parted].role == rejected[parted].role == "assistant":
        parted -= 1
    return parted if any(m.role == "user" for m in chosen[:parted]) else 0
