"""What a base model's folder says of its tokenizer: the file itself, templates, stop tokens.

Reads `tokenizer.json`, `tokenizer_config.json`, `generation_config.json`, `config.json` and the
template files beside them. Knows nothing about conversations.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from tokenizers import Tokenizer

from podtune.core.errors import SpecError

SPECIAL: Final = (
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
)
"""Tokens that transformers hands to templates by name, where a tokenizer has them."""


def tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer, without the truncation and padding its file may ask for.

    Raises:
        SpecError: there is none, or it cannot be read.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise SpecError(
            f"no tokenizer.json in {str(folder)!r}",
            code="no_tokenizer",
            hint="use a model that ships a fast tokenizer",
        )
    try:
        loaded = Tokenizer.from_file(str(path))
    except Exception as error:
        raise _unreadable(path, error) from error
    loaded.no_truncation()
    loaded.no_padding()
    return loaded


def json_object(path: Path) -> Mapping[str, object]:
    """The object in a file; empty where there is no file or no object.

    Raises:
        SpecError: not JSON.
    """
    if not path.is_file():
        return {}
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _unreadable(path, error) from error
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def templates(folder: Path, config: Mapping[str, object]) -> dict[str, str]:
    """Chat templates by name: `default`, and `tool_use` where conversations with tools have one.

    Files of their own win over `tokenizer_config.json`, as in transformers.

    Raises:
        SpecError: none is the default, or a file is no text.
    """
    found = _template_files(folder) or _configured(config)
    if "default" not in found:
        raise SpecError(
            f"the model in {str(folder)!r} has no chat template",
            code="no_chat_template",
            hint="use an instruct or chat model; base models do not know turns, but learn plain text "
            "with --set method=cpt",
        )
    return found


def _template_files(folder: Path) -> dict[str, str]:
    named = {
        path.stem: path for path in sorted((folder / "additional_chat_templates").glob("*.jinja"))
    }
    beside = folder / "chat_template.jinja"
    if not beside.is_file():
        return {}
    found: dict[str, str] = {}
    for name, path in {**named, "default": beside}.items():
        try:
            found[name] = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise _unreadable(path, error) from error
    return found


def _configured(config: Mapping[str, object]) -> dict[str, str]:
    value = config.get("chat_template")
    if isinstance(value, str):
        return {"default": value}
    if not isinstance(value, list):
        return {}
    entries = cast("list[Mapping[str, object]]", value)
    return {str(entry.get("name")): str(entry.get("template")) for entry in entries}


def special_tokens(config: Mapping[str, object]) -> dict[str, str]:
    """Named special tokens as text; those that the tokenizer lacks are left out."""
    tokens: dict[str, str] = {}
    for name in SPECIAL:
        value = config.get(name)
        if isinstance(value, dict):
            value = cast("Mapping[str, object]", value).get("content")
        if isinstance(value, str):
            tokens[name] = value
    return tokens


def stop_ids(folder: Path, loaded: Tokenizer, config: Mapping[str, object]) -> tuple[int, ...]:
    """Ids that end generation: generation_config, then config, then the tokenizer's eos."""
    for name in ("generation_config.json", "config.json"):
        value = json_object(folder / name).get("eos_token_id")
        if isinstance(value, int):
            return (value,)
        if isinstance(value, list) and value:
            return tuple(int(v) for v in cast("list[int]", value))
    eos = loaded.token_to_id(special_tokens(config).get("eos_token", ""))
    return () if eos is None else (eos,)


def _unreadable(path: Path, error: Exception) -> SpecError:
    return SpecError(
        f"{path.name} of the base model cannot be read: {str(error)[:160]}",
        code="bad_model_folder",
        hint=f"fetch the model again; {str(path)!r} is cut short or not the real file",
    )
