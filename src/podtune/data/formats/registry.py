"""Which format a file has, told from its first records; how sure that is, and why."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, cast

from podtune.core.dataset import Confidence, Recognised
from podtune.data.formats import (
    api_log,
    chat,
    chatgpt_export,
    columns,
    discord,
    intercom,
    message_table,
    pairs,
    plain_text,
    rated,
    slack,
    templated,
    zendesk,
)
from podtune.data.record import Converted, Problem, Record, refused

SAMPLE: Final = 200
"""Records looked at; a role first seen in row 11 must not surprise anybody."""

Fields = Mapping[str, object]
Note = Callable[[Problem], None]


class Format(NamedTuple):
    """A form of record: how it is told, and how it becomes a conversation."""

    name: str
    fits: Callable[[Fields], bool]
    convert: Callable[[Fields, Note], Converted]
    why: str


def _chat_fits(fields: Fields) -> bool:
    return any(
        chat.has_roles(fields.get(key), ("role",)) for key in ("messages", "conversations", "conversation", "dialogue")
    ) or isinstance(fields.get("messages"), list)  # fmt: skip


def _chat(fields: Fields, note: Note) -> Converted:
    keys = ("messages", "conversations", "conversation", "dialogue")
    key = next((k for k in keys if k in fields), "")
    tools = fields.get("tools", fields.get("functions"))
    return chat.converted(fields.get(key), tools, fields.get("system"))


def _sharegpt_fits(fields: Fields) -> bool:
    return any(
        chat.has_roles(fields.get(key), ("from", "value"))
        for key in ("conversations", "conversation", "messages")
    ) or (isinstance(fields.get("conversations"), list) and not _chat_fits(fields))  # fmt: skip


def _preference_fits(fields: Fields) -> bool:
    return any(k in fields for k in pairs.BETTER) and any(k in fields for k in pairs.WORSE)


def _alpaca_fits(fields: Fields) -> bool:
    names = {key.lower() for key in fields}
    return "instruction" in names and bool(names & {"output", "response", "completion"})


def _prompts_only_fits(fields: Fields) -> bool:
    prompt = fields.get("prompt", fields.get("question", fields.get("instruction")))
    return isinstance(prompt, str | list) and not any(
        columns.score("completion", name) >= 2 for name in fields
    )


def _templated(fields: Fields, note: Note) -> Converted:
    found = templated.split_text(str(fields.get("text", "")))
    if found is None:
        code = (
            "no_assistant" if templated.has_marker(str(fields.get("text", ""))) else "no_messages"
        )
        return refused(Problem(code, "its text has no answered turns"))
    if found[0] == CHATML:
        note(Problem("already_templated"))
    return chat.converted(found[1])


def _templated_as(name: str) -> Callable[[Fields], bool]:
    def fits(fields: Fields) -> bool:
        text = fields.get("text")
        if not isinstance(text, str):
            return False
        found = templated.split_text(text)
        return found is not None and found[0] == name

    return fits


def _logged(fields: Fields, note: Note) -> Converted:
    turns, tools = api_log.turns(fields, note)
    return chat.converted(turns, tools)


def _preference(fields: Fields, note: Note) -> Converted:
    return pairs.preference(fields)


def _zendesk(fields: Fields, note: Note) -> Converted:
    return chat.converted(zendesk.turns(fields, note))


def _intercom(fields: Fields, note: Note) -> Converted:
    return chat.converted(intercom.turns(fields, note))


def _chatgpt(fields: Fields, note: Note) -> Converted:
    return chat.converted(chatgpt_export.turns(fields, note))


def _sharegpt(fields: Fields, note: Note) -> Converted:
    return chat.sharegpt(fields)


def _alpaca(fields: Fields, note: Note) -> Converted:
    return pairs.alpaca(fields)


def _pair_fits(fields: Fields) -> bool:
    return pairs.pair_keys(fields) is not None


def _prompt_completion(fields: Fields, note: Note) -> Converted:
    return pairs.prompt_completion(fields)


def _inner(fields: Fields) -> Format | None:
    """The form of the conversation that stands beside a rating."""
    return next((f for f in FORMATS if f.name in _RATABLE and f.fits(fields)), None)


def _rated_fits(fields: Fields) -> bool:
    return rated.fits(fields) and _inner(fields) is not None


def _rated(fields: Fields, note: Note) -> Converted:
    inner = _inner(fields)
    return _unknown(fields, note) if inner is None else inner.convert(fields, note)


def _prompts_only(fields: Fields, note: Note) -> Converted:
    return refused(Problem("no_assistant", "it has a prompt and no answer"))


def _never(fields: Fields) -> bool:
    return False


def _unknown(fields: Fields, note: Note) -> Converted:
    return refused(Problem("no_messages", chat.named_keys(fields)))


CHATML: Final = "chatml_text"
UNKNOWN: Final = Format("unknown", _never, _unknown, "no known keys")

TABLE: Final = "qa_table"
"""Records whose question and answer stand under names of their own."""

_RATABLE: Final = ("sharegpt", "chat_messages", "alpaca", "prompt_completion")
"""Forms of conversations beside which a rating may stand."""

_LABELLED: Final = "human_assistant_text"

# fmt: off
FORMATS: Final = (
    Format("preference", _preference_fits, _preference,
           "each record has a better and a worse answer"),
    Format("api_log", api_log.fits, _logged,
           "each record has a request with messages and its response"),
    Format("zendesk", zendesk.fits, _zendesk, "each record is a ticket with comments"),
    Format("intercom", intercom.fits, _intercom,
           "each record has a source and conversation parts"),
    Format(chatgpt_export.NAME, chatgpt_export.fits, _chatgpt,
           "each record has a `mapping` of messages, as ChatGPT exports them"),
    Format(rated.NAME, _rated_fits, _rated,
           "each record has an answer and whether it is good"),
    Format("sharegpt", _sharegpt_fits, _sharegpt,
           "each record has `conversations` of `from` and `value`"),
    Format("chat_messages", _chat_fits, _chat, "each record has `messages` with roles"),
    Format("alpaca", _alpaca_fits, _alpaca, "each record has `instruction` and `output`"),
    Format("prompt_completion", _pair_fits, _prompt_completion,
           "each record has a prompt and its completion"),
    Format(CHATML, _templated_as(CHATML), _templated,
           "each `text` holds a template's markers"),
    Format(_LABELLED, _templated_as(_LABELLED), _templated, "each `text` holds named turns"),
    Format("prompts_only", _prompts_only_fits, _prompts_only,
           "each record has a prompt and nothing that could be an answer"),
)
# fmt: on
"""In this order: the stricter before what would take its records too."""

_MARKED: Final = {"slack": slack, "discord": discord}
"""Logs each of whose messages is known by its keys."""

LOGS: Final = {**_MARKED, message_table.NAME: message_table}
"""Formats whose conversations are gathered from single messages."""

EXPLAINED: Final = {
    "chat_messages": "`messages` of `role` and `content`, with tools, `weight`, reasoning, parts",
    "sharegpt": "`conversations` of `from` and `value`",
    "alpaca": "`instruction`, `input`, `output`",
    "prompt_completion": "`prompt` and `completion`, as text or messages",
    TABLE: "questions and answers under names of their own, in some thirty languages",
    "preference": "`chosen` and `rejected`, or OpenAI's `preferred_output` and `non_preferred_output`",
    rated.NAME: "an answer in one of the forms above with `label`, `thumbs`, `rating`: good or bad",
    plain_text.NAME: "text without turns, files or records with a `text`; with `method: cpt` only",
    CHATML: "text with a chat template's markers (ChatML, Llama, Gemma, Zephyr, Alpaca)",
    _LABELLED: "text with `Human:` and `Assistant:`",
    "api_log": "requests and responses of a chat API",
    "zendesk": "tickets with comments; internal notes are never used",
    "intercom": "conversations with parts; notes and bots are never used",
    chatgpt_export.NAME: "ChatGPT's own export; the branch shown last is the conversation",
    "slack": "messages of a Slack export; threads become conversations",
    "discord": "messages of a Discord export; replies become conversations",
    message_table.NAME: "a table of single messages with their conversation and sender, in many languages",
    "whatsapp": "an exported chat",
    "mbox": "mails; threads become conversations, quotes and signatures go",
    "faq_markdown": "Markdown with questions as headings or in bold",
    "faq_text": "`Q:` and `A:` text, also out of a PDF",
    "prompts_only": "prompts without answers: nothing to learn from",
}
"""Format -> what it is."""

NAMES: Final = tuple(EXPLAINED)
"""Every format that can be asked for by name."""


def of_name(name: str) -> Format:
    """A record format by its name; the one that knows nothing where there is none."""
    return next((f for f in FORMATS if f.name == name), UNKNOWN)


def of_record(value: object) -> Format:
    """The format of a single record."""
    if not isinstance(value, dict):
        return UNKNOWN
    fields = cast("Fields", value)
    return next((f for f in FORMATS if f.fits(fields)), UNKNOWN)


class Told(NamedTuple):
    """The format of a sample of records."""

    name: str
    recognised: Recognised


def recognise(sample: Sequence[Record], *, is_table: bool = False) -> Told:
    """Tell the format of a file from its first records.

    Args:
        sample: Up to `SAMPLE` records; unreadable ones say nothing.
        is_table: Whether the records are rows of a table, which need no known keys.
    """
    fields = [cast("Fields", r.value) for r in sample if isinstance(r.value, dict)]
    for name, module in _MARKED.items():
        fitting = sum(module.fits(f) for f in fields)
        if fitting * 2 > len(fields):
            why = f"{fitting} of {len(fields)} records are single messages of a {name} export"
            return Told(name, _recognised(fitting, len(fields), why, ()))
    counts = Counter(of_record(f).name for f in fields)
    ranked = [(n, c) for n, c in counts.most_common() if n != "unknown"]
    if is_table:
        ranked = [(n, c) for n, c in ranked if n != "prompts_only"]
    if not ranked or ranked[0][1] * 2 < len(fields):
        single = message_table.reason(fields)
        if single is not None:
            likely = Recognised(confidence=Confidence.LIKELY, why=single)
            return Told(message_table.NAME, likely)
        mapped = columns.by_names(_keys(fields), {})
        if mapped is not None:
            why = f"{mapped.columns['prompt']!r} asks and {mapped.columns['completion']!r} answers"
            return Told(TABLE, Recognised(confidence=mapped.confidence, why=why))
    if not ranked:
        why = "no record has keys that are known" if fields else "no record could be read"
        return Told("unknown", Recognised(confidence=Confidence.GUESS, why=why))
    name, fitting = ranked[0]
    why = f"{of_name(name).why} ({fitting} of {len(fields)} looked at)"
    return Told(name, _recognised(fitting, len(fields), why, tuple(n for n, _ in ranked[1:3])))


def _keys(fields: Sequence[Fields]) -> list[str]:
    """The keys most records have, in the order of the first."""
    counts = Counter(key for f in fields for key in f)
    return [key for key, count in counts.items() if count * 2 > len(fields)]


def _recognised(fitting: int, of: int, why: str, others: tuple[str, ...]) -> Recognised:
    share = fitting / max(1, of)
    confidence = (
        Confidence.CERTAIN
        if share >= 0.9
        else Confidence.LIKELY
        if share >= 0.6
        else Confidence.GUESS
    )
    return Recognised(confidence=confidence, why=why, others=others)
