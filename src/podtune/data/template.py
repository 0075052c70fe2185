"""A base model's chat template and tokenizer, without transformers.

Renders as transformers does: jinja2 in an immutable sandbox, trimmed blocks, the same few
globals. A template is code from a stranger: the sandbox is the reason it may run at all.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from jinja2 import Template, TemplateError
from tokenizers import Tokenizer

from podtune.core.errors import SpecError
from podtune.data import template_sandbox, tokenizer_files
from podtune.data.template_sandbox import TRAINING_DAY

_Message = Mapping[str, Any]

_MARKS: Final = ("question-text-7f3a", "answer-text-7f3a")


class TemplateRefusedError(SpecError):
    """The template itself refused a conversation (wrong order of roles, no system role)."""

    code = "template_refused"


class ChatTemplate:
    """Renders conversations as the base model saw them in its own training."""

    def __init__(
        self,
        source: str,
        special_tokens: Mapping[str, str],
        *,
        for_tools: str | None = None,
        today: datetime = TRAINING_DAY,
    ) -> None:
        """Compile a template.

        Args:
            source: The jinja2 text.
            special_tokens: `bos_token`, `eos_token` ... as text.
            for_tools: Another text for conversations with tools, which a few models ship.
            today: The day that the template is told.

        Raises:
            SpecError: it does not compile.
        """
        self._source = source
        self._template = _compiled(source, today)
        self._fixed = {**self._template.globals, "documents": None, **special_tokens}
        self._for_tools = (
            None if for_tools is None else ChatTemplate(for_tools, special_tokens, today=today)
        )

    def render(
        self,
        messages: Sequence[_Message],
        *,
        open_answer: bool = False,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        """The conversation as text; with `open_answer`, up to where the model would speak.

        Where the template has no system role, a system text goes before the first user turn.

        Raises:
            TemplateRefusedError: the template raised.
        """
        if tools and self._for_tools is not None:
            return self._for_tools.render(messages, open_answer=open_answer, tools=tools)
        if messages and messages[0]["role"] == "system" and not self.takes_system:
            messages = fold_system(messages)
        if self.wants_parts:
            messages = [_in_parts(m) for m in messages]
        if any("tool_calls" in m for m in messages) and self.wants_json_arguments:
            messages = [_with_json_arguments(m) for m in messages]
        return self._render(messages, open_answer, tools)

    @cached_property
    def takes_system(self) -> bool:
        """Whether a system text comes through: not refused, not left out."""
        mark = "system-text-7f3a"
        probe: list[_Message] = [
            {"role": "system", "content": mark},
            {"role": "user", "content": "x"},
        ]
        if self.wants_parts:
            probe = [_in_parts(m) for m in probe]
        return mark in self._tried(probe, open_answer=True)

    @cached_property
    def wants_parts(self) -> bool:
        """Whether contents come through as lists of parts only, as in templates for pictures."""
        question, answer = _MARKS
        probe: list[_Message] = [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
        if _shows(self._tried(probe), _MARKS):
            return False
        return _shows(self._tried([_in_parts(m) for m in probe]), _MARKS)

    @cached_property
    def wants_json_arguments(self) -> bool:
        """Whether calls come through only with their arguments as JSON text (DeepSeek)."""
        function = {"name": "look_up", "arguments": {"key": _MARKS[1]}}
        call = {"id": "call00001", "type": "function", "function": function}
        probe: list[_Message] = [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": "", "tool_calls": [call]},
        ]
        if _shows(self._tried(probe), _MARKS[1:]):
            return False
        return _shows(self._tried([_with_json_arguments(m) for m in probe]), _MARKS[1:])

    def _tried(self, messages: Sequence[_Message], open_answer: bool = False) -> str:
        try:
            return self._render(messages, open_answer, ())
        except TemplateRefusedError:
            return ""

    def _render(
        self, messages: Sequence[_Message], open_answer: bool, tools: Sequence[Mapping[str, Any]]
    ) -> str:
        try:
            # As Template.render does, without copying what is the same for every row (a third).
            context = self._template.new_context(
                {
                    **self._fixed,
                    "messages": list(messages),
                    "add_generation_prompt": open_answer,
                    "tools": list(tools) or None,
                },
                shared=True,
            )
            return "".join(self._template.root_render_func(context))
        except template_sandbox.FAULTS as error:
            # Only words of the template itself are passed on; others may quote the row.
            words = str(error) if str(error) in self._source else type(error).__name__
            raise TemplateRefusedError(f"the chat template refused: {words}") from error


def _compiled(source: str, today: datetime) -> Template:
    try:
        return template_sandbox.environment(today).from_string(source)
    except TemplateError as error:
        raise SpecError(
            f"the model's chat template is not valid: {str(error)[:200]}",
            code="bad_chat_template",
            hint="use another base model, or mend its chat_template.jinja",
        ) from error


def _shows(text: str, marks: Sequence[str]) -> bool:
    return all(mark in text for mark in marks)


def _in_parts(message: _Message) -> _Message:
    content = message.get("content")
    if not isinstance(content, str):
        return message
    return {**message, "content": [{"type": "text", "text": content}]}


def _with_json_arguments(message: _Message) -> _Message:
    if "tool_calls" not in message:
        return message
    calls = [
        {**c, "function": {**c["function"], "arguments": _as_json(c["function"]["arguments"])}}
        for c in message["tool_calls"]
    ]
    return {**message, "tool_calls": calls}


def _as_json(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def fold_system(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    r"""Messages with the first one's text, a system text, before the first user turn instead.

    >>> fold_system([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
    [{'role': 'user', 'content': 'Be brief.\n\nHi'}]
    """
    text, rest = messages[0]["content"], list(messages[1:])
    at = next((i for i, m in enumerate(rest) if m["role"] == "user"), None)
    if at is None:
        return [{"role": "user", "content": text}, *rest]
    asked = rest[at]
    rest[at] = {**asked, "content": f"{text}\n\n{asked['content']}"}
    return rest


class TokenizerFolder:
    """The tokenizer side of a base model's folder: tokenizer, template and stop tokens."""

    def __init__(self, folder: Path, *, today: datetime = TRAINING_DAY) -> None:
        """Load from `tokenizer.json`, `tokenizer_config.json` and what stands beside them.

        Args:
            folder: Of the base model, or an artifact.
            today: The day that the template is told; a conversation may tell the real one.

        Raises:
            SpecError: no tokenizer.json.
        """
        self.folder = folder
        self.tokenizer: Tokenizer = tokenizer_files.tokenizer(folder)
        config = tokenizer_files.json_object(folder / "tokenizer_config.json")
        special = tokenizer_files.special_tokens(config)
        self._config, self._special, self._today = config, special, today
        listed = tokenizer_files.stop_ids(folder, self.tokenizer, config)
        self.stop_ids = frozenset(listed)
        eos = self.tokenizer.token_to_id(special.get("eos_token", ""))
        known = [i for i in listed if self.tokenizer.id_to_token(i) is not None]
        self.end_id: int | None = eos if eos in known else next(iter(known), None)
        """The stop token that ends a text: the tokenizer's eos where it is one, else the first."""

    @cached_property
    def template(self) -> ChatTemplate:
        """The chat template; plain text needs none.

        Raises:
            SpecError: no chat template.
        """
        templates = tokenizer_files.templates(self.folder, self._config)
        return ChatTemplate(
            templates["default"],
            self._special,
            for_tools=templates.get("tool_use"),
            today=self._today,
        )
