"""A base model's chat template and tokenizer, without transformers.

Renders as transformers does: jinja2 in an immutable sandbox, trimmed blocks, the same few
globals. A template is code from a stranger: the sandbox is the reason it may run at all.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NoReturn, cast

from jinja2 import TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from podtune.core.errors import SpecError


class TemplateRefusedError(SpecError):
    """The template itself refused a conversation (wrong order of roles, no system role)."""

    code = "template_refused"


class _GenerationBlock(Extension):
    """`{% generation %}` marks answers in some templates; here it only has to vanish."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it so

    def parse(self, parser: Parser) -> nodes.Node | list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """Renders conversations as the base model saw them in its own training."""

    def __init__(self, source: str, special_tokens: Mapping[str, str]) -> None:
        """Compile a template.

        Args:
            source: The jinja2 text.
            special_tokens: `bos_token`, `eos_token` ... as text.

        Raises:
            SpecError: it does not compile.
        """
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationBlock, loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals.update(_GLOBALS)
        self._source = source
        try:
            self._template = environment.from_string(source)
            self._fixed = {**self._template.globals, "documents": None, **special_tokens}
        except TemplateError as error:
            raise SpecError(
                f"the model's chat template is not valid: {str(error)[:200]}",
                code="bad_chat_template",
                hint="use another base model, or mend its chat_template.jinja",
            ) from error

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        open_answer: bool = False,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        """The conversation as text; with `open_answer`, up to where the model would speak.

        Where the template has no system role, a system text goes before the first user turn.

        Raises:
            TemplateRefusedError: the template raised.
        """
        if messages and messages[0]["role"] == "system" and not self.takes_system:
            messages = fold_system(messages)
        return self._render(messages, open_answer, tools)

    @cached_property
    def takes_system(self) -> bool:
        """Whether a system text comes through: not refused, not left out."""
        mark = "system-text-7f3a"
        probe = [{"role": "system", "content": mark}, {"role": "user", "content": "x"}]
        try:
            return mark in self._render(probe, True, ())
        except TemplateRefusedError:
            return False

    def _render(
        self,
        messages: Sequence[Mapping[str, Any]],
        open_answer: bool,
        tools: Sequence[Mapping[str, Any]],
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
        except _TEMPLATE_FAULTS as error:
            # Only words of the template itself are passed on; others may quote the row.
            words = str(error) if str(error) in self._source else type(error).__name__
            raise TemplateRefusedError(f"the chat template refused: {words}") from error


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

    def __init__(self, folder: Path) -> None:
        """Load from `tokenizer.json`, `tokenizer_config.json` and what stands beside them.

        Raises:
            SpecError: no tokenizer.json or no chat template.
        """
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise SpecError(
                f"no tokenizer.json in {str(folder)!r}",
                code="no_tokenizer",
                hint="use a model that ships a fast tokenizer",
            )
        self.folder = folder
        self.tokenizer: Tokenizer = _load_tokenizer(path)
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        config = _json_file(folder / "tokenizer_config.json")
        self.template = ChatTemplate(_template_text(folder, config), _special_tokens(config))
        self.stop_ids = _stop_ids(folder, self.tokenizer, config)


def _to_json(value: object, ensure_ascii: bool = False, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _refuse(message: str) -> NoReturn:
    raise TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.now().astimezone().strftime(pattern)


_TEMPLATE_FAULTS: Final = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a template's own expressions can raise; it is a stranger's code."""

_GLOBALS: Final[Mapping[str, Any]] = {
    "raise_exception": _refuse,
    "strftime_now": _strftime_now,
}
"""What transformers offers to templates."""


def _load_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> SpecError:
    return SpecError(
        f"{path.name} of the base model cannot be read: {str(error)[:160]}",
        code="bad_model_folder",
        hint=f"fetch the model again; {str(path)!r} is cut short or not the real file",
    )


def _json_file(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        return {}
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _unreadable(path, error) from error
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _template_text(folder: Path, config: Mapping[str, object]) -> str:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        try:
            return beside.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise _unreadable(beside, error) from error
    value = config.get("chat_template")
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        for entry in cast("list[Mapping[str, object]]", value):
            if entry.get("name") == "default":
                return str(entry.get("template"))
    raise SpecError(
        f"the model in {str(folder)!r} has no chat template",
        code="no_chat_template",
        hint="use an instruct or chat model; base models do not know turns",
    )


def _special_tokens(config: Mapping[str, object]) -> dict[str, str]:
    tokens: dict[str, str] = {}
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
        value = config.get(name)
        if isinstance(value, dict):
            value = cast("Mapping[str, object]", value).get("content")
        tokens[name] = value if isinstance(value, str) else ""
    return tokens


def _stop_ids(folder: Path, tokenizer: Tokenizer, config: Mapping[str, object]) -> frozenset[int]:
    """Ids that end generation: generation_config, then config, then the tokenizer's eos."""
    for name in ("generation_config.json", "config.json"):
        value = _json_file(folder / name).get("eos_token_id")
        if isinstance(value, int):
            return frozenset({value})
        if isinstance(value, list) and value:
            return frozenset(int(v) for v in cast("list[int]", value))
    eos = tokenizer.token_to_id(_special_tokens(config)["eos_token"])
    return frozenset() if eos is None else frozenset({eos})
